"""Magnitude and phase of all echoes from files: stacked, checked against each other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.nifti import finite, read_nifti, read_shape
from napari_qsm_stroke.io.phase import to_radians
from napari_qsm_stroke.io.sidecar import number, read_sidecar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_qsm_stroke.io.files import CaseFiles


@dataclass(frozen=True)
class Series:
    """The echoes of one component and what their sidecars say."""

    volume: Volume
    sidecars: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]

    @property
    def echoes(self) -> int:
        """Number of echoes."""
        return int(self.volume.data.shape[3])

    def echo_times(self) -> tuple[float, ...] | None:
        """Echo times (s) from the sidecars, or None where one of them has none."""
        where = self.volume.source
        if len(self.sidecars) == 1 and isinstance(self.sidecars[0].get("EchoTime"), list):
            listed = self.sidecars[0]["EchoTime"]
            found = [number({"EchoTime": t}, "EchoTime", where) for t in listed]
        else:
            found = [number(s, "EchoTime", where) for s in self.sidecars]
        times = tuple(t for t in found if t is not None)
        return times if len(times) == self.echoes else None

    def value(self, key: str) -> Any:
        """Return what the first sidecar that knows ``key`` says, or None."""
        return next((s[key] for s in self.sidecars if s.get(key) is not None), None)


def read_gradient_echo(files: CaseFiles) -> tuple[Series, Series]:
    """Read magnitude and phase (rad), both of shape (X, Y, Z, E) on one grid.

    Raises
    ------
    MissingError
        One of the two is not given.
    InputError
        Shapes, affines or numbers of echoes differ, there are NaN, a file holds what another one
        holds, or the unit of the phase is unknown.
    """
    if not files.phase:
        raise MissingError(
            "Phase", "none given.", "Export phase images from the scanner; QSM needs them."
        )
    if not files.magnitude:
        raise MissingError("Magnitude", "none given.", "Give the magnitude of each echo.")
    magnitude = _series(files.magnitude, "magnitude", "a.u.")
    phase = _series(files.phase, "phase", "rad")
    _same_shape(magnitude, phase)
    if magnitude.volume.data.min() < 0 or magnitude.volume.data.max() <= 0:
        raise InputError(
            magnitude.volume.source,
            "a magnitude is never negative and not zero everywhere; this one is.",
            "Check whether magnitude and phase are swapped.",
        )
    _no_copies(magnitude, phase)
    radians, note = to_radians(
        phase.volume.data,
        magnitude.volume.data,
        str(phase.value("Units") or ""),
        phase.volume.source,
    )
    warnings = (*phase.warnings, note) if note else phase.warnings
    volume = phase.volume.with_data(radians)
    return magnitude, Series(volume, phase.sidecars, warnings)


def count_echoes(files: CaseFiles) -> int:
    """Return the number of echoes without reading any data; 1 where it cannot be told."""
    paths = files.magnitude or files.phase
    if len(paths) != 1:
        return max(1, len(paths))
    try:
        shape = read_shape(paths[0])
    except InputError:
        return 1
    return shape[3] if len(shape) == 4 else 1


def _series(paths: Sequence[Path], role: str, unit: str) -> Series:
    read = [read_nifti(path, unit) for path in paths]
    volumes = [finite(file.volume) for file in read]
    for volume in volumes[1:]:
        problem = volumes[0].grid.difference(volume.grid)
        if problem:
            raise InputError(
                volume.source,
                f"differs from the first {role} image: {problem}.",
                "Give the echoes of one acquisition.",
            )
    if len(volumes) > 1 and any(v.data.ndim == 4 for v in volumes):
        raise InputError(
            volumes[0].source,
            f"expected {role} as one file for each echo or one file with all echoes, found both.",
            "Give either.",
        )
    first = volumes[0]
    data = first.data if first.data.ndim == 4 else np.stack([v.data for v in volumes], axis=3)
    source = ", ".join(path.name for path in paths)
    return Series(
        Volume(data, first.grid, unit, source),
        tuple(read_sidecar(path) for path in paths),
        tuple(w for file in read for w in file.warnings),
    )


def _same_shape(magnitude: Series, phase: Series) -> None:
    problem = magnitude.volume.grid.difference(phase.volume.grid)
    if problem:
        raise InputError(
            phase.volume.source,
            f"the phase does not lie where the magnitude does: {problem}.",
            "Give both of one acquisition.",
        )
    if magnitude.echoes != phase.echoes:
        raise InputError(
            phase.volume.source,
            f"{phase.echoes} phase images for {magnitude.echoes} magnitude images.",
            "Give both for each echo.",
        )
    said, also = magnitude.echo_times(), phase.echo_times()
    if said and also and not np.allclose(said, also, rtol=0.01):
        raise InputError(
            phase.volume.source,
            f"the sidecars give the magnitude echo times {list(said)} s, the phase {list(also)} s.",
            "Give both in the same order of echoes.",
        )


def _no_copies(magnitude: Series, phase: Series) -> None:
    """Refuse the same image under two names."""
    images = [
        (f"{role} {echo + 1}", series.volume.data[..., echo])
        for role, series in (("magnitude", magnitude), ("phase", phase))
        for echo in range(series.echoes)
    ]
    for (one, first), (two, second) in itertools.combinations(images, 2):
        few = (slice(None, None, 5),) * 3
        if np.array_equal(first[few], second[few]) and np.array_equal(first, second):
            raise InputError(
                f"{magnitude.volume.source}, {phase.volume.source}",
                f"{one} and {two} hold the same values.",
                "Give each image its own file.",
            )
