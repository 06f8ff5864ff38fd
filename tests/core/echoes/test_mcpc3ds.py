"""The phase offset of the coils."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.echoes.mcpc3ds import mcpc3ds
from napari_qsm_stroke.errors import Cancelled, InputError

TIMES = (0.004, 0.010, 0.016)
SHAPE = (40, 36, 32)


def scan(
    size: tuple[float, float, float], noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magnitude and phase of a ball in air, and its true phase offset."""
    x, y, z = (
        (i - (n - 1) / 2) * d for i, n, d in zip(np.indices(SHAPE), SHAPE, size, strict=True)
    )
    inside = (x / size[0] / 18) ** 2 + (y / size[1] / 16) ** 2 + (z / size[2] / 14) ** 2 < 1
    offset = 1.5 + 0.04 * x - 0.002 * y * z
    field = 40 + 2.0 * x - 1.5 * y + 25 * np.exp(-(x**2 + y**2 + z**2) / 8)
    rng = np.random.default_rng(30)
    magnitude, phase = [], []
    for time in TIMES:
        signal = 100 * inside * np.exp(1j * (offset + 2 * np.pi * field * time))
        signal = signal + noise * (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE))
        magnitude.append(np.abs(signal))
        phase.append(np.angle(signal))
    stacked = np.stack(magnitude, -1).astype(np.float32), np.stack(phase, -1).astype(np.float32)
    truth = inside[..., None] * np.exp(2j * np.pi * field[..., None] * np.array(TIMES))
    return *stacked, truth


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (0.9, 0.9, 1.6)])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_offset_is_taken_from_every_echo(size: tuple[float, float, float], noise: float) -> None:
    magnitude, phase, truth = scan(size, noise)
    offset = mcpc3ds(magnitude, phase, echo_times=TIMES, voxel_size=size, sigma=3.0)
    assert offset.dtype == np.float32
    assert offset.shape == (*SHAPE, 1)
    inside = truth[..., 0] != 0
    left = np.angle(magnitude * np.exp(1j * (phase - offset)) * truth.conj())[inside]
    assert np.median(np.abs(left)) < (0.05 if noise == 0 else 0.06)
    raw = np.angle(magnitude * np.exp(1j * phase) * truth.conj())[inside]
    assert np.median(np.abs(raw)) > 1


def test_values_that_are_not_finite_do_not_spoil_the_rest() -> None:
    magnitude, phase, truth = scan((1.0, 1.0, 1.0))
    phase[0, 0, 0] = np.nan
    magnitude[20, 18, 16, 1] = np.inf
    offset = mcpc3ds(magnitude, phase, echo_times=TIMES)
    assert np.isfinite(offset).all()
    phase[0, 0, 0] = 0
    left = np.angle(np.exp(1j * (phase - offset)) * truth.conj())[truth[..., 0] != 0]
    assert np.median(np.abs(left)) < 0.1


def test_one_echo_is_too_few() -> None:
    one = np.ones((4, 4, 4, 1), np.float32)
    with pytest.raises(InputError, match="at least 2 echoes, found 1"):
        mcpc3ds(one, one, echo_times=(0.02,))


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match="shape"):
        mcpc3ds(
            np.ones((4, 4, 4, 2), np.float32),
            np.ones((4, 4, 5, 2), np.float32),
            echo_times=(0.01, 0.02),
        )


def test_no_signal_at_all_is_said() -> None:
    nothing = np.zeros((4, 4, 4, 2), np.float32)
    with pytest.raises(InputError, match="empty"):
        mcpc3ds(nothing, nothing, echo_times=(0.01, 0.02))


def test_cancel_stops_it() -> None:
    def stop(fraction: float, _stage: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    magnitude, phase, _ = scan((1.0, 1.0, 1.0))
    with pytest.raises(Cancelled):
        mcpc3ds(magnitude, phase, echo_times=TIMES, progress=stop)
