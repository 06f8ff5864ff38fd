"""Total field inversion against analytic spheres, so that no method inverts its own model."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.background.lbv import lbv
from napari_qsm_stroke.core.background.tfi import tfi
from napari_qsm_stroke.errors import Cancelled

SIZE = (1.0, 1.0, 1.25)
B0 = (0.0, np.sin(0.3), np.cos(0.3))


def sphere(centre: tuple[float, float, float], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance from a centre in mm and field of a sphere of 1 ppm (Lorentz-corrected)."""
    shape = (52, 56, 44)
    x, y, z = ((np.arange(n) - n / 2) * d - c for n, d, c in zip(shape, SIZE, centre, strict=True))
    x, y, z = np.meshgrid(x, y, z, indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2) + 1e-9
    cosine = (x * B0[0] + y * B0[1] + z * B0[2]) / r
    field = np.where(r > radius, (radius / r) ** 3 * (3 * cosine**2 - 1) / 3, 0)
    return r, field


@pytest.fixture(scope="module")
def head() -> dict[str, np.ndarray]:
    r, _ = sphere((0, 0, 0), 1)
    brain = (r < 20).astype(np.uint8)
    near, own = sphere((6, 2, -3), 4.5)
    deep, other = sphere((-14, 3, 4), 3.5)  # close to the surface
    _, air = sphere((0, 34, -6), 9)
    local = (0.2 * own + 0.3 * other).astype(np.float32)
    shim = 0.3 + 0.002 * np.arange(52)[:, None, None]
    total = (local + 9.4 * air + shim).astype(np.float32)
    rng = np.random.default_rng(3)
    total += rng.normal(0, 0.001, total.shape).astype(np.float32)
    return {"brain": brain, "total": total, "local": local, "near": near, "deep": deep}


def error(local: np.ndarray, head: dict[str, np.ndarray]) -> float:
    """Error of the local field relative to its own size, both less their means."""
    brain = head["brain"] != 0
    truth = head["local"][brain] - head["local"][brain].mean()
    off = local[brain] - local[brain].mean() - truth
    return float(np.linalg.norm(off) / np.linalg.norm(truth))


def test_local_field_survives_a_strong_background(head: dict[str, np.ndarray]) -> None:
    local, field_mask = tfi(head["total"], head["brain"], voxel_size=SIZE, b0_dir=B0)
    assert (field_mask == head["brain"]).all()
    assert error(local, head) < 0.25


def test_the_model_of_the_inside_is_what_keeps_the_local_field(
    head: dict[str, np.ndarray],
) -> None:
    """Without one, the harmonic part of the local field is lost."""
    bare, _ = lbv(head["total"], head["brain"], voxel_size=SIZE)
    whole, _ = tfi(head["total"], head["brain"], voxel_size=SIZE, b0_dir=B0)
    assert error(whole, head) < 0.8 * error(bare, head)


def test_a_vein_near_the_surface_gets_its_contrast_back(head: dict[str, np.ndarray]) -> None:
    """Balls in a row, 4 mm below it: total variation takes 2 % of their field on its own."""
    local, near = np.zeros_like(head["total"]), np.zeros(head["brain"].shape, bool)
    for angle in np.linspace(-0.7, 0.7, 11):
        away, field = sphere((16 * np.cos(angle), 16 * np.sin(angle), 0), 1.6)
        local += 0.4 * field
        near |= (away < 4) & (head["brain"] != 0)
    total = head["total"] - head["local"] + local
    found, _ = tfi(total, head["brain"], voxel_size=SIZE, b0_dir=B0, regularisation=1e-3)
    assert np.polyfit(local[near], found[near], 1)[0] == pytest.approx(1, abs=0.015)


def test_a_constant_field_changes_nothing(head: dict[str, np.ndarray]) -> None:
    options = {"voxel_size": SIZE, "b0_dir": B0, "max_iter": 6}
    first, _ = tfi(head["total"], head["brain"], **options)
    second, _ = tfi(head["total"] + np.float32(5), head["brain"], **options)
    np.testing.assert_allclose(second, first, atol=2e-4)


def test_voxels_without_a_field_do_not_spoil_the_rest(head: dict[str, np.ndarray]) -> None:
    total = head["total"].copy()
    noise = np.full(total.shape, 0.001, np.float32)
    hole = (slice(30, 33), slice(20, 23), slice(20, 23))
    total[hole], noise[hole] = 40.0, 0
    local, _ = tfi(total, head["brain"], noise, voxel_size=SIZE, b0_dir=B0)
    local[hole] = head["local"][hole]
    assert error(local, head) < 0.35


def test_cancel(head: dict[str, np.ndarray]) -> None:
    def stop(fraction: float, stage: str) -> None:
        if fraction > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        tfi(head["total"], head["brain"], voxel_size=SIZE, b0_dir=B0, progress=stop)
