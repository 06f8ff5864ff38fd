"""STAR-QSM: strong sources do not streak into weak ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.core.inversion.star import star
from napari_qsm_stroke.core.inversion.tkd import tkd
from napari_qsm_stroke.core.inversion.tv import tv
from napari_qsm_stroke.errors import InputError

Size = tuple[float, float, float]
SMALL = (30, 32, 28)


@pytest.mark.parametrize(
    ("value", "size", "b0"),
    [
        (0.05, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
        (0.3, (1.0, 1.0, 1.3), (0.5, -0.3, 0.81)),
        (1.0, (1.0, 1.0, 1.0), (0.5, -0.3, 0.81)),
        (-0.6, (1.0, 1.0, 1.0), (0.0, 1.0, 0.0)),
    ],
)
def test_ball_is_recovered(value: float, size: Size, b0: Size, ball: Callable[..., Any]) -> None:
    scene = ball((37, 38, 35), size, b0, chi=value, radius=5.0)
    chi = star(scene.field, scene.mask, voxel_size=size, b0_dir=b0)
    assert chi.dtype == np.float32
    found = chi[scene.core].mean() - chi[scene.around].mean()
    assert found == pytest.approx(value, rel=0.12)
    assert (chi[scene.mask == 0] == 0).all()


def test_a_bleeding_leaves_fewer_streaks(ball: Callable[..., Any]) -> None:
    strong = ball(SMALL, chi=2.0, radius=3.0)
    rng = np.random.default_rng(403)
    field = (strong.field + rng.normal(0, 2e-3, strong.field.shape)).astype(np.float32)
    streaks = {m: m(field, strong.mask)[strong.around].std() for m in (tkd, tv, star)}
    assert streaks[star] < 0.3 * streaks[tkd]
    assert streaks[star] < streaks[tv]


def test_strong_sources_keep_more_of_their_value(ball: Callable[..., Any]) -> None:
    """What the first fit took from them is found in the second: nothing is lost to shrinking."""
    strong = ball(SMALL, chi=1.0, radius=3.0)
    rough = {"regularisation": 2e-3}
    found = {m: m(strong.field, strong.mask, **rough)[strong.core].mean() for m in (tv, star)}
    assert abs(found[star] - 1) < abs(found[tv] - 1)


def test_without_strong_sources_it_is_total_variation(ball: Callable[..., Any]) -> None:
    scene = ball(SMALL, chi=0.05, radius=4.0)
    fine = {"regularisation": 1e-4, "tol": 1e-3, "max_iter": 40}
    np.testing.assert_allclose(
        star(scene.field, scene.mask, strong=10.0, **fine),
        tv(scene.field, scene.mask, **fine),
        atol=1e-5,
    )


def test_an_empty_mask_is_said() -> None:
    with pytest.raises(InputError, match="empty"):
        star(np.ones((4, 4, 4), np.float32), np.zeros((4, 4, 4), np.uint8))
