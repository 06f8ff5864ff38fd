"""Sums of products: exact where single precision is not, and of real arrays of one shape."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.products import dot, norm


def test_nothing_is_lost_to_the_size_of_the_sum() -> None:
    """A sum of ones in single precision stays at 2**24."""
    ones = np.ones((300, 300, 200), np.float32)
    assert dot(ones, ones) == ones.size > 2**24
    assert norm(ones) == pytest.approx(np.sqrt(ones.size), rel=1e-15)


@pytest.mark.parametrize("shape", [(1,), (63,), (7, 5, 3), (40, 41, 42)])
def test_it_agrees_with_double_precision(shape: tuple[int, ...]) -> None:
    a, b = np.random.default_rng(1).standard_normal((2, *shape)).astype(np.float32)
    wanted = (a.astype(np.float64) * b).sum()
    assert dot(a, b) == pytest.approx(wanted, rel=1e-12)
    assert dot(a.T, b.T) == pytest.approx(wanted, rel=1e-12)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        dot(np.ones((2, 3), np.float32), np.ones((3, 2), np.float32))
