"""Veins of a case segment by segment, and what they add to the table."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke import Case, Grid, Volume
from napari_qsm_stroke.case.acquisition import Acquisition
from napari_qsm_stroke.core.measure.table import COLUMNS
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.pipeline.veins import VEIN_COLUMNS, graph_of, vein_records, with_calibre

SHAPE = (72, 64, 48)
BLOOD = {"core": 0.21, "left": 0.35, "right": 0.35}


@pytest.fixture(scope="module")
def veined() -> Case:
    """Straight veins of 1.3 mm radius along the main field on both sides, a stroke on the left."""
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = (-36, -32, -10)
    i, j, _ = np.indices(SHAPE)
    brain = np.ones(SHAPE, bool)
    brain[:2] = brain[-2:] = False
    x = i - 36 + 0.5
    territories = np.where(brain, np.where(x < 0, 3, 4), 0).astype(np.uint8)
    infarct = brain & (x < -4) & (j < 30)
    share = np.zeros(SHAPE)
    shift = np.random.default_rng(3)
    for a in (-30, -23, -16, -9, 9, 16, 23, 30):
        for b in range(8, 60, 8):
            p, q = a + shift.uniform(-0.5, 0.5), b + shift.uniform(-0.5, 0.5)
            near = np.hypot(x - a, j - b) < 4
            for u, v in np.ndindex(8, 8):
                away = np.hypot(x[near] - p + (u - 3.5) / 8, j[near] - q + (v - 3.5) / 8)
                share[near] += (away <= 1.3) / 64
    blood = np.where(infarct, BLOOD["core"], np.where(x < 0, BLOOD["left"], BLOOD["right"]))
    noise = np.random.default_rng(1).normal(0, 0.004, SHAPE)
    chi = ((blood * share + noise) * brain).astype(np.float32)
    masks = {
        "brain": brain,
        "veins": (share > 0.25) & brain,
        "infarct": infarct,
        "territories": territories,
    }
    grid = Grid(SHAPE, affine)
    maps = {n: Volume(m.astype(np.uint8), grid, "") for n, m in masks.items()}
    maps["susceptibility"] = Volume(chi, grid, "ppm")
    return Case("sub-01", Acquisition((0.02,), 3.0), maps)


def test_segments_tell_where_they_lie_and_what_they_hold(veined: Case) -> None:
    table = measure(veined)
    graph = graph_of(veined, table.settings)
    assert graph is not None
    records = vein_records(veined, graph, table)
    assert list(records[0]) == list(VEIN_COLUMNS)
    assert len(records) > 50
    valid = [r for r in records if r["valid"]]
    assert len(valid) > 0.7 * len(records)
    for record in valid:
        assert record["territory"] == "MCA"
        assert record["side"] == ("left" if record["x_mm"] < 0 else "right")
        assert record["angle_to_b0_deg"] < 20
        expected = 0.21 if record["region"] == "infarct_core" else 0.35
        if record["region"] in ("infarct_core", "contralateral_mca"):
            assert record["chi_blood_ppm"] == pytest.approx(expected, rel=0.12)
    assert np.median([r["radius_mm"] for r in valid]) == pytest.approx(1.3, rel=0.1)


def test_the_table_gains_blood_and_the_change_at_matched_calibre(veined: Case) -> None:
    table = measure(veined)
    graph = graph_of(veined, table.settings)
    assert graph is not None
    assert table.row("infarct_core").chi_blood_median_ppm is None
    found = with_calibre(veined, graph, table)
    core, other = found.row("infarct_core"), found.row("contralateral_mca")
    assert list(found.records()[0]) == list(COLUMNS)
    assert core.chi_blood_median_ppm == pytest.approx(0.21, rel=0.06)
    assert other.chi_blood_median_ppm == pytest.approx(0.35, rel=0.06)
    assert core.chi_blood_ci_low_ppm is not None
    assert core.chi_blood_ci_low_ppm <= core.chi_blood_median_ppm
    change = 100 * (core.chi_blood_median_ppm / other.chi_blood_median_ppm - 1)
    assert change == pytest.approx(-40, abs=3)
    for side in ("ipsilateral", "contralateral"):  # all veins are as wide: nothing to be matched
        plain = getattr(core, f"percent_vs_{side}")
        assert getattr(core, f"percent_matched_vs_{side}") == pytest.approx(plain, abs=1)
    mirrored = found.row("mirrored_core")
    assert mirrored.chi_blood_median_ppm == pytest.approx(0.35, rel=0.06)
    assert core.chi_median_ppm == table.row("infarct_core").chi_median_ppm


def test_a_case_without_veins_has_no_graph(veined: Case) -> None:
    rest = {n: v for n, v in veined.maps.items() if n != "veins"}
    assert graph_of(Case("sub-01", veined.acquisition, rest), measure(veined).settings) is None
