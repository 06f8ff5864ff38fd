"""HEIDI: what is kept, what is filled in, and where the edges are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.heidi import KEPT, _fill, _trust, heidi
from napari_qsm_stroke.core.inversion.tkd import tkd
from napari_qsm_stroke.core.numerics.total_variation import costly_edges
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.progress import silent
from napari_qsm_stroke.errors import InputError

SMALL = (36, 38, 34)
STEP = (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "size", "b0"),
    [
        (SMALL, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
        ((37, 36, 35), (1.0, 1.0, 1.0), (0.5, -0.3, 0.81)),
        ((36, 38, 24), (0.9, 0.9, 1.5), (0.0, 0.35, 0.94)),
    ],
)
def test_ball_is_recovered_without_streaks(
    shape: Any, size: Any, b0: Any, ball: Callable[..., Any]
) -> None:
    scene = ball(shape, size, b0, radius=5.5)
    chi = heidi(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi.dtype == np.float32
    found = chi[scene.core].mean() - chi[scene.around].mean()
    assert found == pytest.approx(0.2, rel=0.1)
    divided = tkd(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi[scene.around].std() < 0.4 * divided[scene.around].std()
    assert (chi[scene.mask == 0] == 0).all()


def test_frequencies_fall_into_three_parts() -> None:
    size = np.linspace(0, 0.66, 67).astype(np.float32)
    trust = _trust(size, 0.5, 0.05, 2.0)
    assert (trust[size < 0.05] == 0).all()
    assert (trust[size > 0.5] == KEPT).all()
    between = trust[(size > 0.06) & (size < 0.49)]
    assert (np.diff(between) > 0).all()
    assert between.max() < 1 / 2.0


def test_what_is_kept_stays_and_open_frequencies_are_filled() -> None:
    """A block of which a part of k-space is thrown away comes back; the rest is not touched."""
    shape = (24, 26, 22)
    inside = np.ones(shape, bool)
    block = np.zeros(shape, np.float32)
    block[6:14, 8:16, 5:15] = 0.3
    spectrum = np.fft.rfftn(block).astype(np.complex64)
    size = np.abs(dipole_kernel(shape, STEP))
    trust = _trust(size, 0.1, 0.1, 1.0)
    cut = spectrum * (size >= 0.1)
    broken = np.fft.irfftn(cut, shape, axes=(0, 1, 2))
    filled = _fill(cut, trust, costly_edges(inside), STEP, 400, 1e-5, shape, silent)
    again = np.fft.rfftn(filled)
    kept = size >= 0.1
    assert np.abs((again - spectrum)[kept]).max() < 1e-3 * np.abs(spectrum).max()
    gap = np.linalg.norm(broken - broken.mean() - block + block.mean())
    left = np.linalg.norm(filled - filled.mean() - block + block.mean())
    assert left < 0.1 * gap


def test_edges_of_the_magnitude_are_spared(ball: Callable[..., Any]) -> None:
    """The magnitude shows the ball: its edge is less smoothed than without."""
    scene = ball(SMALL, chi=0.05, radius=4.0)
    rng = np.random.default_rng(405)
    field = (scene.field + rng.normal(0, 3e-3, SMALL)).astype(np.float32)
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(SMALL), SMALL, strict=True))
    magnitude = np.where(x**2 + y**2 + z**2 < 16, 100, 200).astype(np.float32)[..., None]
    strong = {"regularisation": 5e-3, "edges": 0.03}
    found = [
        heidi(field, scene.mask, None, m, **strong)[scene.core].mean() for m in (None, magnitude)
    ]
    assert found[1] > 1.05 * found[0]


def test_noise_of_the_field_counts(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, radius=5.0)
    rng = np.random.default_rng(406)
    noise = np.full(SMALL, 2e-3, np.float32)
    bad = rng.random(SMALL) < 0.05
    noise[bad] = 0.2
    field = (scene.field + noise * rng.normal(size=SMALL)).astype(np.float32)
    clean = heidi(scene.field, scene.mask)
    told, untold = (
        (heidi(field, scene.mask, n) - clean)[scene.mask != 0].std() for n in (noise, None)
    )
    assert told < 0.5 * untold


def test_an_empty_mask_is_said() -> None:
    with pytest.raises(InputError, match="empty"):
        heidi(np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
