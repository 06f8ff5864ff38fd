"""Magnitude and phase of a gradient echo from files: checked against each other, phase in rad."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.complex_parts import to_polar
from napari_qsm_stroke.io.echoes import Component, read_component
from napari_qsm_stroke.io.faults import Faults, Note
from napari_qsm_stroke.io.phase import check_units, to_radians
from napari_qsm_stroke.io.phase_sign import Sign, sign_of

if TYPE_CHECKING:
    from napari_qsm_stroke.io.files import CaseFiles


@dataclass(frozen=True)
class GradientEcho:
    """What of a gradient echo can be read; volumes are None where something is wrong.

    ``first`` and ``second`` are magnitude and phase as stored, or real and imaginary part.
    """

    first: Component
    second: Component
    magnitude: Volume | None
    phase: Volume | None
    phase_unit: str
    sign: Sign
    notes: tuple[Note, ...]

    @property
    def echoes(self) -> int:
        """Number of echoes, 0 where it is not known."""
        return self.first.echoes or self.second.echoes

    def value(self, key: str) -> Any:
        """Return what the first sidecar that knows ``key`` says, or None."""
        found = self.first.value(key)
        return self.second.value(key) if found is None else found

    def echo_times(self, faults: Faults) -> tuple[float, ...] | None:
        """Echo times (s) from the sidecars, or None."""
        return self.first.echo_times(faults) or self.second.echo_times(faults)


def read_gradient_echo(files: CaseFiles, faults: Faults) -> GradientEcho | None:
    """Read magnitude and phase (rad), both of shape (X, Y, Z, E) on one grid.

    Parameters
    ----------
    files : CaseFiles
        Of one examination.
    faults : Faults
        Collects that a part is not given, that shapes, affines or numbers of echoes differ, that
        there are NaN, that a file holds what another one holds, or that the unit of the phase is
        unknown.

    Returns
    -------
    GradientEcho or None
        None where one of the two parts is not given.
    """
    cartesian = bool(files.real or files.imaginary)
    names = ("real", "imaginary") if cartesian else ("magnitude", "phase")
    given = [bool(getattr(files, name)) for name in names]
    if not all(given):
        faults.add(_missing(names, given))
    parts = [read_component(getattr(files, name), name, faults) for name in names]
    if not all(given):
        return None
    first, second = parts
    _agree(first, second, faults)
    said = str(first.value("Manufacturer") or second.value("Manufacturer") or "")
    sign = sign_of(files.phase_sign, said, (*second.sidecars, *first.sidecars))
    volumes = first.volume("a.u."), second.volume("a.u.")
    if all(v is not None for v in volumes):
        _no_copies(first, second, volumes, faults)
    if cartesian:
        magnitude, phase, unit, notes = _from_parts(first, second, volumes, faults)
    else:
        magnitude, phase, unit, notes = _from_polar(first, second, volumes, said, faults)
    if phase is not None and sign.factor < 0:
        phase = phase.with_data(-phase.data)
    odd = (*first.notes, *second.notes, *notes)
    return GradientEcho(first, second, magnitude, phase, unit, sign, odd)


Found = tuple[Volume | None, Volume | None, str, tuple[Note, ...]]


def _from_polar(
    first: Component,
    second: Component,
    volumes: tuple[Volume | None, Volume | None],
    maker: str,
    faults: Faults,
) -> Found:
    """Magnitude as it is, phase in rad."""
    magnitude, phase = volumes
    _check_magnitude(first, faults)
    units = ""
    with faults:
        units = check_units(second.sidecars, second.paths)
    if phase is None:
        return magnitude, None, "", ()
    weights = magnitude.data if magnitude and magnitude.data.shape == phase.data.shape else None
    with faults:
        found = to_radians(phase.data, weights, units, phase.source, second.scaling, maker)
        notes = (Note(phase.source, found.note),) if found.note else ()
        volume = Volume(found.radians, phase.grid, "rad", phase.source)
        return magnitude, volume, found.unit, notes
    return magnitude, None, "", ()


def _from_parts(
    first: Component,
    second: Component,
    volumes: tuple[Volume | None, Volume | None],
    faults: Faults,
) -> Found:
    """Magnitude and phase from the real and the imaginary part."""
    real, imaginary = volumes
    if real is None or imaginary is None or real.data.shape != imaginary.data.shape:
        return None, None, "", ()
    with faults:
        magnitude, phase, said = to_polar(real.data, imaginary.data, first.where)
        source = f"{first.where}, {second.where}"
        notes = (Note(first.where, said),) if said else ()
        return (
            Volume(magnitude, real.grid, "a.u.", source),
            Volume(phase, real.grid, "rad", source),
            "the real and imaginary part of the signal",
            notes,
        )
    return None, None, "", ()


def _missing(names: tuple[str, str], given: list[bool]) -> MissingError:
    if "phase" in names and not given[1]:
        return MissingError(
            "Phase", "none given.", "Export phase images from the scanner; QSM needs them."
        )
    lacking = names[given.index(False)]
    remedy = f"Give the {lacking} image of each echo."
    return MissingError(lacking.capitalize(), "none given.", remedy)


def _check_magnitude(magnitude: Component, faults: Faults) -> None:
    """Refuse a magnitude below zero, or zero everywhere."""
    for file in magnitude.files:
        if file is None or not np.isfinite(file.volume.data).all():
            continue
        if file.volume.data.min() < 0 or file.volume.data.max() <= 0:
            faults.add(
                InputError(
                    file.volume.source,
                    "a magnitude is never negative and not zero everywhere; this one is.",
                    "Check whether magnitude and phase are swapped.",
                )
            )


def _agree(first: Component, second: Component, faults: Faults) -> None:
    """Collect where two components do not belong together."""
    here, there = first.grid, second.grid
    problem = here.difference(there) if here and there else None
    if problem:
        faults.add(
            InputError(
                second.where,
                f"the {second.role} does not lie where the {first.role} does: {problem}.",
                "Give both of one acquisition.",
            )
        )
    if first.echoes and second.echoes and first.echoes != second.echoes:
        faults.add(
            InputError(
                second.where,
                f"{second.echoes} {second.role} images for {first.echoes} {first.role} images.",
                "Give both for each echo.",
            )
        )
    said, also = first.echo_times(faults), second.echo_times(faults)
    if said and also and len(said) == len(also) and not np.allclose(said, also, rtol=0.01):
        faults.add(
            InputError(
                second.where,
                f"the sidecars give the {first.role} echo times {list(said)} s, the "
                f"{second.role} {list(also)} s.",
                "Give both in the same order of echoes.",
            )
        )


def _no_copies(
    first: Component,
    second: Component,
    volumes: tuple[Volume | None, Volume | None],
    faults: Faults,
) -> None:
    """Refuse the same image under two names."""
    images = [
        (f"{part.role} {echo + 1}", volume.data[..., echo])
        for part, volume in zip((first, second), volumes, strict=True)
        if volume is not None
        for echo in range(volume.data.shape[3])
    ]
    few = (slice(None, None, 5),) * 3
    for (one, a), (two, b) in itertools.combinations(images, 2):
        same = np.array_equal(a[few], b[few]) and np.array_equal(a, b)
        if same:
            faults.add(
                InputError(
                    f"{first.where}, {second.where}",
                    f"{one} and {two} hold the same values.",
                    "Give each image its own file.",
                )
            )
