"""The sign of the phase: which scanners store it the other way round, and what was done.

In this program a positive field has a positive phase. Siemens and Philips store it so. GE stores it
with the other sign: against the scanner's own field map the phase difference of a GE MR450 has a
slope of -1.000, and of Philips scans a positive one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_qsm_stroke.io.sidecar import PHASE_SIGN_CORRECTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PhaseSign = Literal["auto", "keep", "negate"]
PHASE_SIGNS: tuple[PhaseSign, ...] = ("auto", "keep", "negate")


@dataclass(frozen=True)
class Sign:
    """What the stored phase is multiplied by, and why."""

    factor: Literal[1, -1]
    words: str
    note: str = ""
    """What the user should look at; empty where nothing was changed."""


def sign_of(choice: PhaseSign, maker: str, sidecars: Iterable[Mapping[str, Any]]) -> Sign:
    """Decide on the sign of the phase.

    Parameters
    ----------
    choice : {"auto", "keep", "negate"}
        What the user wants; ``"auto"`` goes by the maker of the scanner.
    maker : str
        ``Manufacturer`` of the sidecars, or empty.
    sidecars : iterable of mapping
        One that says that the sign was corrected on import is believed.
    """
    if choice == "keep":
        return Sign(1, "as stored, said by the user")
    if choice == "negate":
        return Sign(-1, "negated, said by the user")
    if any(sidecar.get(PHASE_SIGN_CORRECTED) is True for sidecar in sidecars):
        return Sign(1, "as stored, its sidecar says that it was corrected on import")
    if is_ge(maker):
        return Sign(
            -1,
            "negated, as GE scanners store it with the other sign",
            "GE scanner: the phase was negated, as GE stores it with the other sign; check that "
            "veins are bright.",
        )
    return Sign(1, f"as stored, right for {maker}" if maker else "as stored, maker not known")


def is_ge(maker: str) -> bool:
    """Tell whether a scanner is one of General Electric."""
    name = maker.strip().upper()
    return name == "GE" or name.startswith(("GE ", "GE_", "GE-", "GENERAL ELECTRIC", "GEMS"))
