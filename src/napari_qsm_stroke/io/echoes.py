"""The echoes of one component of a gradient echo: files of one grid and their sidecars."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import not_finite, read_shape, unpack
from napari_qsm_stroke.io.sidecar import beside, number, read_sidecar
from napari_qsm_stroke.io.stored import fill

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.io.faults import Faults, Note
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.io.nifti import NiftiFile, UnpackedFile

MOST_ECHOES = 64
"""No gradient echo has more; a fourth axis that is longer is time, not echoes."""
READERS = 2
"""Files that are unpacked at the same time."""


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
    whole: NDArray[np.float32] | None = None
    """The images of all files side by side, shape (X, Y, Z, E), where they have one shape."""

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

    def echo_images(self) -> NDArray[np.float32] | None:
        """All echoes as one array of shape (X, Y, Z, E), or None where a file cannot be read.

        It is what the volumes of the files look at: what is written into it changes them.
        """
        read = [file.volume for file in self.files if file is not None]
        if len(read) != len(self.files) or any(v.grid != read[0].grid for v in read[1:]):
            return None
        return self.whole


def read_component(paths: Sequence[Path], role: str, faults: Faults) -> Component:
    """Read the files of one component; what is wrong with each of them is collected."""
    with ThreadPoolExecutor(READERS) as pool:
        reading = [pool.submit(unpack, path) for path in paths]
    unpacked: list[UnpackedFile | None] = []
    sidecars: list[dict[str, Any]] = []
    for path, one in zip(paths, reading, strict=True):
        file, sidecar = None, {}
        with faults:
            file = one.result()
        with faults:
            sidecar = read_sidecar(path)
        unpacked.append(file)
        sidecars.append(sidecar)
    files, whole = _side_by_side(unpacked, faults)
    notes = [note for file in files if file is not None for note in file.notes]
    component = Component(role, tuple(paths), files, sidecars, tuple(notes), whole)
    _check_grids(component, faults)
    return component


def _side_by_side(
    unpacked: Sequence[UnpackedFile | None], faults: Faults
) -> tuple[list[NiftiFile | None], NDArray[np.float32] | None]:
    """Images as float32 that are finite, and the one array that they lie in if they fit.

    Until then the stored values of all files are held beside it: filled together, each part of
    the array is fetched once.
    """
    stored = [file.stored for file in unpacked if file is not None]
    whole: NDArray[np.float32] | None
    shapes = {image.values.shape for image in stored}
    shape = next(iter(shapes), ())
    if len(shapes) == 1 and len(shape) == 3:
        whole = np.empty((*shape, len(stored)), np.float32)
        images = list(np.moveaxis(whole, 3, 0))
        bad = fill(stored, whole)
    else:
        images = [np.empty(image.values.shape, np.float32) for image in stored]
        whole = images[0] if len(images) == 1 else None
        bad = [fill([image], own)[0] for image, own in zip(stored, images, strict=True)]
    filled = iter(zip(images, bad, strict=True))
    files: list[NiftiFile | None] = []
    for file in unpacked:
        kept = None
        if file is not None:
            data, count = next(filled)
            with faults:
                if count:
                    raise not_finite(str(file.path), count, data.size)
                kept = file.holding(data)
        files.append(kept)
    return files, whole


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
