import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.warp_territories import warp_territories


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def distorted(subject):
    """The same head in another scanner position, larger and slimmer than the template."""
    motion = np.eye(4)
    turn = Rotation.from_euler("xyz", (7, -5, 9), degrees=True).as_matrix()
    motion[:3, :3] = turn @ np.diag([1.06, 0.95, 1.08])
    motion[:3, 3] = (14, -20, 17)
    return motion @ subject.affine


def warp(subject, affine, brain=None, **options):
    size = tuple(float(v) for v in np.linalg.norm(affine[:3, :3], axis=0))
    brain = subject.brain if brain is None else brain
    return warp_territories(subject.magnitude, brain, affine=affine, voxel_size=size, **options)


def test_territories_follow_the_head(subject, distorted):
    labels = warp(subject, distorted)
    np.testing.assert_array_equal(labels > 0, subject.brain > 0)
    for label, (artery, _) in LABELS.items():
        found = dice(labels == label, subject.territories == label)
        assert found > (0.93 if artery == "MCA" else 0.85), (label, found)
    # a side is a side: nothing further than a voxel across the mid-plane
    wrong = (labels % 2 != subject.territories % 2) & (subject.brain > 0)
    across = np.abs(np.nonzero(wrong)[0] * 4 - 98)
    assert across.max(initial=0) <= 8


def test_the_result_repeats_bit_for_bit(subject, distorted):
    first, second = (warp(subject, distorted, finest=6.0) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_brain_beyond_the_template_gets_the_nearest_label(subject):
    larger = subject.brain.copy()
    larger[2:4, 25:30, 20:25] = 1  # an island far to the left
    labels = warp(subject, subject.affine, larger, finest=6.0)
    assert set(np.unique(labels[2:4, 25:30, 20:25])) <= {3, 5}
    np.testing.assert_array_equal(labels > 0, larger > 0)


def test_too_little_of_a_brain_is_said(subject):
    piece = subject.brain.copy()
    piece[:, :, 12:] = 0
    piece[:, 16:] = 0
    assert 0 < piece.sum() * 0.064 < 100  # ml
    with pytest.raises(InputError, match="too little"):
        warp(subject, subject.affine, piece)
