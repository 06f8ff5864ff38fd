"""Signals and shim fields against sums worked out independently."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.core.physics.forward import (
    echo_signals,
    field_of,
    harmonic_field,
    shim,
    solid_harmonics,
)
from napari_qsm_stroke.core.physics.scan import plan_scan
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second


def test_one_ppm_at_3_tesla_is_127_hertz() -> None:
    assert radians_per_ppm_second(3.0) / (2 * np.pi) == pytest.approx(127.732, abs=1e-3)


def test_signal_is_the_mean_of_its_parts() -> None:
    rng = np.random.default_rng(0)
    shape, parts, times = (6, 4, 9), (2, 2, 3), (0.004, 0.02)
    field = rng.normal(0, 0.3, shape).astype(np.float32)
    amplitude = rng.uniform(0, 1, shape).astype(np.float32)
    r2star = rng.uniform(10, 60, shape).astype(np.float32)
    found = echo_signals(
        field, amplitude, r2star, parts=parts, echo_times=times, field_strength=3.0
    )
    assert found.shape == (3, 2, 3, 2)
    for echo, time in enumerate(times):
        fine = amplitude * np.exp(-r2star * time + 1j * 2 * np.pi * 127.732434 * field * time)
        mean = fine.reshape(3, 2, 2, 2, 3, 3).mean(axis=(1, 3, 5))
        np.testing.assert_allclose(found[..., echo], mean, atol=3e-6)


def test_a_field_gradient_takes_signal_as_the_sum_of_phases_says() -> None:
    # equal steps of phase over n parts: |sin(n a / 2) / (n sin(a / 2))|
    parts, time = 4, 0.02
    step = 1.1 / (radians_per_ppm_second(3.0) * time)
    field = (step * np.arange(8, dtype=np.float32)).reshape(1, 1, 8)
    ones, zeros = np.ones_like(field), np.zeros_like(field)
    found = echo_signals(
        field, ones, zeros, parts=(1, 1, parts), echo_times=(time,), field_strength=3.0
    )
    expected = abs(np.sin(parts * 1.1 / 2) / (parts * np.sin(1.1 / 2)))
    np.testing.assert_allclose(np.abs(found).ravel(), expected, rtol=1e-4)


def test_shim_fields_are_harmonic() -> None:
    rng = np.random.default_rng(1)
    field = harmonic_field(rng.normal(size=9), np.diag([2.0, 2, 2, 1]), (12, 12, 12))
    laplacian = sum(
        np.diff(field.astype(np.float64), 2, axis)[
            tuple(slice(None) if a == axis else slice(1, -1) for a in range(3))
        ]
        for axis in range(3)
    )
    assert np.abs(laplacian).max() < 3e-6


def test_shim_finds_what_the_coils_made() -> None:
    rng = np.random.default_rng(2)
    affine = np.array([[2, 0.1, 0, -20], [-0.1, 2, 0, -22], [0, 0, 3, -30], [0, 0, 0, 1.0]])
    coefficients = rng.normal(size=9)
    field = harmonic_field(coefficients, affine, (20, 22, 18))
    np.testing.assert_allclose(
        shim(field, np.ones(field.shape, bool), affine), coefficients, atol=1e-4
    )
    point = affine @ (3, 4, 5, 1)
    assert field[3, 4, 5] == pytest.approx(
        (solid_harmonics(point[None, :3] / 100) @ coefficients)[0], abs=1e-5
    )


@pytest.mark.parametrize("degrees", [0.0, 18.0])
def test_field_of_a_sphere_in_an_oblique_slab_points_along_scanner_z(degrees: float) -> None:
    corners = 20 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    scan = plan_scan(corners, (1.0, 1.0, 1.0), degrees, (1, 1, 1), (48.0, 48.0, 48.0))
    assert scan.b0_dir == pytest.approx(Grid(scan.shape, scan.affine).b0_dir, abs=1e-12)
    index = np.indices(scan.shape).reshape(3, -1).T
    world = (index @ scan.affine[:3, :3].T + scan.affine[:3, 3]).reshape(*scan.shape, 3)
    r = np.linalg.norm(world, axis=-1)
    chi = np.clip(7.5 - r, 0, 1).astype(np.float32)
    field = field_of(chi, voxel_size=scan.voxel_size, b0_dir=scan.b0_dir, margin=48)
    moment = 3 * chi.sum() / (4 * np.pi)
    expected = moment * (3 * (world[..., 2] / r) ** 2 - 1) / (3 * r**3)
    ring = (r > 11) & (r < 16)
    assert np.abs(field - expected)[ring].max() < 0.006
    assert expected[ring].max() > 0.15
