"""Tables of what was measured hold the numbers of the files, and no others."""

from __future__ import annotations

import itertools
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import measured_tables
import pytest
from methods_table import methods_page

from napari_qsm_stroke import methods

DOCS = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w])")
MEASURES = {
    **dict.fromkeys(("nrmse", "detrended_nrmse", "hfen", "vein_slope", "vein_recovery"), 1.0),
    **dict.fromkeys(("nuclei_slope", "xsim", "change", "change_error", "change_worst"), 2.0),
}
WAY = {"field": "mcpc3ds + romeo", "background": "lbv", "inversion": "tv"}
LIMITS = [
    {"what": "lbv: pairs", "value": 9.0, "limit": "<= 12", "good": True},
    {"what": "tv: pairs", "value": 5.0, "limit": "<= 4", "good": False},
    {"what": "pdf: pairs", "value": None, "limit": "<= 4", "good": False},
]
SIDES = ("ipsilateral", "contralateral")
BLOOD = ("segments", "blood_error", "blood_bias", "blood_covered", "radius_error")
CHANGES = ("true_change", "change", "error", "worst", "of_map")
HEAD = {"command": "python -m benchmarks", "version": "0.0", "date": "2000-01-01"}
RECORDS: dict[str, Any] = {
    "accuracy": {
        **HEAD,
        "seeds": [1, 2],
        "voxel_size_mm": 1.0,
        "supersampling": 2,
        "usual": WAY,
        "limits": LIMITS,
        "rows": [
            {
                "kind": "field",
                "field": WAY["field"],
                "median_hz": 1.0,
                "p99_hz": 1.0,
                "off_by_a_turn_percent": 1.0,
                "brain_kept_percent": 1.0,
            },
            *(
                {"kind": kind, **WAY, "nrmse": 1.0, "nrmse_to_the_edge": 1.0, "slope": 1.0}
                for kind in ("isolated background", "composed background")
            ),
            {"kind": "isolated inversion", "inversion": "tv", **MEASURES},
            {"kind": "matched inversion", "inversion": "tv", "nrmse": 3.0},
            {"kind": "isolated streaks", "inversion": "tv", "streaks": 3.0},
            {"kind": "composed", **WAY, **MEASURES},
            {"kind": "composed", **WAY, **MEASURES, "inversion": "tkd"},
            {"kind": "composed", **WAY, **MEASURES, "background": "tfi"},
            {"kind": "composed", **WAY, **MEASURES, "background": "tfi", "inversion": "tkd"},
            {"kind": "composed streaks", **WAY, "streaks": 3.0},
        ],
    },
    "masks": {
        **HEAD,
        "limits": LIMITS,
        "rows": [
            {
                "mode": "multi-echo",
                "core_ratio": 0.5,
                "haemorrhage": haemorrhage,
                "patients": 3,
                "dice": 1.0,
                "centre_line_dice": 1.0,
                "precision": 1.0,
                **dict.fromkeys(BLOOD, 1.0),
                **{f"{k}_{w}": 1.0 for k in ("voxels", "lines") for w in ("core", *SIDES)},
                **{f"{k}_{w}": 1.0 for k in CHANGES for w in SIDES},
            }
            for haemorrhage in (False, True)
        ],
    },
    "alignment": {**HEAD, "limits": LIMITS, "rows": []},
    "speed": {
        **HEAD,
        "limits": LIMITS,
        "rows": [
            {"kind": "method", "name": "tv", "shape": [2, 2, 2], "pairs": 1.0, "volumes": 1.0},
            {"kind": "method", "name": "tkd", "shape": [2, 2, 2], "failed": "why"},
            {"kind": "recipe", "name": "preview", "shape": [2, 2, 2], "pairs": 1.0},
        ],
    },
}


def renumbered(value: Any, count: Any) -> Any:
    """The same structure with a number of its own, far from any other, in each place."""
    if isinstance(value, dict):
        return {
            k: v if k in {"limit", "version", "date"} else renumbered(v, count)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [renumbered(v, count) for v in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return next(count)
    return value


def cells(text: str) -> list[str]:
    rows = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [cell for row in rows[1:] for cell in row.strip("|").split("|")]


def test_no_number_of_a_table_is_from_elsewhere() -> None:
    count = itertools.count(70_001, 7)
    records = renumbered(deepcopy(RECORDS), count)
    last = next(count)
    found = set()
    for name, text in measured_tables.fragments(records).items():
        for cell in cells(text):
            for token in NUMBER.findall(cell):
                value = float(token)
                if "<=" not in cell:
                    assert 70_001 <= value < last, f"{name}: {cell}"
                    found.add(value)
    assert len(found) > 60


@pytest.mark.parametrize(
    ("measure", "table"),
    [
        ("nrmse", "accuracy-matrix"),
        ("change_error", "accuracy-change"),
        ("change_error", "accuracy-composed"),
        ("vein_slope", "accuracy-inversion"),
    ],
)
def test_a_measure_stands_in_its_table(measure: str, table: str) -> None:
    records = deepcopy(RECORDS)
    for row in records["accuracy"]["rows"]:
        if measure in row:
            row[measure] = 123.0
    assert "123" in measured_tables.fragments(records)[table]
    assert "123" not in measured_tables.fragments(RECORDS)[table]


def test_what_was_not_measured_is_not_a_number() -> None:
    tables = measured_tables.fragments(RECORDS)
    assert "| tkd | n/a |" in tables["speed-methods"]
    assert "| pdf: pairs | n/a | <= 4 | n/a |" in tables["speed-limits"]
    assert "| tv: pairs | 5.00 | <= 4 | **no** |" in tables["speed-limits"]
    assert "Not measured yet" in measured_tables.fragments({})["masks-veins"]


def test_only_ways_with_one_step_exchanged_are_listed_singly() -> None:
    table = measured_tables.fragments(RECORDS)["accuracy-composed"]
    assert table.count("| lbv | tv |") == table.count("| lbv | tkd |") == 1
    assert table.count("| tfi | tv |") == 1
    assert "| tfi | tkd |" not in table


def test_pages_of_measured_tables_hold_no_numbers_of_their_own() -> None:
    for name in ("accuracy", "speed"):
        text = (DOCS / f"{name}.md").read_text("utf-8")
        included = re.findall(r"\{include\} generated/measured/(\S+)\.md", text)
        assert set(included) <= set(measured_tables.fragments(RECORDS))
        for cell in cells(text):
            assert not NUMBER.findall(re.sub(r"\(http\S+\)|doi:\S+", "", cell)), cell
    both = "".join((DOCS / f"{n}.md").read_text("utf-8") for n in ("accuracy", "speed"))
    for name in measured_tables.fragments(RECORDS):
        assert f"generated/measured/{name}.md" in both, f"{name} is in no page"


def test_methods_tell_what_they_take() -> None:
    page = methods_page(methods(), RECORDS["speed"])
    assert "| 1.0 pairs, 1.0 volumes |" in page
    assert page.count("pairs") == methods_page(methods(), None).count("pairs") + 1
    for entry in methods().values():
        if entry.bias is not None:
            assert f"{entry.bias.mean:+.1f} points" in page


def test_files_are_whole_and_say_how_they_were_made() -> None:
    records = measured_tables.read(DOCS / "measured")
    for name, record in records.items():
        assert record["command"].startswith("python -m benchmarks"), name
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["date"])
        assert record["version"]
        assert record["rows"]
