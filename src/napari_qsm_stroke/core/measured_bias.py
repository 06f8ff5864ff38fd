"""How far off a method lets the change of the infarct core come out: measured, not claimed.

The benchmark writes ``measured_bias.json``: for each method, the recipe for several echoes with
that method in place of its own, on simulated patients of seeds kept for testing, from wrapped
phase. The change is that of the median vein susceptibility of the core against the contralateral
territory, with the true masks; its error is what was found less the truth, in percentage points.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT_POINTS = 3.0
"""A method is recommended where the mean error over the patients is no larger."""
LIMIT_OF_ONE = 10.0
"""And that of any one of them no larger than this."""
FILE = "measured_bias.json"


@dataclass(frozen=True)
class Bias:
    """Errors of the change of the core, one for each simulated patient.

    Parameters
    ----------
    points : tuple of float
        Found less true, in percentage points.
    revision : int
        Of the method that was measured.
    """

    points: tuple[float, ...]
    revision: int = 1

    @property
    def mean(self) -> float:
        """Mean over the patients: what a study of many of them would be off by."""
        return sum(self.points) / len(self.points)

    @property
    def small(self) -> bool:
        """Whether it is within the limits: that of the mean, and that of each patient."""
        worst = max(abs(p) for p in self.points)
        return abs(self.mean) <= LIMIT_POINTS and worst <= LIMIT_OF_ONE

    def words(self) -> str:
        """The bias for people: mean and range."""
        low, high = min(self.points), max(self.points)
        return (
            f"change of the core off by {self.mean:+.1f} points "
            f"({low:+.1f} to {high:+.1f} in {len(self.points)} simulated patients)"
        )


@cache
def measured() -> Mapping[str, Bias]:
    """Return the measured bias of each method by its name."""
    source = files("napari_qsm_stroke.core") / FILE
    table = json.loads(source.read_text("utf-8"))["methods"]
    return {name: Bias(tuple(row["points"]), row["revision"]) for name, row in table.items()}
