"""``<A x, y> = <x, A* y>`` for every linear operator of the core, on odd and even grids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_qsm_stroke.core.masks.smoothing import smooth_inside
from napari_qsm_stroke.core.numerics.fourier import backward, forward, smooth_complex
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.mask_rows import MaskRows
from napari_qsm_stroke.core.numerics.multigrid import negative_laplacian
from napari_qsm_stroke.core.numerics.outside_sources import OutsideSources
from napari_qsm_stroke.core.numerics.total_variation import (
    costly_edges,
    descend,
    difference_power,
    step_duals,
)
from napari_qsm_stroke.core.physics.dipole import dipole_axes, dipole_kernel
from napari_qsm_stroke.core.physics.dipole_solver import solve_spectrum
from napari_qsm_stroke.core.physics.sphere import mean_value_kernel

SIZE = (1.0, 0.9, 1.6)
B0 = (0.3, -0.2, 0.93)
SHAPES = [(10, 12, 8), (9, 11, 7), (10, 9, 8)]
FREE = np.zeros(2, np.float32)
Operator = Callable[[np.ndarray], np.ndarray]


def check(operator: Operator, adjoint: Operator, x: np.ndarray, y: np.ndarray) -> None:
    """Compare both products, relative to what they could be at most."""
    ax, ay = operator(x), adjoint(y)
    assert np.linalg.norm(ax) > 0
    left, right = np.vdot(y, ax.astype(np.float64)), np.vdot(ay.astype(np.float64), x)
    assert abs(left - right) < 1e-5 * np.linalg.norm(ax) * np.linalg.norm(y)


def pair(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Two random volumes."""
    x, y = np.random.default_rng(97).normal(size=(2, *shape)).astype(np.float32)
    return x, y


def some(shape: tuple[int, ...]) -> np.ndarray:
    """Most voxels, at random, but none at the faces."""
    inside = np.zeros(shape, bool)
    core = tuple(slice(1, -1) for _ in shape)
    inside[core] = np.random.default_rng(98).random([n - 2 for n in shape]) < 0.8
    return inside


@pytest.mark.parametrize("shape", SHAPES)
def test_dipole(shape: tuple[int, int, int]) -> None:
    dipole = dipole_kernel(shape, SIZE, B0)

    def convolve(volume: np.ndarray) -> np.ndarray:
        return backward(forward(volume) * dipole, shape)

    check(convolve, convolve, *pair(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_dipole_from_a_mask_in_a_padded_frame(shape: tuple[int, int, int]) -> None:
    inside = some(shape)
    frame = Frame.around(inside, (3, 2, 4))
    dipole = dipole_kernel(frame.shape, SIZE, B0)

    def convolve(volume: np.ndarray) -> np.ndarray:
        padded = frame.cut(volume, inside)
        made = backward(forward(padded) * dipole, frame.shape)
        return frame.paste(made) * inside

    check(convolve, convolve, *pair(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_cut_and_paste(shape: tuple[int, int, int]) -> None:
    inside = some(shape)
    frame = Frame.around(inside, (3, 2, 4))
    x, _ = pair(shape)
    y, _ = pair(frame.shape)
    check(
        lambda volume: frame.cut(volume, inside), lambda padded: frame.paste(padded) * inside, x, y
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_and_divergence_of_total_variation(shape: tuple[int, int, int]) -> None:
    edges, rows = costly_edges(some(shape)), MaskRows.whole(shape)

    def gradient(volume: np.ndarray) -> np.ndarray:
        made = np.zeros((3, *shape), np.float32)
        before = volume.flatten()
        step_duals(volume.astype(np.complex64), before, rows.spans, made, edges, FREE, SIZE, 1.0)
        return made

    def divergence(vectors: np.ndarray) -> np.ndarray:
        packed = np.zeros(shape, np.complex64)
        zero = np.zeros(shape, np.float32)
        penalties = (1.0, 1.0, 0.0)
        descend(
            packed,
            vectors,
            zero,
            zero.copy(),
            rows.zeros(),
            rows.zeros(),
            rows.spans,
            edges,
            FREE,
            SIZE,
            penalties,
            1.0,
        )
        return packed.imag.copy()

    x, _ = pair(shape)
    y, _ = pair((3, *shape))
    check(gradient, divergence, x, y)
    # and their product is what the solver divides by in k-space
    bottom = sum(
        p.reshape([-1 if a == i else 1 for a in range(3)])
        for i, p in enumerate(difference_power(shape, SIZE))
    )
    product = np.fft.ifftn(np.fft.fftn(x) * bottom).real
    np.testing.assert_allclose(divergence(gradient(x)), product, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_solver_of_total_variation(shape: tuple[int, int, int]) -> None:
    """From pull to susceptibility it is its own adjoint; from field to susceptibility, with it."""
    axes = dipole_axes(shape, SIZE, B0)
    powers = difference_power(shape, SIZE)
    penalties = (0.02, 0.3, 0.01)

    def solve(field: np.ndarray, pull: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spectrum = np.fft.fftn(field + 1j * pull).astype(np.complex64)
        solve_spectrum(spectrum, axes, *powers, penalties)
        back = np.fft.ifftn(spectrum)
        return back.real, back.imag

    x, y = pair(shape)
    zero = np.zeros_like(x)
    check(lambda v: solve(zero, v)[0], lambda v: solve(zero, v)[0], x, y)
    check(lambda v: solve(v, zero)[0], lambda v: 0.3 * solve(zero, v)[1], x, y)


@pytest.mark.parametrize("shape", SHAPES)
def test_outside_sources(shape: tuple[int, int, int]) -> None:
    """The field of sources outside in the mask, and from residuals back to those sources."""
    inside = some(shape)
    weight = inside * np.random.default_rng(99).random(shape).astype(np.float32)
    outside = (~inside).astype(np.float32)
    sources = OutsideSources(weight, outside, dipole_kernel(shape, SIZE, B0))
    x, y = pair(shape)
    check(
        lambda q: weight * sources._convolve(outside * q),
        lambda r: outside * sources._convolve(weight * r),
        x,
        y,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_laplacian(shape: tuple[int, int, int]) -> None:
    inside = some(shape)

    def laplacian(volume: np.ndarray) -> np.ndarray:
        return negative_laplacian(volume * inside, inside, SIZE)

    x, y = pair(shape)
    check(laplacian, laplacian, x, y)
    assert np.vdot(x, laplacian(x)) > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_gaussian(shape: tuple[int, int, int]) -> None:
    def smooth(volume: np.ndarray) -> np.ndarray:
        return smooth_complex(volume.astype(np.complex64), SIZE, 2.0).real

    check(smooth, smooth, *pair(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_spherical_mean(shape: tuple[int, int, int]) -> None:
    kernel = mean_value_kernel(shape, 2.5, SIZE)

    def mean(volume: np.ndarray) -> np.ndarray:
        return backward(forward(volume) * kernel, shape)

    check(mean, mean, *pair(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_smoothing_inside_a_mask_is_an_average(shape: tuple[int, int, int]) -> None:
    """Normalised, it has no simple adjoint; it is linear and keeps constants."""
    inside = some(shape)
    x, y = pair(shape)
    both = smooth_inside(2 * x - y, inside, 1.5, SIZE)[inside]
    parts = 2 * smooth_inside(x, inside, 1.5, SIZE) - smooth_inside(y, inside, 1.5, SIZE)
    np.testing.assert_allclose(both, parts[inside], atol=1e-5)
    ones = smooth_inside(np.ones(shape, np.float32), inside, 1.5, SIZE)[inside]
    np.testing.assert_allclose(ones, 1, atol=1e-5)
