"""Results in files that are committed: the docs and the program read their numbers from these."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import chains
from napari_qsm_stroke import __version__
from napari_qsm_stroke.core.measured_bias import FILE
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.io.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]
ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "docs" / "measured"
BIAS = ROOT / "src" / "napari_qsm_stroke" / "core" / FILE
LABELS = ("kind", "field", "background", "inversion")
DIGITS = 4
POINT_DIGITS = 2


def write(
    name: str, command: str, facts: Row, rows: Iterable[Row], folder: Path = MEASURED
) -> Path:
    """Write rows with the command that made them, one row a line.

    Parameters
    ----------
    name : str
        Of the file, without suffix.
    command : str
        As typed.
    facts : dict
        What else the numbers depend on.
    rows : iterable of dict
        Plain values.
    folder : path
        Made where it is not there.
    """
    head = {**header(command), **facts}
    lines = [f"  {json.dumps(k)}: {json.dumps(rounded(v))}," for k, v in head.items()]
    body = ",\n".join("    " + json.dumps(rounded(row)) for row in rows)
    text = "{\n" + "\n".join(lines) + '\n  "rows": [\n' + body + "\n  ]\n}\n"
    return write_text(folder / f"{name}.json", text)


def header(command: str) -> Row:
    """What every file says of itself."""
    return {
        "command": command,
        "version": __version__,
        "date": datetime.now(UTC).date().isoformat(),
        "processors": os.cpu_count(),
    }


def rounded(value: Any) -> Any:
    """Return plain values with floats to four digits."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def over_heads(rows: Iterable[Row]) -> list[Row]:
    """Mean of each measure over the heads, and each head's error of the change of the core."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(k, "") for k in LABELS), []).append(row)
    means = []
    for members in groups.values():
        first = members[0]
        labels = {k: first[k] for k in LABELS if k in first}
        measures = [k for k in first if k not in (*LABELS, "seed")]
        mean: Row = {k: _mean([m.get(k) for m in members]) for k in measures}
        if "change_error" in first:
            points = [m["change_error"] for m in members]
            mean |= {"change_worst": max(points, key=abs), "points": points}
        means.append({**labels, "heads": len(members), **mean})
    return means


def write_bias(command: str, facts: Row, rows: Iterable[Row], path: Path = BIAS) -> Path:
    """Write the bias of the recipe, and of each method that took the place of one of its own."""
    usual = chains.usual()
    own = {*usual.path, usual.background, usual.inversion}
    table: dict[str, Row] = {}
    for row in over_heads(row for row in rows if row["kind"] == "composed"):
        names = [*row["field"].split(" + "), row["background"], row["inversion"]]
        others = [name for name in names if name and name not in own]
        points = [round(p, POINT_DIGITS) for p in row["points"]]
        if len(others) <= 1:
            for name in others or names:
                table[name] = {"revision": get_method(name).revision, "points": points}
    lines = [
        f"  {json.dumps(k)}: {json.dumps(v)}," for k, v in {**header(command), **facts}.items()
    ]
    body = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(table.items()))
    text = "{\n" + "\n".join(lines) + '\n  "methods": {\n' + body + "\n  }\n}\n"
    return write_text(path, text)


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None
