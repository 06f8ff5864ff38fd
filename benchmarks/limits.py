"""What the benchmarks must reach. Every limit stands here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BASE = (256, 256, 128)
LARGE = (384, 448, 160)
GROWTH = 1.3
"""Of a recipe's pairs from the base to the large shape, each against the pair of its own shape."""


@dataclass(frozen=True)
class Limit:
    """Bounds of one measure of one row of results."""

    kind: str
    name: str
    measure: str
    least: float | None = None
    most: float | None = None

    def words(self) -> str:
        """The bounds for people."""
        low = "" if self.least is None else f">= {self.least:g}"
        high = "" if self.most is None else f"<= {self.most:g}"
        return ", ".join(text for text in (low, high) if text)

    def holds(self, value: float) -> bool:
        """Whether a value lies within; NaN does not."""
        below = self.least is not None and not value >= self.least
        above = self.most is not None and not value <= self.most
        return not below and not above


SPEED = (
    Limit("method", "vsharp, 1 to 12 mm", "pairs", most=8),
    Limit("method", "lbv", "pairs", most=12),
    Limit("method", "resharp", "pairs", most=60),
    Limit("method", "ismv", "pairs", most=60),
    Limit("method", "pdf", "pairs_per_iteration", most=4),
    Limit("method", "romeo, one echo", "pairs", most=12),
    Limit("method", "tubes, four scales", "pairs", most=10),
    Limit("method", "tkd", "pairs", most=4),
    Limit("method", "tikhonov", "pairs", most=4),
    Limit("method", "tv", "pairs_per_iteration", most=4),
    Limit("method", "medi", "pairs", most=600),
    Limit("recipe", "multi-echo", "pairs", most=400),
    Limit("recipe", "multi-echo", "volumes", most=12),
    Limit("recipe", "single-echo", "pairs", most=250),
    Limit("recipe", "single-echo", "volumes", most=10),
    Limit("recipe", "preview", "pairs", most=40),
)
"""At the base shape."""

ACCURACY = (
    Limit("matched inversion", "inversion", "nrmse", most=18),
    Limit("isolated inversion", "inversion", "nrmse", most=33),
    Limit("isolated inversion", "inversion", "vein_slope", least=0.90),
    Limit("isolated inversion", "inversion", "nuclei_slope", 0.95, 1.05),
    Limit("composed background", "background", "nrmse", most=33),
    Limit("composed background", "background", "nrmse_to_the_edge", most=42),
    Limit("composed", "inversion", "nrmse", most=45),
    Limit("composed", "inversion", "vein_slope", least=0.80),
    Limit("composed", "inversion", "change_error", -3, 3),
    Limit("field", "field", "off_by_a_turn_percent", most=0.01),
)
"""Of the mean over the test heads, for the methods of the recipe for several echoes."""

MASKS = (
    Limit("multi-echo", "veins", "dice", least=0.75),
    Limit("multi-echo", "veins", "centre_line_dice", least=0.85),
    Limit("single-echo", "veins", "dice", least=0.65),
    Limit("single-echo", "veins", "centre_line_dice", least=0.75),
    *(Limit(mode, "veins", "blood_error", most=10) for mode in ("multi-echo", "single-echo")),
    *(Limit(mode, "veins", "blood_covered", least=0.9) for mode in ("multi-echo", "single-echo")),
    *(
        Limit(mode, "veins", "detection_difference", -10, 10)
        for mode in ("multi-echo", "single-echo")
    ),
)
"""Of the mean over the patients of a mode."""
EACH = (
    Limit("", "infarct", "infarct_dice", least=0.85),
    Limit("", "infarct", "infarct_volume_error", -10, 10),
    Limit("", "infarct", "side_right", least=1),
    Limit("", "territories", "wrong_side_mm", most=3.0),
)
"""Of the worst patient of a mode."""
MEAN_ERROR, WORST_ERROR = 3.0, 10.0
"""Of the change in percentage points, over the patients of one mode and effect, and of each."""

ALIGNMENT = (
    Limit("displaced", "", "error_mm", most=1.0),
    Limit("displaced", "", "flagged", most=0),
    Limit("failure", "", "flagged", least=1),
    Limit("infarct", "", "dice", least=0.85),
    Limit("infarct", "", "volume_error_percent", -10, 10),
    Limit("infarct", "", "side_right", least=1),
    Limit("territories", "atlas", "dice_least", least=0.85),
    Limit("territories", "built-in", "dice_least", least=0.80),
    Limit("territories", "built-in", "wrong_side_mm", most=3.0),
    Limit("real brain", "", "dice", least=0.95),
)
"""Of the worst row of each kind; True counts as 1."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """A value against its limit; None where it was not measured."""

    what: str
    value: float | None
    limit: str
    good: bool

    def line(self) -> str:
        """The verdict for people."""
        value = "not measured" if self.value is None else f"{self.value:.2f}"
        mark = "-" if self.value is None else "pass" if self.good else "FAIL"
        return f"{mark:<5}{self.what:<52}{value:>14}  {self.limit}"


def of_speed(rows: Iterable[Row]) -> list[Verdict]:
    """Times and memory against their limits, and the growth of the recipes."""
    known = {(r["kind"], r["name"], tuple(r["shape"])): r for r in rows}
    found = [
        _verdict(limit, f"{limit.name}: {limit.measure}", known.get((limit.kind, limit.name, BASE)))
        for limit in SPEED
    ]
    for (kind, name, shape), row in known.items():
        small = known.get((kind, name, BASE))
        if kind == "recipe" and shape == LARGE and small is not None:
            growth = {"growth": row["pairs"] / small["pairs"]}
            limit = Limit(kind, name, "growth", most=GROWTH)
            found.append(_verdict(limit, f"{name}: growth to the large shape", growth))
    return found


def of_accuracy(rows: Iterable[Row], usual: Mapping[str, str]) -> list[Verdict]:
    """Means over the heads against their limits.

    Parameters
    ----------
    rows : iterable of dict
        One for each head and way.
    usual : mapping of str to str
        The recipe's ``field``, ``background`` and ``inversion``.
    """
    rows = list(rows)
    found = []
    for limit in ACCURACY:
        chosen = [
            row
            for row in rows
            if row["kind"] == limit.kind and all(row.get(k, v) == v for k, v in usual.items())
        ]
        values = [row[limit.measure] for row in chosen if row.get(limit.measure) is not None]
        mean = {limit.measure: sum(values) / len(values)} if values else None
        found.append(_verdict(limit, f"{limit.kind}: {limit.measure}", mean))
    return found


def of_masks(rows: Iterable[Row]) -> list[Verdict]:
    """Veins of each mode against their limits, and the change of each mode and effect."""
    rows = list(rows)
    found = []
    for limit in MASKS:
        values = [row[limit.measure] for row in rows if row["mode"] == limit.kind]
        mean = {limit.measure: sum(values) / len(values)} if values else None
        found.append(_verdict(limit, f"{limit.kind}: {limit.measure}", mean))
    for mode, limit in product(sorted({row["mode"] for row in rows}), EACH):
        worst = _worst(limit, [row[limit.measure] for row in rows if row["mode"] == mode])
        found.append(_verdict(limit, f"{mode}: worst {limit.measure}", worst))
    groups: dict[tuple[str, float, bool], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["mode"], row["core_ratio"], row["haemorrhage"]), []).append(row)
    for (mode, ratio, bled), members in groups.items():
        what = f"{mode}, ratio {ratio:g}{', bled' if bled else ''}"
        for name in ("ipsilateral", "contralateral"):
            errors = [m[f"error_{name}"] for m in members if m[f"error_{name}"] is not None]
            lost = {"lost": float(len(members) - len(errors))}
            without = f"{what}: {name} change, patients without"
            found.append(_verdict(Limit(mode, name, "lost", most=0), without, lost))
            if errors:
                mean = {"mean": sum(errors) / len(errors), "worst": max(errors, key=abs)}
                for measure, most in (("mean", MEAN_ERROR), ("worst", WORST_ERROR)):
                    limit = Limit(mode, name, measure, -most, most)
                    found.append(_verdict(limit, f"{what}: {name} change, {measure} error", mean))
    return found


def of_alignment(rows: Iterable[Row]) -> list[Verdict]:
    """The worst row of each kind against its limit; what is flagged counts as 1."""
    rows = list(rows)
    found = []
    for limit in ALIGNMENT:
        values = [
            float(row[limit.measure])
            for row in rows
            if limit.kind == row["kind"] and limit.name == row.get("map", "")
        ]
        worst = _worst(limit, values)
        what = f"{limit.kind} {limit.name}".strip()
        found.append(_verdict(limit, f"{what}: worst {limit.measure} of {len(values)}", worst))
    return found


def _worst(limit: Limit, values: list[float]) -> Row | None:
    """The value that is most likely beyond a limit; None where there is none."""
    if not values:
        return None
    if limit.least is None:
        return {limit.measure: max(values)}
    return {limit.measure: min(values) if limit.most is None else max(values, key=abs)}


def _verdict(limit: Limit, what: str, row: Mapping[str, Any] | None) -> Verdict:
    value = None if row is None else row.get(limit.measure)
    return Verdict(what, value, limit.words(), value is not None and limit.holds(value))
