"""A ball of known susceptibility and its field in closed form."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

Size = tuple[float, float, float]


class Ball(NamedTuple):
    """Field in ppm, mask, and where the ball is and where it is not."""

    field: np.ndarray
    mask: np.ndarray
    core: np.ndarray
    around: np.ndarray


def _ball(
    shape: tuple[int, int, int] = (48, 52, 44),
    size: Size = (1.0, 1.0, 1.0),
    b0: Size = (0.0, 0.0, 1.0),
    chi: float = 0.2,
    radius: float = 7.0,
) -> Ball:
    x, y, z = (
        (i - (n - 1) / 2) * d for i, n, d in zip(np.indices(shape), shape, size, strict=True)
    )
    square = x**2 + y**2 + z**2
    along = (x * b0[0] + y * b0[1] + z * b0[2]) ** 2 / np.dot(b0, b0)
    outside = square > radius**2
    field = np.zeros(shape)
    field[outside] = (chi / 3 * radius**3 * (3 * along - square) / np.maximum(square, 1) ** 2.5)[
        outside
    ]
    reach = 0.45 * min(n * d for n, d in zip(shape, size, strict=True))
    return Ball(
        field.astype(np.float32),
        (square < reach**2).astype(np.uint8),
        square < (radius - 1.5) ** 2,
        (square > (radius + 2) ** 2) & (square < (reach - 2) ** 2),
    )


@pytest.fixture
def ball() -> type[Ball]:
    """Makes a ball for a shape, voxel size and direction of the main field."""
    return _ball
