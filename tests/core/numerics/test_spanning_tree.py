"""Unwrapping along a minimum spanning tree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import minimum_spanning_tree

from napari_qsm_stroke.core.numerics import spanning_tree
from napari_qsm_stroke.core.numerics.spanning_tree import (
    MaskGraph,
    edge_weights,
    unwrap,
    voxel_quality,
)

TURN = 2 * np.pi


def wrap(phase: np.ndarray) -> np.ndarray:
    return np.angle(np.exp(1j * phase)).astype(np.float32)


def unwrap_one(
    graph: MaskGraph, phase: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    unwrapped, part = unwrap(graph, phase[None], weights[None])
    return unwrapped[0], part


def ramps(shape: tuple[int, int, int]) -> np.ndarray:
    x, y, z = np.indices(shape)
    return (0.9 * x - 0.7 * y + 0.02 * z**2).astype(np.float32)


@pytest.fixture
def graph() -> MaskGraph:
    mask = np.random.default_rng(4).random((9, 8, 7)) < 0.8
    return MaskGraph.of(mask)


def test_neighbours_are_the_next_voxels_of_the_mask(graph: MaskGraph) -> None:
    places = np.argwhere(graph.mask)
    number = {tuple(place): n for n, place in enumerate(places)}
    for n, place in enumerate(places):
        for axis in range(3):
            following = place.copy()
            following[axis] += 1
            assert graph.neighbours[n, axis] == number.get(tuple(following), -1)


@pytest.mark.parametrize("noise", [0.1, 1.5])
def test_runs_joined_side_by_side_give_what_one_run_gives(
    monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    rng = np.random.default_rng(3)
    graph = MaskGraph.of(rng.random((24, 20, 16)) < 0.9)
    phase = graph.pick(wrap(ramps(graph.mask.shape) + noise * rng.normal(size=graph.mask.shape)))
    weights = edge_weights(graph, phase, np.ones_like(phase))
    several = unwrap_one(graph, phase, weights)
    monkeypatch.setattr(spanning_tree, "BLOCKS", 1)
    one = unwrap_one(graph, phase, weights)
    for a, b in zip(several, one, strict=True):
        np.testing.assert_array_equal(a, b)


def test_tree_has_the_least_total_cost(graph: MaskGraph) -> None:
    rng = np.random.default_rng(6)
    phase = rng.uniform(-np.pi, np.pi, len(graph.neighbours)).astype(np.float32)
    weights = edge_weights(graph, phase, rng.uniform(0.5, 1, phase.size).astype(np.float32))
    unwrapped, part = unwrap_one(graph, phase, weights)
    a, axis = np.nonzero(weights)
    b = graph.neighbours[a, axis]
    cost = weights[a, axis].astype(float)
    size = (phase.size, phase.size)
    best = minimum_spanning_tree(sparse.csr_array((cost, (a, b)), shape=size)).sum()
    # a step of at most half a turn marks the edges that the tree may hold
    smooth = np.abs(unwrapped[a] - unwrapped[b]) <= np.pi + 1e-4
    kept = sparse.csr_array((cost[smooth], (a[smooth], b[smooth])), shape=size)
    tree = minimum_spanning_tree(kept)
    assert tree.sum() == pytest.approx(best)
    assert tree.nnz == phase.size - len(np.unique(part))


def test_a_smooth_phase_is_found_again_up_to_whole_turns() -> None:
    truth = ramps((12, 11, 10))
    graph = MaskGraph.of(np.ones(truth.shape, bool))
    phase = graph.pick(wrap(truth))
    weights = edge_weights(graph, phase, np.ones_like(phase))
    unwrapped, part = unwrap_one(graph, phase, weights)
    difference = (unwrapped - graph.pick(truth)) / TURN
    assert len(np.unique(part)) == 1
    assert np.ptp(difference) < 1e-4
    assert abs(difference[0] - round(float(difference[0]))) < 1e-4


def test_parts_that_do_not_touch_are_told_apart() -> None:
    mask = np.ones((7, 5, 5), bool)
    mask[3] = False
    graph = MaskGraph.of(mask)
    phase = graph.pick(wrap(ramps(mask.shape)))
    _, part = unwrap_one(graph, phase, edge_weights(graph, phase, np.ones_like(phase)))
    labels = graph.spread(part + 1)
    assert len(np.unique(labels[:3])) == 1
    assert len(np.unique(labels[4:])) == 1
    assert labels[0, 0, 0] != labels[6, 0, 0]


def test_weights_are_those_of_romeo() -> None:
    graph = MaskGraph.of(np.ones((2, 1, 1), bool))
    phase = np.array([0.0, 0.5], np.float32)
    other = np.array([0.0, 1.1], np.float32)
    magnitude = np.array([1.0, 0.8], np.float32)
    weights = edge_weights(graph, phase, magnitude, other, 0.5)
    coherence = 0.1 + 0.9 * (1 - 0.5 / np.pi)
    gradient = 0.1 + 0.9 * (1 - abs(0.5 - 0.55))
    same = 0.1 + 0.9 * 0.8**2
    assert weights[0, 0] == round((1 - coherence * gradient * same) * 255)
    assert (weights[0, 1:] == 0).all()
    assert (weights[1] == 0).all()


def test_quality_falls_where_the_phase_is_noise() -> None:
    rng = np.random.default_rng(8)
    phase = np.zeros((10, 10, 10), np.float32)
    phase[:5] = rng.uniform(-np.pi, np.pi, (5, 10, 10))
    graph = MaskGraph.of(np.ones(phase.shape, bool))
    picked = graph.pick(phase)
    quality = graph.spread(voxel_quality(graph, edge_weights(graph, picked, np.ones_like(picked))))
    assert quality[7:].min() > 0.99
    assert quality[:4].mean() < 0.7
    assert quality.min() >= 0
    assert quality.max() <= 1


def test_echoes_side_by_side_are_as_one_by_one(graph: MaskGraph) -> None:
    rng = np.random.default_rng(7)
    phases = rng.uniform(-np.pi, np.pi, (5, len(graph.neighbours))).astype(np.float32)
    weights = np.stack([edge_weights(graph, p, np.ones_like(p)) for p in phases])
    together, _ = unwrap(graph, phases, weights)
    for echo in range(5):
        alone, _ = unwrap_one(graph, phases[echo], weights[echo])
        np.testing.assert_array_equal(together[echo], alone)
