"""Oxygenation, segments, intervals and rows against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.measure.bootstrap import clustered_median_interval
from napari_qsm_stroke.core.measure.oxygenation import oxygen_extraction_fraction
from napari_qsm_stroke.core.measure.segments import vein_segments
from napari_qsm_stroke.core.measure.table import (
    Counting,
    RegionRow,
    VeinValues,
    vein_row,
    with_percentages,
)
from napari_qsm_stroke.errors import InputError


@pytest.mark.parametrize(
    ("haematocrit", "oef", "difference"),
    [
        (0.40, 0.255, 0.346),
        (0.40, 0.293, 0.398),
        (0.42, 0.255, 0.363),
        (0.42, 0.293, 0.418),
        (0.42, 0.350, 0.499),
        (0.42, 0.400, 0.570),
        (0.45, 0.255, 0.389),
        (0.45, 0.400, 0.611),
    ],
)
def test_oxygen_extraction_in_si_units(haematocrit: float, oef: float, difference: float) -> None:
    """4 pi x 0.27 ppm per unit of haematocrit; 0.27 alone would be 12.6 times off."""
    found = oxygen_extraction_fraction(difference, haematocrit=haematocrit, arterial_saturation=1.0)
    assert found == pytest.approx(oef, abs=5e-4)


def test_oxygen_extraction_knows_arterial_saturation_and_partial_volume() -> None:
    half = oxygen_extraction_fraction(
        0.2, haematocrit=0.42, arterial_saturation=1, partial_volume=0.5
    )
    assert half == pytest.approx(
        oxygen_extraction_fraction(0.4, haematocrit=0.42, arterial_saturation=1)
    )
    assert oxygen_extraction_fraction(0.0285, haematocrit=0.42) == pytest.approx(0, abs=1e-3)
    with pytest.raises(InputError, match="Haematocrit: expected above 0"):
        oxygen_extraction_fraction(0.3, haematocrit=42)


def tube(length: int, axis: int = 0) -> np.ndarray:
    voxels = np.zeros((length, 3), dtype=int)
    voxels[:, axis] = np.arange(length)
    return voxels


def test_a_straight_vein_is_cut_every_ten_millimetres() -> None:
    found = vein_segments(tube(44), voxel_size=(1, 1, 1))
    assert np.bincount(found).tolist() == [11, 11, 11, 11]


def test_segments_are_cut_in_mm_not_voxels() -> None:
    found = vein_segments(tube(44, axis=2), voxel_size=(1, 1, 2))
    assert np.bincount(found).tolist() == [6] * 7 + [2]


def test_touching_by_a_corner_is_connected_and_a_gap_is_not() -> None:
    diagonal = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    assert len(set(vein_segments(diagonal, voxel_size=(1, 1, 1)))) == 1
    gap = np.array([[0, 0, 0], [2, 0, 0]])
    assert len(set(vein_segments(gap, voxel_size=(1, 1, 1)))) == 2
    assert vein_segments(np.zeros((0, 3), int), voxel_size=(1, 1, 1)).shape == (0,)


def test_every_segment_is_connected_and_short() -> None:
    rng = np.random.default_rng(3)
    voxels = np.argwhere(rng.random((30, 30, 30)) < 0.12)
    found = vein_segments(voxels, voxel_size=(1, 1, 1.5), segment_length=6)
    for segment in range(found.max() + 1):
        members = voxels[found == segment]
        reach = np.linalg.norm((members - members[0]) * (1, 1, 1.5), axis=1)
        assert reach.max() <= 6
        todo, seen = [members[0]], {tuple(members[0])}
        while todo:
            point = todo.pop()
            for other in members[np.abs(members - point).max(axis=1) <= 1]:
                if tuple(other) not in seen:
                    seen.add(tuple(other))
                    todo.append(other)
        assert len(seen) == len(members)


def test_interval_agrees_with_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(30), rng.integers(2, 12, 30))
    values = rng.normal(size=30)[clusters] + 0.3 * rng.normal(size=len(clusters))
    medians = [
        np.median(np.concatenate([values[clusters == c] for c in rng.integers(0, 30, 30)]))
        for _ in range(4000)
    ]
    found = clustered_median_interval(values, clusters, samples=4000, seed=1)
    assert found is not None
    assert np.allclose(found, np.quantile(medians, [0.025, 0.975]), atol=0.08)


def test_interval_is_wider_for_clustered_values() -> None:
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(25), 40)
    values = rng.normal(size=25)[clusters] + 0.1 * rng.normal(size=1000)
    together = clustered_median_interval(values, clusters)
    alone = clustered_median_interval(values, np.arange(1000))
    assert together is not None
    assert alone is not None
    assert np.ptp(together) > 2 * np.ptp(alone)


def test_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for repeat in range(120):
        clusters = np.repeat(np.arange(40), 20)
        values = rng.normal(size=40)[clusters] + 0.5 * rng.normal(size=800)
        found = clustered_median_interval(values, clusters, samples=300, seed=repeat)
        assert found is not None
        hits += found[0] <= 0 <= found[1]
    assert 0.87 <= hits / 120 <= 1


def test_too_few_clusters_make_no_interval() -> None:
    assert clustered_median_interval(np.arange(8.0), np.arange(8) // 2) is None
    assert clustered_median_interval(np.zeros(0), np.zeros(0, int)) is None


def row(region: str, values: list[float] | np.ndarray, **options: float) -> RegionRow:
    chi = np.asarray(values, dtype=np.float32)
    veins = VeinValues(chi, np.arange(len(chi), dtype=np.int32))
    blank = RegionRow("01", None, region, "left", reference="whole brain")
    counting = Counting(voxel_volume_ml=0.001, min_voxels=int(options.get("min_voxels", 5)))
    return vein_row(blank, 1000, veins, counting)


def test_row_statistics_are_numpys() -> None:
    values = np.random.default_rng(0).normal(0.2, 0.05, 501)
    found = row("infarct_core", values)
    assert found.volume_ml == 1.0
    assert found.vein_volume_ml == pytest.approx(0.501)
    assert found.chi_median_ppm == pytest.approx(np.median(values), rel=1e-6)
    assert found.chi_q1_ppm == pytest.approx(np.quantile(values, 0.25), rel=1e-6)
    assert found.chi_p90_ppm == pytest.approx(np.quantile(values, 0.9), rel=1e-6)
    assert found.chi_sd_ppm == pytest.approx(values.std(ddof=1), rel=1e-5)
    assert found.qc == "ok"


def rows_of(core: float, ipsilateral: float, contralateral: float) -> dict[str, RegionRow]:
    wanted = {
        "infarct_core": core,
        "ipsilateral_mca": ipsilateral,
        "contralateral_mca": contralateral,
    }
    return {name: row(name, [value] * 30) for name, value in wanted.items()}


def test_percentages_are_differences_of_medians() -> None:
    core, ipsilateral, contralateral = with_percentages(rows_of(0.062, 0.105, 0.100))
    assert core.percent_vs_contralateral == pytest.approx(-38)
    assert core.percent_vs_ipsilateral == pytest.approx(-41, abs=0.1)
    assert ipsilateral.percent_vs_ipsilateral == pytest.approx(0)
    assert contralateral.percent_vs_ipsilateral == pytest.approx(-4.76, abs=0.01)


@pytest.mark.parametrize("reference", [0.0, -0.02])
def test_no_percentage_against_a_median_that_is_not_positive(reference: float) -> None:
    core, *_ = with_percentages(rows_of(0.062, 0.105, reference))
    assert core.percent_vs_contralateral is None
    assert core.percent_vs_ipsilateral is not None
    assert core.qc == "no percentage against contralateral: its median is not above zero"


def test_a_row_without_veins_is_not_zero() -> None:
    found = row("infarct_core", [])
    assert found.n_vein_voxels == 0
    assert found.chi_median_ppm is None
    assert found.qc == "not measured: 0 vein voxels, at least 5 are needed"
    assert found.as_dict()["oef_median"] is None


def test_oxygen_extraction_below_arterial_blood_is_not_reported() -> None:
    found = row("infarct_core", [-0.05] * 30)
    assert found.chi_median_ppm == pytest.approx(-0.05)
    assert found.oef_median is None
    assert "no oxygen extraction" in found.qc
