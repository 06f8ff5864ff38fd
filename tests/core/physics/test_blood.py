"""Susceptibility of blood in SI units, calibres and regional oxygenation."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.physics.blood import (
    draw_radii,
    region_ratios,
    susceptibility_of_blood,
    vein_extraction,
    weighted_median,
)
from napari_qsm_stroke.core.physics.tubes import Tubes


@pytest.mark.parametrize(
    ("haematocrit", "extraction", "ppm"),
    [(0.42, 0.255, 0.363), (0.40, 0.293, 0.398), (0.45, 0.35, 0.534), (0.42, 0.65, 0.926)],
)
def test_blood_in_si_units(haematocrit: float, extraction: float, ppm: float) -> None:
    # 4 pi 0.27 ppm; forgetting the 4 pi gives 0.029 ppm for the first
    assert susceptibility_of_blood(extraction, haematocrit) == pytest.approx(ppm, abs=6e-4)


def test_ratios_of_the_study_and_of_no_effect() -> None:
    elsewhere, core, ipsilateral, contralateral = region_ratios(0.62)
    assert (elsewhere, contralateral) == (1, 1)
    assert core == pytest.approx(0.62)
    assert core / ipsilateral == pytest.approx(0.59)
    np.testing.assert_array_equal(region_ratios(1.0), 1.0)
    half = region_ratios(0.81)
    assert half[2] - 1 == pytest.approx((ipsilateral - 1) / 2)


def test_every_region_gets_the_same_calibres() -> None:
    rng = np.random.default_rng(0)
    length = np.zeros((260, 4))
    region = np.repeat([1, 2, 3, 0], [20, 100, 100, 40])
    length[np.arange(260), region] = rng.uniform(10, 45, 260)
    length[:10, 2] = 12.0
    radii = draw_radii(rng, length, (0.4, 1.6))
    assert 0.4 < radii.min() < 0.45
    assert 1.3 < radii.max() < 1.6
    for weights in length.T[1:]:
        for share in (0.25, 0.5, 0.75):
            order = np.argsort(radii)
            total = np.cumsum(weights[order]) / weights.sum()
            here = radii[order][np.searchsorted(total, share)]
            assert here == pytest.approx(np.quantile(radii, share), abs=0.1)


def test_a_vein_changes_where_it_enters_the_core() -> None:
    count = 40
    corners = np.linspace(0, 30, count + 1)[:, None] * (1.0, 0, 0)
    tubes = Tubes(corners[:-1], corners[1:], np.ones(count), np.zeros(count, dtype=np.int64))
    region = np.repeat([2, 1], count // 2)
    found = vein_extraction(np.random.default_rng(1), tubes, region, 0.62)
    core, outside = (weighted_median(found[region == r], tubes.volume[region == r]) for r in (1, 2))
    assert core / outside == pytest.approx(0.59, abs=1e-6)
    assert found[count // 2] / found[count // 2 - 1] < 0.75
