import numpy as np
import pytest

from napari_qsm_stroke.core.masks.refine_brain import refine_brain

SIZE = (1.5, 1.5, 2.0)
SHAPE = (70, 70, 50)
X, Y, Z = (np.indices(SHAPE) - np.reshape(SHAPE, (3, 1, 1, 1)) / 2) * np.reshape(SIZE, (3, 1, 1, 1))
BRAIN = (X**2 + Y**2 + Z**2 < 44**2).astype(np.uint8)


@pytest.fixture
def quality():
    rng = np.random.default_rng(6)
    return rng.uniform(0.7, 0.9, SHAPE).astype(np.float32) * BRAIN


def test_good_phase_leaves_the_mask(quality):
    np.testing.assert_array_equal(refine_brain(BRAIN, quality, voxel_size=SIZE), BRAIN)


def test_the_unreliable_base_is_cut(quality):
    base = Z < -30
    quality[base] *= 0.2
    refined = refine_brain(BRAIN, quality, voxel_size=SIZE)
    assert refined[base & (Z < -34)].sum() == 0
    assert refined[(Z > -26) & (BRAIN > 0)].mean() > 0.995


def test_scale_of_the_quality_does_not_matter(quality):
    quality[Z < -30] *= 0.2
    first = refine_brain(BRAIN, quality, voxel_size=SIZE)
    np.testing.assert_array_equal(refine_brain(BRAIN, 64 * quality, voxel_size=SIZE), first)


def test_veins_and_lesions_inside_are_kept(quality):
    vein = (np.abs(X) < 0.8) & (np.abs(Z) < 1.1)  # across the brain, out to its surface
    bleeding = (X + 10) ** 2 + Y**2 + Z**2 < 8**2
    quality[vein | bleeding] = 0.05
    refined = refine_brain(BRAIN, quality, voxel_size=SIZE)
    assert refined[bleeding].all()
    assert refined[vein & (BRAIN > 0)].mean() > 0.95


def test_islands_cut_off_are_dropped(quality):
    two = BRAIN.copy()
    two[:8, :8, :8] = 1
    refined = refine_brain(two, quality + two * 0.7, voxel_size=SIZE)
    assert refined[:8, :8, :8].sum() == 0


def test_level_zero_changes_nothing(quality):
    np.testing.assert_array_equal(
        refine_brain(BRAIN, quality * 0, voxel_size=SIZE, level=0.0), BRAIN
    )
    assert not refine_brain(BRAIN * 0, quality, voxel_size=SIZE).any()
