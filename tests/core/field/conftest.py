"""Wrapped signals with a known field, for the tests of unwrapping and fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

TIMES = (0.005, 0.010, 0.015)
SHAPE = (36, 40, 32)
TURN = 2 * np.pi


Scene = tuple[np.ndarray, np.ndarray, np.ndarray]


def _scene(noise: float = 0.0, times: tuple[float, ...] = TIMES) -> Scene:
    """Signal of a ball, its mask and its field in Hz: ramps and two dipoles, many turns wide."""
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    inside = x**2 + y**2 + 1.4 * z**2 < 15**2
    field = 3.0 * x - 2.0 * y + 0.15 * z**2
    for centre, size in (((5, 2, 1), 700.0), ((-6, -3, 2), 500.0)):
        u, v, w = x - centre[0], y - centre[1], z - centre[2]
        square = np.maximum(u**2 + v**2 + w**2, 9.0)
        field = field + size * (3 * w**2 - square) / square**2.5
    rng = np.random.default_rng(40)
    signal = np.stack([80 * np.exp(-t / 0.03) * np.exp(1j * TURN * field * t) for t in times], -1)
    signal = signal * inside[..., None]
    signal += noise * (rng.normal(size=signal.shape) + 1j * rng.normal(size=signal.shape))
    return signal.astype(np.complex64), inside.astype(np.uint8), field


@pytest.fixture
def scene() -> Callable[..., Scene]:
    """Makes a signal, its mask and its field for a noise level and echo times."""
    return _scene
