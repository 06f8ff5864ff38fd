"""Generalised variation: the passes against plain steps, adjoint, minimum, and the operators."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics import generalised_variation as variation
from napari_qsm_stroke.core.numerics.generalised_variation import (
    WaveVariation,
    masks_of,
    stencil,
    strength,
)
from napari_qsm_stroke.core.numerics.generalised_variation_passes import (
    PAIRS,
    descend,
    raise_duals,
)
from napari_qsm_stroke.core.progress import silent

STEP = (1.0, 0.8, 1.4)
B0 = (0.3, -0.2, 0.93)
SHAPE = (11, 9, 10)
LIMITS = (0.02, 0.05)


def blob(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """A mask of odd shape, not at the faces."""
    inside = np.zeros(shape, bool)
    core = tuple(slice(1, -1) for _ in shape)
    inside[core] = np.random.default_rng(420).random([n - 2 for n in shape]) < 0.95
    return inside


def apply(coefficients: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """A stencil by plain shifts, periodic."""
    result = coefficients[0] * volume
    for axis in range(3):
        result += coefficients[1 + axis] * (np.roll(volume, 1, axis) + np.roll(volume, -1, axis))
    for index, (a, b) in enumerate(PAIRS):
        for sign, part in ((1, 4), (-1, 7)):
            for s in (1, -1):
                result += coefficients[part + index] * np.roll(volume, (s, sign * s), (a, b))
    return result


def ahead(volume: np.ndarray, axis: int) -> np.ndarray:
    """Difference to the next voxel over mm."""
    return (np.roll(volume, -1, axis) - volume) / STEP[axis]


def back(volume: np.ndarray, axis: int) -> np.ndarray:
    return (volume - np.roll(volume, 1, axis)) / STEP[axis]


class Plain:
    """The same problem and the same steps in double precision, written as the equations are."""

    def __init__(
        self, source: np.ndarray, known: np.ndarray, weight: np.ndarray, inside: np.ndarray
    ) -> None:
        masks = masks_of(inside, known).reshape(10, *inside.shape).astype(float)
        self.steps, self.bends, self.shears, self.solved = np.split(masks, (3, 6, 9))
        self.inside, self.source, self.weight = inside.astype(float), source, weight
        b = np.array(B0) / np.linalg.norm(B0)
        self.laplace = stencil((1, 1, 1), (0, 0, 0), STEP).astype(float)
        mixed = [-2 * b[d] * b[e] for d, e in PAIRS]
        self.wave = stencil(tuple(1 / 3 - b**2), tuple(mixed), STEP).astype(float)

    def forward(
        self, x: np.ndarray, u: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``grad x - v``, ``E v`` and ``laplace(u) - wave(x)`` where each is asked for."""
        slope = self.steps * (np.stack([ahead(x, a) for a in range(3)]) - v)
        bend = self.bends * np.stack([back(v[a], a) for a in range(3)])
        shear = self.shears * np.stack([ahead(v[a], b) + ahead(v[b], a) for a, b in PAIRS])
        gap = self.solved[0] * (apply(self.laplace, u) - apply(self.wave, x))
        return slope, np.concatenate([bend, shear]), gap

    def adjoint(
        self, p: np.ndarray, q: np.ndarray, r: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p, r = self.steps * p, self.solved[0] * r
        q = np.concatenate([self.bends, self.shears]) * q
        x = -sum(back(p[a], a) for a in range(3)) - apply(self.wave, r)
        v = -p - np.stack([ahead(q[a], a) for a in range(3)])
        for index, (a, b) in enumerate(PAIRS):
            v[a] -= back(q[3 + index], b)
            v[b] -= back(q[3 + index], a)
        return self.inside * x, self.inside * apply(self.laplace, r), self.steps * v

    def run(self, up: np.ndarray, down: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
        """x, u, v, p, q and r after some steps."""
        shape = self.inside.shape
        low = [np.zeros(shape), np.zeros(shape), np.zeros((3, *shape))]
        far = [np.zeros(shape), np.zeros(shape), np.zeros((3, *shape))]
        p, q, r = np.zeros((3, *shape)), np.zeros((6, *shape)), np.zeros(shape)
        for _ in range(count):
            slope, bend, gap = self.forward(*far)
            p = np.clip(p + up[0] * slope, -LIMITS[0], LIMITS[0])
            q = np.clip(q + up[1] * bend, -LIMITS[1], LIMITS[1])
            r = r + up[2] * (gap + self.solved[0] * self.source)
            pulls = self.adjoint(p, q, r)
            new = [a - rate * pull for a, rate, pull in zip(low, down, pulls, strict=True)]
            new[1] /= 1 + down[1] * self.weight
            far = [2 * a - b for a, b in zip(new, low, strict=True)]
            low = new
        return (*low, p, q, r)


def problem(shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, ...]:
    """Source, where it is known, weight and mask."""
    rng = np.random.default_rng(422)
    inside = blob(shape)
    weight = inside * rng.uniform(0.2, 1, shape).astype(np.float32)
    return 0.1 * rng.normal(size=shape).astype(np.float32), rng.random(shape) < 0.98, weight, inside


def test_steps_are_those_of_the_equations() -> None:
    given = problem()
    fit = WaveVariation(*given, STEP, B0)
    fit.run(LIMITS[0], LIMITS[1] / LIMITS[0], 15, 1e-9, silent, "")
    wanted = Plain(*given).run(fit._up, fit._down, 15)
    found = (fit._x, fit._u, fit._v, fit._p, fit._q, fit._r)
    for a, b in zip(found, wanted, strict=True):
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(a.reshape(b.shape), b, atol=1e-5 * np.abs(b).max())


def test_duals_and_primals_are_adjoint() -> None:
    """With all rates one, one pass is an operator and the other its negative transpose."""
    _, known, weight, inside = problem()
    fit = WaveVariation(np.zeros(SHAPE, np.float32), known, weight, inside, STEP, B0)
    masks = fit._place[0].reshape(10, -1)
    rng = np.random.default_rng(421)

    def random(of: np.ndarray) -> np.ndarray:
        return (rng.normal(size=of.size) * of.ravel()).astype(np.float32)

    x, u, v = random(inside), random(inside), random(masks[:3])
    p, q, r = random(masks[:3]), random(masks[3:9]), random(masks[9])
    ones = np.ones(3, np.float32)
    up = [np.zeros_like(a) for a in (p, q, r)]
    free = np.full(2, 1e9, np.float32)
    raise_duals(x, u, v, *up, np.zeros_like(x), *fit._place, free, ones, fit._inverse)
    down, spare = ([np.zeros_like(a) for a in (x, u, v)] for _ in range(2))
    kept = (fit._inside, inside.ravel().astype(np.float32))
    descend(*down, *spare, p, q, r, *kept, *fit._place, ones, fit._inverse)
    left = sum(float(np.vdot(a.astype(float), b)) for a, b in zip((p, q, r), up, strict=True))
    right = -sum(float(np.vdot(a.astype(float), b)) for a, b in zip((x, u, v), down, strict=True))
    assert abs(left) > 1
    assert left == pytest.approx(right, rel=1e-4)
    for new, far in zip(down, spare, strict=True):
        np.testing.assert_allclose(far, 2 * new, atol=1e-6)


def test_the_minimum_fulfils_its_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not depend on the speeds; with these it is reached sooner on few voxels."""
    for name, speed in (("SLOPE", 0.1), ("BEND", 0.1), ("LEFT_OVER", 1.0)):
        monkeypatch.setattr(variation, name, speed)
    source, known, weight, inside = problem((9, 10, 8))
    fit = WaveVariation(source, known, weight, inside, STEP, B0)
    low, high = 3e-4, 2e-4
    fit.run(low, high / low, 4000, 1e-9, silent, "")
    plain, shape = Plain(source, known, weight, inside), inside.shape
    x, u, r = (a.reshape(shape).astype(float) for a in (fit._x, fit._u, fit._r))
    v, p = (a.reshape(3, *shape).astype(float) for a in (fit._v, fit._p))
    q = fit._q.reshape(6, *shape).astype(float)
    slope, bend, gap = plain.forward(x, u, v)
    pulls = plain.adjoint(p, q, r)
    assert np.abs(gap + plain.solved[0] * source).max() < 1e-3 * np.abs(source).max()
    assert np.abs(weight * u + pulls[1]).max() < 1e-3 * np.abs(u).max()
    for pull in (pulls[0], pulls[2]):
        assert np.abs(pull).max() < 5e-3 * low
    for dual, value, limit in ((p, slope, low), (q, bend, high)):
        assert np.abs(dual).max() <= limit * (1 + 1e-5)
        # where it varies, the dual is at its bound
        varies = np.abs(value) > 0.02 * np.abs(value).max()
        assert varies.sum() > 10
        np.testing.assert_allclose(dual[varies], limit * np.sign(value[varies]), rtol=0.01)


def test_it_looks_at_the_change_every_few_steps() -> None:
    fit = WaveVariation(*problem(), STEP, B0)
    seen: list[float] = []
    fit.run(0.001, 2.0, 1000, 0.05, lambda fraction, _stage: seen.append(fraction), "")
    assert len(seen) % variation.CHECK == 1
    assert len(seen) < 900
    before = fit.susceptibility.copy()
    fit.run(0.001, 2.0, 1, 0.05, silent, "")
    assert np.linalg.norm(fit.susceptibility - before) <= 0.05 * np.linalg.norm(before)


@pytest.mark.parametrize(
    ("factors", "mixed"), [((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), ((0.2, 0.3, -0.5), (0.1, -0.2, 0.4))]
)
def test_stencil_is_exact_on_quadratics(
    factors: tuple[float, float, float], mixed: tuple[float, float, float]
) -> None:
    x, y, z = ((np.arange(7) - 3.0) * d for d in STEP)
    x, y, z = np.meshgrid(x, y, z, indexing="ij")
    volume = 1.5 * x**2 - 0.5 * y**2 + 2 * z**2 + 0.7 * x * y - 1.1 * x * z + 0.3 * y * z + x - 2
    found = apply(stencil(factors, mixed, STEP).astype(float), volume)[3, 3, 3]
    bends, crosses = (3.0, -1.0, 4.0), (0.7, -1.1, 0.3)
    wanted = np.dot(factors, bends) + np.dot(mixed, crosses)
    assert found == pytest.approx(wanted, rel=1e-4)


def test_the_error_is_alike_in_all_directions() -> None:
    """The ratio of wave to Laplacian is that of the dipole, to fourth order of the wave number."""
    step = (1.0, 1.0, 1.0)
    laplace = stencil((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), step)
    wave = stencil((1 / 3, 1 / 3, -2 / 3), (0.0, 0.0, 0.0), step)
    errors = []
    for length in (0.8, 0.4):
        k = length * np.array([0.36, 0.48, 0.8])
        plane = np.cos(np.tensordot(k, np.indices((5, 5, 5)) - 2, 1))
        top, bottom = (apply(c.astype(float), plane)[2, 2, 2] for c in (wave, laplace))
        errors.append(abs(top / bottom - (1 / 3 - k[2] ** 2 / (k @ k))))
    assert errors[1] < errors[0] / 10
    assert strength(laplace) == pytest.approx(np.abs(laplace[0]) * 2, rel=1e-5)
