"""Segments, their blood and the change at matched calibre against veins made for it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.measure.vein_graph import matched_change, vein_graph

SHAPE = (48, 44, 40)
SIZE = (1.0, 1.0, 1.0)


def vein(radius: float, along: tuple[float, float, float], middle: float = 0.5) -> np.ndarray:
    """Part of each voxel within a straight vein, at 4 points along each axis."""
    direction = np.array(along) / np.linalg.norm(along)
    share = np.zeros(SHAPE)
    steps = (np.arange(4) + 0.5) / 4 - 0.5
    index = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), -1)
    for shift in np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3):
        offset = index + shift - middle * np.array(SHAPE)
        share += (offset**2).sum(-1) - (offset @ direction) ** 2 <= radius**2
    return share / 64


def traced(
    share: np.ndarray, blood: float = 0.35, tissue: float = -0.02, sd: float = 0.005, **more: object
):
    noise = np.random.default_rng(2).normal(0, sd, SHAPE)
    chi = (tissue + (blood - tissue) * share + noise).astype(np.float32)
    mask = (share > 0.25).astype(np.uint8)
    options = {"voxel_size": SIZE, "b0_dir": (0.0, 0.0, 1.0), **more}
    return vein_graph(chi, mask, np.ones(SHAPE, bool), **options)


@pytest.mark.parametrize("radius", [0.9, 1.4])
def test_blood_and_radius_come_out_free_of_partial_volume(radius: float) -> None:
    share = vein(radius, (0.5, 0.6, 0.7))
    graph = traced(share)
    middle = slice(1, -1)
    assert graph.valid[middle].all()
    assert graph.blood[middle] == pytest.approx(0.35, rel=0.1)
    assert graph.radius[middle] == pytest.approx(radius, rel=0.1)
    assert np.median(0.37 * share[share > 0.25] - 0.02) < 0.31
    assert (np.abs(graph.blood - 0.35) < 1.645 * graph.blood_sd)[middle].all()


def test_intervals_hold_the_truth() -> None:
    hits: list[bool] = []
    for seed in range(5):
        direction = np.random.default_rng(seed).normal(size=3)
        graph = traced(vein(0.9 + 0.15 * seed, tuple(direction)))
        hits += list((np.abs(graph.blood - 0.35) < 1.645 * graph.blood_sd)[graph.valid])
    assert np.mean(hits) > 0.85


def test_a_thin_vein_is_not_in_the_valid_range() -> None:
    assert not traced(vein(0.45, (0.5, 0.6, 0.7))).valid.any()


def test_a_wide_vein_that_says_it_is_unsure_is_not_in_the_valid_range() -> None:
    graph = traced(vein(0.9, (0.5, 0.6, 0.7)), sd=0.035, segment_length=4.0)
    unsure = (graph.radius > 0.75) & (graph.blood_sd > 0.2 * graph.blood)
    assert unsure.any()
    assert graph.valid.any()
    assert not graph.valid[unsure].any()


@pytest.mark.parametrize(("along", "degrees"), [((0, 0, 1), 0), ((1, 0, 1), 45), ((0, 1, 0), 90)])
def test_angle_to_the_main_field(along: tuple[float, float, float], degrees: float) -> None:
    graph = traced(vein(1.2, along))
    assert np.average(graph.angle, weights=graph.length) == pytest.approx(degrees, abs=9)
    turned = traced(vein(1.2, along), b0_dir=(0.0, 1.0, 0.0))
    other = {0: 90, 45: 90, 90: 0}[int(degrees)]
    assert np.average(turned.angle, weights=turned.length) == pytest.approx(other, abs=9)


def test_segments_are_no_longer_than_asked_and_add_up() -> None:
    graph = traced(vein(1.2, (0, 0, 1)), segment_length=8.0)
    assert graph.length.sum() == pytest.approx(SHAPE[2] - 1, abs=2)
    assert graph.length.max() < 9.5
    assert len(np.unique(graph.branch)) == 1
    assert len(graph.length) == 5


def test_no_veins_give_no_segments() -> None:
    graph = traced(np.zeros(SHAPE))
    assert len(graph.length) == len(graph.blood) == 0


def test_thinner_veins_alone_are_no_change_at_matched_calibre() -> None:
    rng = np.random.default_rng(5)
    radii, thin = rng.uniform(0.5, 1.5, 4000), rng.uniform(0.5, 1.0, 1500)

    def values(radius: np.ndarray, blood: float) -> np.ndarray:
        return blood * np.minimum(radius, 1) + rng.normal(0, 0.01, len(radius))

    same = values(thin, 0.35), values(radii, 0.35)
    plain = 100 * (np.median(same[0]) / np.median(same[1]) - 1)
    assert plain < -15
    assert matched_change(same[0], thin, same[1], radii) == pytest.approx(0, abs=3)
    low = matched_change(values(thin, 0.21), thin, same[1], radii)
    assert low == pytest.approx(-40, abs=3)
    assert matched_change(values(radii, 0.35), radii, same[0], thin) is None
    unknown = np.full(1500, np.nan)
    assert matched_change(same[0], unknown, same[1], radii) is None
