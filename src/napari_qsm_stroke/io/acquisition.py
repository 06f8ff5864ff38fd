"""Echo times, field strength and field direction: from the sidecars or as the user typed them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.case.acquisition import Acquisition
from napari_qsm_stroke.case.grid import stored_to_canonical
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.faults import Faults, Note
from napari_qsm_stroke.io.unusual import unusual

if TYPE_CHECKING:
    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.io.gradient_echo import GradientEcho

PER_ECHO = "Give one in seconds for each echo."
IN_MILLISECONDS = 0.5
"""An echo time (s) of a sidecar above this is in milliseconds."""
LEVEL = "Nothing to repair; read the numbers with it in mind."


def acquisition_of(
    files: CaseFiles, echo: GradientEcho, notes: list[Note], faults: Faults
) -> Acquisition | None:
    """Put together how the gradient echo was acquired, and where each value came from.

    Parameters
    ----------
    files : CaseFiles
        What the user typed goes before what the sidecars say.
    echo : GradientEcho
        What was read.
    notes : list of Note
        What is odd about all files; what is unusual about the acquisition is added.
    faults : Faults
        Collects what is missing or cannot be right.

    Returns
    -------
    Acquisition or None
        None where something is missing or wrong.
    """
    times = _echo_times(files, echo, notes, faults)
    strength = _field_strength(files, echo, faults)
    grid = echo.first.grid or echo.second.grid
    direction = None
    with faults:
        direction = _direction(files, grid)
    if not times or strength is None or grid is None:
        return None
    origins = {
        "echo_times": "header" if files.echo_times is None else "user",
        "field_strength": "header" if files.field_strength is None else "user",
        "b0_direction": "derived" if direction is None else "user",
    }
    where = echo.first.where
    with faults:
        checked = Acquisition(times, strength, origins)
        if echo.sign.note:
            notes.append(Note(where, echo.sign.note, "Say so if it is wrong (phase sign)."))
        odd = unusual(grid, checked.echo_times, checked.field_strength)
        notes += [Note(where, what, LEVEL) for what in odd]
        return Acquisition(
            times,
            strength,
            origins,
            tuple(dict.fromkeys(_warning(note, echo) for note in notes)),
            direction,
            echo.phase_unit,
            echo.sign.words,
        )
    return None


def _warning(note: Note, echo: GradientEcho) -> str:
    """Say a note, with its file where it is not about the gradient echo as a whole."""
    if note.where in (echo.first.where, echo.second.where):
        return note.what
    return f"{Path(note.where).name}: {note}"


def _echo_times(
    files: CaseFiles, echo: GradientEcho, notes: list[Note], faults: Faults
) -> tuple[float, ...] | None:
    said = echo.echo_times(faults)
    times = files.echo_times if files.echo_times is not None else said
    if not times:
        faults.add(_no_times(echo))
        return None
    if echo.echoes and len(times) != echo.echoes:
        what = f"{len(times)} given for {echo.echoes} echoes."
        faults.add(InputError("Echo times", what, PER_ECHO))
        return None
    if files.echo_times is not None and said and len(said) == len(times):
        if not np.allclose(times, said, rtol=0.01):
            what = f"Echo times given differ from those of the sidecars ({list(said)} s)."
            notes.append(Note(echo.first.where, what))
    elif said and min(said) > IN_MILLISECONDS:
        shown = ", ".join(f"{t:g}" for t in said)
        what = f"the sidecars give echo times of {shown} s, longer than any gradient echo."
        remedy = "Write EchoTime in seconds, not milliseconds."
        faults.add(InputError(echo.first.where, what, remedy))
        return None
    return tuple(times)


def _no_times(echo: GradientEcho) -> InputError:
    """Say which sidecars have no echo time, where others have."""
    for part in (echo.first, echo.second):
        known = [sidecar.get("EchoTime") is not None for sidecar in part.sidecars]
        if any(known) and not all(known):
            where = str(part.paths[known.index(False)])
            what = "its sidecar gives no EchoTime, those of other echoes do."
            return MissingError(where, what, "Write it in seconds into the sidecar (.json).")
    what = "none given, and the sidecars have none."
    return MissingError("Echo times", what, PER_ECHO)


def _field_strength(files: CaseFiles, echo: GradientEcho, faults: Faults) -> float | None:
    strength = files.field_strength
    if strength is None:
        strength = echo.value("MagneticFieldStrength")
    if strength is None or isinstance(strength, bool) or not isinstance(strength, (int, float)):
        what = "not given, and the sidecars have none."
        if strength is not None:
            what = f"the sidecars say {strength!r}, expected a number in tesla."
        faults.add(MissingError("Field strength", what, "Give it in tesla, e.g. 3."))
        return None
    return float(strength)


def _direction(files: CaseFiles, grid: Grid | None) -> tuple[float, float, float] | None:
    """Field direction that the user typed, along the canonical axes, or None."""
    if files.b0_direction is None or grid is None:
        return None
    typed = np.array(files.b0_direction, dtype=float)
    length = float(np.linalg.norm(typed)) if typed.shape == (3,) else 0.0
    if not np.isfinite(typed).all() or not 0.5 < length < 2:
        raise InputError(
            "B0 direction",
            f"expected a unit vector along the voxel axes, found {list(files.b0_direction)}.",
            "Give three numbers, e.g. 0 0 1 for an axial slab.",
        )
    x, y, z = (stored_to_canonical(grid.stored_as) @ typed / length).tolist()
    return (x, y, z)
