"""How far a computed map can be trusted, said by the method that made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Quality:
    """Figures of a result, and what to check before it is used.

    Parameters
    ----------
    figures : mapping of str to float
        By name with the unit at its end, e.g. ``disagreement_mm``.
    doubt : str
        What is wrong, in words; empty where nothing is known to be wrong.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    doubt: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"figures": dict(self.figures), "doubt": self.doubt}
