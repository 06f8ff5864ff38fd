"""The passes of nonlinear total variation against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.phase_misfit import nearest_phase
from napari_qsm_stroke.core.numerics.phase_variation import descend_phase

SHAPE, STEP = (5, 6, 4), (1.0, 1.5, 2.0)
LIMITS, PENALTIES, SCALE = np.array([0.2, 0.7], np.float32), (0.01, 0.3, 0.0), 12.0
EDGES = np.random.default_rng(81).integers(0, 16, SHAPE).astype(np.uint8)
BORDER = np.stack([LIMITS[(EDGES >> axis) & 1] for axis in range(3)])


def volumes(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(82)
    return [rng.normal(0, 0.5, SHAPE).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("relaxation", [1.0, 1.7])
def test_field_and_pull_are_those_of_the_splitting(relaxation: float) -> None:
    x, y, fitted, dual, field, weight, *rest = volumes(9)
    weight, duals = np.clip(weight, 0, 1), np.stack(rest)
    turned = duals - 2 * np.clip(duals, -BORDER, BORDER)
    pull = PENALTIES[0] * sum((np.roll(turned[a], 1, a) - turned[a]) / STEP[a] for a in range(3))
    start = (relaxation * y + (1 - relaxation) * fitted + dual).astype(np.float32)
    scale, penalty = np.float32(SCALE), np.float32(PENALTIES[1])
    nearest = np.array(
        [
            nearest_phase(s, f, w, scale, penalty)
            for s, f, w in zip(start.flat, field.flat, weight.flat, strict=True)
        ]
    ).reshape(SHAPE)
    packed = (x + 1j * y).astype(np.complex64)
    descend_phase(
        packed,
        duals,
        fitted,
        dual,
        field,
        weight,
        EDGES,
        LIMITS,
        STEP,
        PENALTIES,
        SCALE,
        relaxation,
    )
    np.testing.assert_allclose(fitted, nearest, atol=1e-5)
    np.testing.assert_allclose(dual, start - nearest, atol=1e-5)
    np.testing.assert_allclose(packed.real, 2 * nearest - start, atol=1e-5)
    np.testing.assert_allclose(packed.imag, pull, atol=1e-6)
    assert (np.abs(dual[weight == 0]) < 1e-6).all()
