"""Edges of the magnitude."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.magnitude_edges import combined_magnitude, steps_that_cost
from napari_qsm_stroke.core.numerics.total_variation import costly_edges

INSIDE = np.zeros((12, 10, 8), bool)
INSIDE[1:11, 1:9, 1:7] = True


def test_steps_across_a_border_of_tissue_are_free() -> None:
    magnitude = np.where(np.arange(12)[:, None, None] < 6, 100, 60) * INSIDE
    edges = steps_that_cost(INSIDE, magnitude.astype(np.float32), 0.04, (1.0, 1.0, 1.0))
    freed = costly_edges(INSIDE) - edges
    assert (freed[5, 1:9, 1:7] == 1).all()
    freed[5] = 0
    assert not freed.any()


def test_the_fraction_is_kept_and_millimetres_count() -> None:
    rng = np.random.default_rng(75)
    magnitude = (rng.uniform(50, 100, INSIDE.shape) * INSIDE).astype(np.float32)

    def free(size: tuple[float, float, float]) -> np.ndarray:
        cost = costly_edges(INSIDE)
        changed = cost - steps_that_cost(INSIDE, magnitude, 0.3, size)
        counts = [((changed >> a) & 1).sum() for a in range(3)]
        total = sum(int(((cost >> a) & 1).sum()) for a in range(3))
        assert sum(counts) == pytest.approx(0.3 * total, rel=0.02)
        return np.array(counts)

    assert free((1.0, 1.0, 4.0))[2] < 0.3 * free((1.0, 1.0, 1.0))[2]


def test_without_edges_every_step_in_the_mask_costs() -> None:
    flat = INSIDE.astype(np.float32)
    for magnitude in (None, flat):
        np.testing.assert_array_equal(
            steps_that_cost(INSIDE, magnitude, 0.3, (1.0, 1.0, 1.0)), costly_edges(INSIDE)
        )


def test_echoes_are_combined_in_the_mask() -> None:
    echoes = np.stack([np.full(INSIDE.shape, 3.0), np.full(INSIDE.shape, 4.0)], axis=-1)
    echoes[~INSIDE] = np.nan
    frame = Frame.around(INSIDE)
    inside = frame.cut(INSIDE) != 0
    found = combined_magnitude(echoes.astype(np.float32), frame, inside)
    assert found is not None
    np.testing.assert_allclose(found[inside], 5, rtol=1e-6)
    assert not found[~inside].any()
    assert combined_magnitude(None, frame, inside) is None
    assert combined_magnitude(np.zeros((*INSIDE.shape, 1), np.float32), frame, inside) is None
