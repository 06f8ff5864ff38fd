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
    from numpy.typing import NDArray

    from napari_qsm_stroke.io.files import CaseFiles

    FloatArray = NDArray[np.float32]


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
    images = first.echo_images(), second.echo_images()
    _no_copies(first, second, images, faults)
    make = _from_parts if cartesian else _from_polar
    magnitude, phase, unit, notes = make(first, second, images, said, sign.factor, faults)
    odd = (*first.notes, *second.notes, *notes)
    return GradientEcho(first, second, magnitude, phase, unit, sign, odd)


Images = tuple["FloatArray | None", "FloatArray | None"]
Found = tuple[Volume | None, Volume | None, str, tuple[Note, ...]]


def _from_polar(
    first: Component,
    second: Component,
    images: Images,
    maker: str,
    sign: int,
    faults: Faults,
) -> Found:
    """Magnitude as it is, phase in rad and with its sign, in the place of what was stored."""
    sizes, stored = images
    magnitude = None
    if sizes is not None and first.grid is not None:
        magnitude = Volume(sizes, first.grid, "a.u.", first.where)
    _check_magnitude(first, faults)
    units = ""
    with faults:
        units = check_units(second.sidecars, second.paths)
    if stored is None or second.grid is None:
        return magnitude, None, "", ()
    weights = sizes if sizes is not None and sizes.shape == stored.shape else None
    with faults:
        found = to_radians(
            stored, weights, units, second.where, second.scaling, maker, in_place=True
        )
        if sign < 0:
            np.negative(found.radians, out=found.radians)
        notes = (Note(second.where, found.note),) if found.note else ()
        volume = Volume(found.radians, second.grid, "rad", second.where)
        return magnitude, volume, found.unit, notes
    return magnitude, None, "", ()


def _from_parts(
    first: Component,
    second: Component,
    images: Images,
    _maker: str,
    sign: int,
    faults: Faults,
) -> Found:
    """Magnitude and phase from the real and the imaginary part."""
    real, imaginary = images
    if real is None or imaginary is None or real.shape != imaginary.shape or first.grid is None:
        return None, None, "", ()
    with faults:
        magnitude, phase, said = to_polar(real, imaginary, first.where)
        if sign < 0:
            np.negative(phase, out=phase)
        source = f"{first.where}, {second.where}"
        notes = (Note(first.where, said),) if said else ()
        return (
            Volume(magnitude, first.grid, "a.u.", source),
            Volume(phase, first.grid, "rad", source),
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
    whole = magnitude.echo_images()
    # of all echoes at once: each by itself lies scattered in memory
    never_negative = whole is not None and bool(whole.min() >= 0)
    for file in magnitude.files:
        if file is None or (never_negative and _has_signal(file.volume.data)):
            continue
        data = file.volume.data
        if np.isfinite(data).all() and (data.min() < 0 or data.max() <= 0):
            faults.add(
                InputError(
                    file.volume.source,
                    "a magnitude is never negative and not zero everywhere; this one is.",
                    "Check whether magnitude and phase are swapped.",
                )
            )


def _has_signal(data: NDArray[np.float32]) -> bool:
    """Whether a value is above zero, in the middle or else anywhere."""
    return bool(data[data.shape[0] // 2].max() > 0 or data.max() > 0)


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


def _no_copies(first: Component, second: Component, images: Images, faults: Faults) -> None:
    """Refuse the same image under two names, where all can be read."""
    if images[0] is None or images[1] is None:
        return
    every = (slice(None, None, 5),) * 3
    named = [
        (f"{part.role} {echo + 1}", whole[..., echo], whole[(*every, echo)].copy())
        for part, whole in ((first, images[0]), (second, images[1]))
        for echo in range(whole.shape[3])
    ]
    for (one, a, few), (two, b, other) in itertools.combinations(named, 2):
        if np.array_equal(few, other) and np.array_equal(a, b):
            faults.add(
                InputError(
                    f"{first.where}, {second.where}",
                    f"{one} and {two} hold the same values.",
                    "Give each image its own file.",
                )
            )
