"""The echoes of one component of a gradient echo: files of one grid and their sidecars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import finite, read_nifti, read_shape
from napari_qsm_stroke.io.sidecar import beside, number, read_sidecar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.io.faults import Faults, Note
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.io.nifti import NiftiFile

MOST_ECHOES = 64
"""No gradient echo has more; a fourth axis that is longer is time, not echoes."""


@dataclass
class Component:
    """Magnitude, phase, real or imaginary part: what of it can be read.

    ``files`` and ``sidecars`` run along with ``paths``; what cannot be read is None or empty, and
    its fault was collected.
    """

    role: str
    paths: tuple[Path, ...]
    files: list[NiftiFile | None]
    sidecars: list[dict[str, Any]]
    notes: tuple[Note, ...]

    @property
    def where(self) -> str:
        """Names of the files, for messages."""
        return ", ".join(path.name for path in self.paths)

    @property
    def grid(self) -> Grid | None:
        """Grid of the first file that can be read."""
        return next((file.volume.grid for file in self.files if file is not None), None)

    @property
    def echoes(self) -> int:
        """Number of echoes: that of the files, or of the images in the only one; 0 if unknown."""
        if len(self.files) != 1:
            return len(self.files)
        only = self.files[0]
        if only is None:
            return 0
        return int(only.volume.data.shape[3]) if only.volume.data.ndim == 4 else 1

    @property
    def scaling(self) -> tuple[float, float] | None:
        """Slope and intercept of the integers in the files, where all have the same."""
        found = {file.scaling for file in self.files if file is not None}
        return found.pop() if len(found) == 1 else None

    def echo_times(self, faults: Faults) -> tuple[float, ...] | None:
        """Echo times (s) from the sidecars, or None where one of them has none."""
        if len(self.sidecars) == 1 and isinstance(self.sidecars[0].get("EchoTime"), list):
            said = [{"EchoTime": time} for time in self.sidecars[0]["EchoTime"]]
            paths = self.paths * len(said)
        else:
            said, paths = self.sidecars, self.paths
        found = []
        for sidecar, path in zip(said, paths, strict=True):
            time = None
            with faults:
                time = number(sidecar, "EchoTime", str(beside(path, ".json")))
            found.append(time)
        times = tuple(time for time in found if time is not None)
        return times if times and len(times) == (self.echoes or len(found)) else None

    def value(self, key: str) -> Any:
        """Return what the first sidecar that knows ``key`` says, or None."""
        return next((s[key] for s in self.sidecars if s.get(key) is not None), None)

    def volume(self, unit: str) -> Volume | None:
        """All echoes as one volume of shape (X, Y, Z, E), or None where a file cannot be read.

        The single files are let go, so that they are not kept twice.
        """
        read = [file.volume for file in self.files if file is not None]
        if len(read) != len(self.files) or any(v.grid != read[0].grid for v in read[1:]):
            return None
        if len(read) > 1 and any(v.data.ndim == 4 for v in read):
            return None
        first = read[0]
        data = first.data if first.data.ndim == 4 else np.stack([v.data for v in read], axis=3)
        return Volume(data, first.grid, unit, self.where)


def read_component(paths: Sequence[Path], role: str, faults: Faults) -> Component:
    """Read the files of one component; what is wrong with each of them is collected."""
    files: list[NiftiFile | None] = []
    sidecars: list[dict[str, Any]] = []
    for path in paths:
        file, sidecar = None, {}
        with faults:
            read = read_nifti(path)
            finite(read.volume)
            file = read
        with faults:
            sidecar = read_sidecar(path)
        files.append(file)
        sidecars.append(sidecar)
    notes = [note for file in files if file is not None for note in file.notes]
    component = Component(role, tuple(paths), files, sidecars, tuple(notes))
    _check_grids(component, faults)
    return component


def count_echoes(files: CaseFiles) -> int:
    """Return the number of echoes without reading any data; 1 where it cannot be told."""
    paths = files.magnitude or files.phase or files.real
    if len(paths) != 1:
        return max(1, len(paths))
    try:
        shape = read_shape(paths[0])
    except InputError:
        return 1
    return shape[3] if len(shape) == 4 else 1


def _check_grids(component: Component, faults: Faults) -> None:
    read = [file.volume for file in component.files if file is not None]
    for volume in read[1:]:
        problem = read[0].grid.difference(volume.grid)
        if problem:
            faults.add(
                InputError(
                    volume.source,
                    f"differs from the first {component.role} image: {problem}.",
                    "Give the echoes of one acquisition.",
                )
            )
    several = next((v for v in read if v.data.ndim == 4), None)
    if several is not None and len(component.files) > 1:
        faults.add(
            InputError(
                several.source,
                f"expected {component.role} as one file for each echo or one file with all "
                "echoes, found both.",
                "Give either.",
            )
        )
    elif several is not None and several.data.shape[3] > MOST_ECHOES:
        faults.add(
            InputError(
                several.source,
                f"holds {several.data.shape[3]} images, more than any gradient echo has.",
                "Give the echoes of one acquisition, not a series over time.",
            )
        )
