"""Tables of accuracy, speed and memory, made from the files that the benchmark wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

Record = dict[str, Any]
Row = dict[str, Any]
FILES = ("accuracy", "masks", "alignment", "speed")
NOTHING = "n/a"
WHERE = ("core", "ipsilateral", "contralateral")
MAP_COLUMNS = (
    ("NRMSE %", "nrmse", ".1f"),
    ("Detrended %", "detrended_nrmse", ".1f"),
    ("Vein slope", "vein_slope", ".2f"),
    ("Veins recovered %", "vein_recovery", ".0f"),
    ("Nuclei slope", "nuclei_slope", ".2f"),
    ("HFEN %", "hfen", ".1f"),
    ("XSIM", "xsim", ".2f"),
    ("Core change, points", "change_error", "+.1f"),
    ("in the worst head", "change_worst", "+.1f"),
)
LOCAL_COLUMNS = (
    ("NRMSE %", "nrmse", ".1f"),
    ("to the edge %", "nrmse_to_the_edge", ".1f"),
    ("Slope", "slope", ".2f"),
)


def read(folder: Path) -> dict[str, Record]:
    """Return the records of a folder; a file that is not there is left out."""
    paths = {name: folder / f"{name}.json" for name in FILES}
    return {n: json.loads(p.read_text("utf-8")) for n, p in paths.items() if p.is_file()}


def fragments(records: dict[str, Record]) -> dict[str, str]:
    """Return every table in Markdown by its name; no number is from anywhere but the records."""
    makers: dict[str, tuple[str, Callable[[Record], str]]] = {
        "accuracy-how": ("accuracy", how),
        "accuracy-field": ("accuracy", field_table),
        "accuracy-background": ("accuracy", background_table),
        "accuracy-inversion": ("accuracy", inversion_table),
        "accuracy-composed": ("accuracy", composed_table),
        "accuracy-matrix": ("accuracy", matrix_table),
        "accuracy-change": ("accuracy", change_table),
        "accuracy-limits": ("accuracy", limits_table),
        "masks-how": ("masks", how),
        "masks-veins": ("masks", veins_table),
        "masks-change": ("masks", veins_change_table),
        "masks-blood": ("masks", veins_blood_table),
        "masks-limits": ("masks", limits_table),
        "alignment-how": ("alignment", how),
        "alignment-limits": ("alignment", limits_table),
        "speed-how": ("speed", how),
        "speed-methods": ("speed", speed_table),
        "speed-recipes": ("speed", recipes_table),
        "speed-limits": ("speed", limits_table),
    }
    return {
        name: make(records[source])
        if source in records
        else f"Not measured yet: `python -m benchmarks {source} --write`\n"
        for name, (source, make) in makers.items()
    }


def write(source: Path, target: Path) -> None:
    """Write every table of the records in ``source`` into ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    for name, text in fragments(read(source)).items():
        (target / f"{name}.md").write_text(text, "utf-8")


def how(record: Record) -> str:
    """What made the numbers."""
    parts = [f"Version {record['version']}, {record['date']}"]
    if "seeds" in record:
        seeds = ", ".join(str(seed) for seed in record["seeds"])
        size = f"{record['voxel_size_mm']:g}"
        parts.append(f"mean of the heads of seeds {seeds}, voxels of {size} mm")
    if "supersampling" in record:
        parts.append(f"fields simulated {record['supersampling']} times as fine along each axis")
    return f"{'; '.join(parts)}. Made by\n\n```\n{record['command']}\n```\n"


def field_table(record: Record) -> str:
    """Total field by each path."""
    columns = (
        ("Median error, Hz", "median_hz", ".3f"),
        ("99th percentile, Hz", "p99_hz", ".2f"),
        ("Voxels off by a turn, %", "off_by_a_turn_percent", ".4f"),
        ("Brain kept, %", "brain_kept_percent", ".1f"),
    )
    return _table(["Path"], columns, [([r["field"]], r) for r in _of(record, "field")])


def background_table(record: Record) -> str:
    """Local field, from the true total field with noise and from wrapped phase."""
    composed = {
        r["background"]: r
        for r in _of(record, "composed background")
        if r["field"] == record["usual"]["field"]
    }
    columns = (
        *LOCAL_COLUMNS,
        *((f"From phase: {title}", f"phase_{key}", form) for title, key, form in LOCAL_COLUMNS),
    )
    rows = []
    for row in _of(record, "isolated background"):
        other = composed.get(row["background"], {})
        rows.append(([row["background"]], row | {f"phase_{k}": v for k, v in other.items()}))
    return _table(["Method"], columns, rows)


def inversion_table(record: Record) -> str:
    """Susceptibility from the true local field with noise."""
    matched = {r["inversion"]: r["nrmse"] for r in _of(record, "matched inversion")}
    streaks = {r["inversion"]: r["streaks"] for r in _of(record, "isolated streaks")}
    columns = (
        *MAP_COLUMNS,
        ("Streaks %", "streaks", ".1f"),
        ("Matched grid: NRMSE %", "matched", ".1f"),
    )
    rows = []
    for row in _of(record, "isolated inversion"):
        name = row["inversion"]
        more = {"matched": matched.get(name), "streaks": streaks.get(name)}
        rows.append(([name], row | more))
    return _table(["Method"], columns, rows)


def composed_table(record: Record) -> str:
    """Susceptibility from wrapped phase: the recipe's steps with one exchanged."""
    usual = record["usual"]
    streaks = {r["inversion"]: r["streaks"] for r in _of(record, "composed streaks")}
    rows = []
    for row in _of(record, "composed"):
        differing = sum(row[k] not in ("", usual[k]) for k in usual)
        if differing > 1:
            continue
        same = row["field"] == usual["field"] and row["background"] == usual["background"]
        more = {"streaks": streaks.get(row["inversion"])} if same else {}
        rows.append(([row["field"], row["background"] or "-", row["inversion"]], row | more))
    columns = (*MAP_COLUMNS, ("Streaks %", "streaks", ".1f"))
    return _table(["Field", "Background", "Inversion"], columns, rows)


def matrix_table(record: Record) -> str:
    """NRMSE of each background with each inversion."""
    return _matrix(record, "nrmse", ".1f")


def change_table(record: Record) -> str:
    """Error of the core's change of each background with each inversion."""
    return _matrix(record, "change_error", "+.1f")


def veins_table(record: Record) -> str:
    """Vein masks against the truth."""
    columns = (
        ("Patients", "patients", ".0f"),
        ("Dice", "dice", ".3f"),
        ("Centre-line Dice", "centre_line_dice", ".3f"),
        ("Precision", "precision", ".2f"),
        *((f"Voxels found, {w}", f"voxels_{w}", ".2f") for w in WHERE),
        *((f"Centre lines found, {w}", f"lines_{w}", ".2f") for w in WHERE),
    )
    return _table(["Seen as"], columns, [([_patients(r)], r) for r in record["rows"]])


def veins_blood_table(record: Record) -> str:
    """Blood inside the veins against the truth."""
    columns = (
        ("Segments", "segments", ".0f"),
        ("Error of the blood %", "blood_error", ".1f"),
        ("Bias %", "blood_bias", "+.1f"),
        ("Intervals that hold the truth", "blood_covered", ".2f"),
        ("Error of the radius %", "radius_error", ".1f"),
    )
    return _table(["Seen as"], columns, [([_patients(r)], r) for r in record["rows"]])


def veins_change_table(record: Record) -> str:
    """Change of the core against the two references, and how far from the truth."""
    columns = tuple(
        (f"{title}, {name}", f"{key}_{name}", ".0f" if key == "without" else "+.1f")
        for name in WHERE[1:]
        for title, key in (
            ("True %", "true_change"),
            ("Found %", "change"),
            ("Error, points", "error"),
            ("in the worst", "worst"),
            ("of the map alone", "of_map"),
            ("Patients without", "without"),
        )
    )
    return _table(["Seen as"], columns, [([_patients(r)], r) for r in record["rows"]])


def _patients(row: Row) -> str:
    blood = ", with haemorrhage" if row["haemorrhage"] else ""
    return f"{row['mode']}, core over other side {row['core_ratio']:g}{blood}"


def speed_table(record: Record) -> str:
    """Time and memory of each method."""
    columns = (
        ("Pairs", "pairs", ".1f"),
        ("Pairs of processor time", "pairs_cpu", ".1f"),
        ("Iterations", "iterations", ".0f"),
        ("Pairs an iteration", "pairs_per_iteration", ".1f"),
        ("Volumes", "volumes", ".1f"),
    )
    rows = [([r["name"]], r) for r in record["rows"] if r["kind"] == "method"]
    return _table(["Method"], columns, rows)


def recipes_table(record: Record) -> str:
    """Time and memory of each recipe at each shape."""
    columns = (
        ("Pairs", "pairs", ".0f"),
        ("of which reading", "loading_pairs", ".0f"),
        ("Pairs of processor time", "pairs_cpu", ".0f"),
        ("Volumes", "volumes", ".1f"),
        ("One pair, s", "pair_seconds", ".3f"),
    )
    rows = [
        ([r["name"], " x ".join(str(n) for n in r["shape"])], r)
        for r in record["rows"]
        if r["kind"] == "recipe"
    ]
    return _table(["Recipe", "Shape"], columns, rows)


def limits_table(record: Record) -> str:
    """What was to be reached, and whether it is."""
    rows = []
    for verdict in record["limits"]:
        state = "yes" if verdict["good"] else NOTHING if verdict["value"] is None else "**no**"
        rows.append(([verdict["what"]], verdict | {"state": state}))
    lines = ["| What | Measured | Limit | Reached |", "|---|---|---|---|"]
    for (what,), verdict in rows:
        value = _number(verdict["value"], ".2f")
        lines.append(f"| {what} | {value} | {verdict['limit']} | {verdict['state']} |")
    return "\n".join(lines) + "\n"


def costs(record: Record | None, name: str) -> str:
    """Time and memory of one method in words; empty where they were not measured."""
    rows = [] if record is None else [r for r in record["rows"] if r["kind"] == "method"]
    for row in rows:
        if row["name"] == name and row.get("pairs") is not None:
            memory = row.get("volumes")
            more = "" if memory is None else f", {memory:.1f} volumes"
            return f"{row['pairs']:.1f} pairs{more}"
    return ""


def _matrix(record: Record, key: str, form: str) -> str:
    rows = [r for r in _of(record, "composed") if r["field"] == record["usual"]["field"]]
    backgrounds = list(dict.fromkeys(r["background"] for r in rows if r["background"]))
    values = {(r["inversion"], r["background"]): r for r in rows}
    names = list(dict.fromkeys(r["inversion"] for r in rows if r["background"]))
    lines = [f"| | {' | '.join(backgrounds)} |", "|---" * (len(backgrounds) + 1) + "|"]
    for name in names:
        cells = [_number(values.get((name, b), {}).get(key), form) for b in backgrounds]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _of(record: Record, kind: str) -> list[Row]:
    return [row for row in record["rows"] if row["kind"] == kind]


def _table(
    labels: Sequence[str],
    columns: Iterable[tuple[str, str, str]],
    rows: Iterable[tuple[Sequence[str], Row]],
) -> str:
    columns = tuple(columns)
    titles = [*labels, *(title for title, _, _ in columns)]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for names, row in rows:
        cells = [_number(row.get(key), form) for _, key, form in columns]
        lines.append(f"| {' | '.join([*names, *cells])} |")
    return "\n".join(lines) + "\n"


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)
