"""Automatic weights on problems whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.regularisation import (
    by_l_curve,
    by_noise,
    corner,
    noise_map,
)

RNG = np.random.default_rng(400)
SPREAD = 0.03
SINGULAR = np.geomspace(1, 1e-4, 60)
TRUTH = RNG.normal(size=60) * SINGULAR**0.5
DATA = SINGULAR * TRUTH + SPREAD * 1e-2 * RNG.normal(size=60)


def ridge(weight: float) -> np.ndarray:
    """Tikhonov's solution of a problem in the basis of its singular vectors."""
    return SINGULAR * DATA / (SINGULAR**2 + weight)


def fit(weight: float) -> tuple[float, float]:
    """Norms of misfit and solution."""
    solution = ridge(weight)
    return (
        float(np.linalg.norm(SINGULAR * solution - DATA)),
        float(np.linalg.norm(solution)),
    )


def error(weight: float) -> float:
    return float(np.linalg.norm(ridge(weight) - TRUTH))


BEST = min(error(w) for w in np.geomspace(1e-9, 1, 400))


@pytest.mark.parametrize("start", [5e-6, 5e-5, 5e-4])
def test_misfit_becomes_that_of_the_noise(start: float) -> None:
    target = SPREAD * 1e-2 * np.sqrt(60)
    weight = by_noise(fit, start, target, max_fits=12)
    assert fit(weight)[0] == pytest.approx(target, rel=0.03)
    assert error(weight) < 1.6 * BEST


def test_noise_that_cannot_be_reached_ends_at_the_span() -> None:
    assert by_noise(fit, 1e-5, 1e9, max_fits=20) == pytest.approx(30e-5)
    assert by_noise(fit, 1e-5, 1e-12, max_fits=20) == pytest.approx(1e-5 / 30)


def test_fits_are_counted() -> None:
    calls: list[float] = []

    def counted(weight: float) -> tuple[float, float]:
        calls.append(weight)
        return fit(weight)

    by_noise(counted, 1e-4, 1e-9, max_fits=3)
    assert len(calls) == 3
    calls.clear()
    by_l_curve(counted, 1e-5, count=6)
    assert len(calls) == 6
    assert calls == sorted(calls, reverse=True)


def hyperbola(weight: float) -> tuple[float, float]:
    """An L-curve whose branches balance at 3e-4."""
    place = np.log(weight / 3e-4)
    bend = np.sqrt(place**2 + 1)
    return float(np.exp(bend + place)), float(np.exp(bend - place))


@pytest.mark.parametrize("start", [1e-4, 3e-4, 1e-3])
def test_corner_of_the_l_curve_is_found(start: float) -> None:
    assert by_l_curve(hyperbola, start) == pytest.approx(3e-4, rel=0.3)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("count", [9, 40])
def test_corner_lies_where_two_lines_meet(order: int, count: int) -> None:
    weights = np.geomspace(1e-7, 1e-1, count)[::order]
    misfits, penalties = np.log([hyperbola(w) for w in weights]).T
    found = corner(list(weights), list(misfits), list(penalties))
    assert found == pytest.approx(3e-4, rel=0.4 if count < 10 else 0.05)


def test_no_data_leave_the_weight() -> None:
    assert by_l_curve(lambda _: (0.0, 0.0), 2e-4) == 2e-4


def test_noise_is_estimated_over_anatomy() -> None:
    x, y, z = np.indices((30, 32, 28)) / 10.0
    field = 0.3 * np.sin(x) * np.cos(y) + 0.1 * z**2
    inside = (x - 1.5) ** 2 + (y - 1.6) ** 2 + (z - 1.4) ** 2 < 1.3**2
    noisy = (field + RNG.normal(0, 2e-3, field.shape)).astype(np.float32)
    noisy[~inside] = 9
    found = noise_map(noisy, inside, None)
    assert found[inside].mean() == pytest.approx(2e-3, rel=0.06)
    assert (found[~inside] == 0).all()


def test_known_noise_is_kept() -> None:
    inside = np.zeros((6, 6, 6), bool)
    inside[1:5, 1:5, 1:5] = True
    known = np.full(inside.shape, 4e-3, np.float32)
    found = noise_map(np.zeros(inside.shape, np.float32), inside, known)
    np.testing.assert_array_equal(found, known * inside)
