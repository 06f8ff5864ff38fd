"""How the gradient echo was acquired."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_qsm_stroke.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Acquisition:
    """Echo times, field strength and where each value came from.

    Parameters
    ----------
    echo_times : tuple of float
        In seconds, increasing.
    field_strength : float
        In tesla.
    origins : mapping of str to str
        Where a value came from: ``"header"``, ``"derived"`` or ``"user"``.
    warnings : tuple of str
        What is unusual about the data.
    b0_direction : tuple of float, optional
        Unit vector along the canonical voxel axes where the user said it; else that of the grid.
    phase_unit : str
        In which unit the phase was stored and how that was found, in words.
    phase_sign : str
        What was done about the sign of the phase and why, in words.

    Raises
    ------
    MissingError
        Echo times or field strength are not given.
    InputError
        They cannot be right.
    """

    echo_times: tuple[float, ...]
    field_strength: float
    origins: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    b0_direction: tuple[float, float, float] | None = None
    phase_unit: str = ""
    phase_sign: str = ""

    def __post_init__(self) -> None:
        times = tuple(float(t) for t in self.echo_times)
        object.__setattr__(self, "echo_times", times)
        object.__setattr__(self, "origins", MappingProxyType(dict(self.origins)))
        if not times:
            raise MissingError(
                "Echo times", "none given.", "Give one echo time in seconds for each echo."
            )
        in_order = all(a < b for a, b in itertools.pairwise(times))
        if not all(t > 0 for t in times) or not in_order:
            raise InputError(
                "Echo times",
                f"expected positive, increasing times in seconds, found {list(times)}.",
                "Give the echo times in the order of the echoes.",
            )
        if times[-1] > 0.2:
            raise InputError(
                "Echo times",
                f"{times[-1]:g} s is longer than any gradient echo of the brain.",
                "Give echo times in seconds, not milliseconds.",
            )
        strength = self.field_strength
        if strength is None or not strength == strength:
            raise MissingError("Field strength", "not given.", "Give it in tesla, e.g. 3.")
        if not 0.1 <= strength <= 25:
            raise InputError(
                "Field strength",
                f"expected 0.1 to 25 T, found {strength:g} T.",
                "Give the field strength in tesla, e.g. 3.",
            )


ORIGINS = {"header": "from the files", "derived": "from their orientation", "user": "typed in"}
"""Where a value came from, in words."""


def acquisition_lines(
    acquisition: Acquisition, b0_dir: tuple[float, float, float]
) -> tuple[str, ...]:
    """Say how a case was acquired, one value a line, each with where it came from.

    Parameters
    ----------
    acquisition : Acquisition
        Of the case.
    b0_dir : tuple of float
        Field direction along the voxel axes (right, front, top) that is used.
    """

    def origin(name: str) -> str:
        said = acquisition.origins.get(name, "")
        return f" ({ORIGINS.get(said, said)})" if said else ""

    times = ", ".join(f"{1000 * time:.4g}" for time in acquisition.echo_times)
    direction = ", ".join(f"{value + 0.0:.3f}" for value in b0_dir)
    lines = [
        f"Echo times {times} ms{origin('echo_times')}",
        f"Field strength {acquisition.field_strength:g} T{origin('field_strength')}",
        f"Main field along ({direction}) of right, front, top{origin('b0_direction')}",
    ]
    if acquisition.phase_unit:
        lines.append(f"Phase in {acquisition.phase_unit}")
    if acquisition.phase_sign:
        lines.append(f"Sign of the phase {acquisition.phase_sign}")
    return tuple(lines)
