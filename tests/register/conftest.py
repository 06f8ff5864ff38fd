"""The template's brain as two images of one head in different contrast."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.register.template import load_template

STEP = 4


@dataclass(frozen=True)
class Subject:
    """Gradient echo of a head (bright fluid, dark white matter) on a 4 mm grid."""

    magnitude: np.ndarray
    brain: np.ndarray
    territories: np.ndarray
    affine: np.ndarray
    voxel_size: tuple[float, float, float] = (4.0, 4.0, 4.0)


@pytest.fixture(scope="session")
def subject():
    head = load_template()
    tissue = 0.6 * head.wm + 0.8 * head.gm + (head.brain - head.wm - head.gm).clip(0)
    coarse = ndimage.gaussian_filter(tissue, 1.6)[::STEP, ::STEP, ::STEP]
    rng = np.random.default_rng(11)
    magnitude = 500 * coarse + rng.normal(0, 8, coarse.shape)
    affine = head.affine.copy()
    affine[:3, :3] *= STEP
    return Subject(
        magnitude[..., None].astype(np.float32),
        head.brain[::STEP, ::STEP, ::STEP].copy(),
        head.territories[::STEP, ::STEP, ::STEP].copy(),
        affine,
    )
