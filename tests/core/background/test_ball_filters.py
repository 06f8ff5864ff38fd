"""SHARP, RESHARP and iSMV against plain versions of their equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse.linalg import LinearOperator, cg

from napari_qsm_stroke.core.background.ball_filter import BallFilter
from napari_qsm_stroke.core.background.ismv import ismv
from napari_qsm_stroke.core.background.resharp import resharp
from napari_qsm_stroke.core.background.sharp import sharp
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.physics.sphere import ball

SHAPE, SIZE, RADIUS = (26, 28, 22), (1.0, 1.0, 1.3), 3.0


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Field (less its mean in the brain), brain and its part that a ball fits into."""
    place = [(i - (n - 1) / 2) * d for i, n, d in zip(np.indices(SHAPE), SHAPE, SIZE, strict=True)]
    brain = sum(p**2 for p in place) < 11**2
    texture = ndimage.gaussian_filter(np.random.default_rng(43).normal(size=SHAPE), 1.5)
    field = np.where(brain, 0.02 * place[0] + 0.01 * place[1] * place[2] / 10 + texture, 0)
    field[brain] -= field[brain].mean()
    deep = ndimage.distance_transform_edt(brain, SIZE) > RADIUS + 1e-3
    return field.astype(np.float32), brain.astype(np.uint8), deep


def change(volume: np.ndarray) -> np.ndarray:
    """Volume less its mean over a ball, summed directly."""
    return volume - ndimage.convolve(volume, ball(RADIUS, SIZE).astype(float), mode="constant")


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def test_sharp_is_a_truncated_division(head: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    field, brain, deep = head
    found, mask = sharp(field, brain, voxel_size=SIZE, radius=RADIUS, threshold=0.1, rim="lost")
    frame = Frame.around(brain, millimetres(RADIUS, SIZE))
    kernel = BallFilter(frame.shape, RADIUS, SIZE).kernel
    inverse = np.where(np.abs(kernel) > 0.1, 1 / np.maximum(np.abs(kernel), 0.1), 0)
    filtered = frame.cut(np.where(deep, change(field.astype(float)), 0))
    spectrum = np.fft.rfftn(filtered) * inverse * np.sign(kernel)
    local = np.fft.irfftn(spectrum, frame.shape, axes=(0, 1, 2))
    np.testing.assert_array_equal(mask, deep)
    assert difference(found, frame.paste(local) * deep) < 1e-5


def test_ismv_is_what_repeated_means_come_to(
    head: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    field, brain, deep = head
    found, mask = ismv(field, brain, voxel_size=SIZE, radius=RADIUS, tol=1e-6, rim="lost")
    background = field.astype(float)
    for _ in range(400):
        background = np.where(deep, background - change(background), field)
    np.testing.assert_array_equal(mask, deep)
    assert difference(found, (field - background) * deep) < 1e-3


@pytest.mark.parametrize("regularisation", [1e-4, 1e-2])
def test_resharp_is_the_regularised_minimum(
    regularisation: float, head: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    """Sun and Wilman's own normal equations, on the local field itself."""
    field, brain, deep = head
    options = {"regularisation": regularisation, "tol": 1e-6, "max_iter": 400}
    found, _ = resharp(field, brain, voxel_size=SIZE, radius=RADIUS, rim="lost", **options)

    def normal(flat: np.ndarray) -> np.ndarray:
        local = flat.reshape(SHAPE)
        return (change(deep * change(local)) + regularisation * local).ravel()

    size = int(np.prod(SHAPE))
    right = change(deep * change(field.astype(float))).ravel()
    local, failed = cg(LinearOperator((size, size), normal), right, rtol=1e-7, maxiter=3000)
    assert failed == 0
    assert difference(found, local.reshape(SHAPE) * deep) < 2e-3


@pytest.mark.parametrize("method", [ismv, resharp])
def test_few_iterations_do(method: object, head: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    field, brain, _ = head
    first, _ = method(field, brain, voxel_size=SIZE, radius=RADIUS, max_iter=15)
    last, _ = method(field, brain, voxel_size=SIZE, radius=RADIUS, max_iter=500, tol=1e-6)
    assert difference(first, last) < 0.02


def test_filter_is_its_own_adjoint() -> None:
    rng = np.random.default_rng(44)
    a, b = (rng.normal(size=(18, 20, 15)).astype(np.float32) for _ in range(2))
    sphere = BallFilter((18, 20, 15), RADIUS, SIZE)
    assert np.vdot(sphere.apply(a), b) == pytest.approx(np.vdot(a, sphere.apply(b)), rel=1e-4)


@pytest.mark.parametrize("method", [sharp, ismv, resharp])
def test_extended_rim_keeps_what_is_known(
    method: object, head: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    field, brain, deep = head
    lost, _ = method(field, brain, voxel_size=SIZE, radius=RADIUS, rim="lost")
    whole, mask = method(field, brain, voxel_size=SIZE, radius=RADIUS)
    np.testing.assert_array_equal(mask, brain)
    np.testing.assert_array_equal(whole[deep], lost[deep])
    assert np.abs(whole[(brain != 0) & ~deep]).max() > 0
