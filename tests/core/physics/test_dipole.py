"""The dipole kernel against closed solutions: sphere, cylinder, and its own symmetries."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.fft

from napari_qsm_stroke.core.physics.deformation import rotation
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.physics.forward import field_of


def _centred(shape: tuple[int, ...], voxel_size: tuple[float, ...]) -> np.ndarray:
    axes = [(np.arange(n) - (n - 1) / 2) * d for n, d in zip(shape, voxel_size, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _ball(points: np.ndarray, radius: float, voxel_size: tuple[float, ...]) -> np.ndarray:
    """Part of each voxel inside a sphere, from 4 x 4 x 4 points."""
    steps = (np.arange(4) + 0.5) / 4 - 0.5
    part = np.zeros(points.shape[:3])
    for shift in itertools.product(steps, repeat=3):
        part += np.linalg.norm(points + np.multiply(shift, voxel_size), axis=-1) < radius
    return (part / 64).astype(np.float32)


@pytest.mark.parametrize("tilt", [(0.0, 0.0, 0.0), (20.0, 0.0, 0.0), (15.0, -25.0, 10.0)])
def test_sphere(tilt: tuple[float, float, float]) -> None:
    voxel_size, radius = (1.0, 1.0, 1.5), 8.0
    points = _centred((64, 64, 48), voxel_size)
    b0 = rotation(np.array(tilt)).T @ (0, 0, 1)
    field = field_of(
        _ball(points, radius, voxel_size),
        voxel_size=voxel_size,
        b0_dir=(b0[0], b0[1], b0[2]),
        margin=64,
    )
    r = np.linalg.norm(points, axis=-1)
    cosine = points @ b0 / np.maximum(r, 1e-9)
    outside = (r > radius + 3) & (r < 22)
    expected = (radius / r) ** 3 * (3 * cosine**2 - 1) / 3
    assert np.abs(field - expected)[outside].max() < 0.012
    assert abs(np.corrcoef(field[outside], expected[outside])[0, 1] - 1) < 1e-3
    # the edge rings along the grid; on the whole a sphere has no field inside
    assert np.sqrt((field[r < radius - 2] ** 2).mean()) < 0.016
    assert abs(field[r < radius - 2].mean()) < 0.002


@pytest.mark.parametrize("degrees", [0.0, 35.0, 54.7356, 90.0])
def test_infinite_cylinder_at_an_angle_to_the_field(degrees: float) -> None:
    # the cylinder runs along z through the periodic grid: it has no ends
    shape, radius, angle = (192, 192, 8), 6.0, np.radians(degrees)
    points = _centred(shape, (1, 1, 1))
    chi = _ball(points * (1, 1, 0), radius, (1, 1, 0))
    b0 = (float(np.sin(angle)), 0.0, float(np.cos(angle)))
    kernel = dipole_kernel(shape, (1, 1, 1), b0)
    field = scipy.fft.irfftn(scipy.fft.rfftn(chi) * kernel, shape)
    # D(0) = 0 takes the mean of the slice away
    field += chi.mean() * (1 / 3 - np.sin(angle) ** 2 / 2)
    rho, phi = np.hypot(points[..., 0], points[..., 1]), np.arctan2(points[..., 1], points[..., 0])
    inside, outside = rho < radius - 2, (rho > radius + 2) & (rho < 30)
    assert np.abs(field[inside] - (3 * np.cos(angle) ** 2 - 1) / 6).max() < 0.012
    expected = np.sin(angle) ** 2 / 2 * (radius / np.maximum(rho, 1)) ** 2 * np.cos(2 * phi)
    assert np.abs(field - expected)[outside].max() < 0.012


def _full(shape: tuple[int, int, int], size: tuple[float, ...], b: tuple[float, ...]) -> np.ndarray:
    """Response to a point source: the kernel in real space."""
    point = np.zeros(shape)
    point[0, 0, 0] = 1
    return scipy.fft.irfftn(scipy.fft.rfftn(point) * dipole_kernel(shape, size, b), shape)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:])
def test_exchanging_axes_exchanges_the_axes_of_the_field(order: tuple[int, int, int]) -> None:
    shape, size, b = (12, 15, 10), (1.0, 0.8, 1.6), (0.2, -0.5, 0.84)
    here = _full(shape, size, b)
    there = _full(*(tuple(v[a] for a in order) for v in (shape, size, b)))
    np.testing.assert_allclose(there, here.transpose(order), atol=2e-7)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipping_an_axis_flips_the_field(axis: int) -> None:
    shape, size, b = (12, 15, 10), (1.0, 0.8, 1.6), np.array([0.2, -0.5, 0.84])
    flipped = b * np.where(np.arange(3) == axis, -1, 1)
    here, there = _full(shape, size, tuple(b)), _full(shape, size, tuple(flipped))
    np.testing.assert_allclose(there, np.roll(np.flip(here, axis), 1, axis), atol=2e-7)


def test_kernel_has_no_mean_and_single_precision() -> None:
    kernel = dipole_kernel((8, 8, 8), (1, 1, 1))
    assert kernel.dtype == np.float32
    assert kernel[0, 0, 0] == 0
    assert kernel.min() == pytest.approx(-2 / 3)
    assert kernel.max() == pytest.approx(1 / 3)
