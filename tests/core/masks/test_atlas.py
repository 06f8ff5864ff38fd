import numpy as np
import pytest

from napari_qsm_stroke.core.masks.atlas import territory_map
from napari_qsm_stroke.core.quantities import LABELS

# Landmarks in MNI space (mm), left hemisphere, with the artery that every description gives them.
LANDMARKS = {
    "ACA": [(-5, 40, 30), (-8, 0, 60), (-5, 50, -15), (-10, -50, 65), (-5, 60, 10)],
    "MCA": [(-50, 0, 30), (-38, 5, 0), (-25, 5, 2), (-60, -30, 5), (-45, 20, -30), (-50, -50, 40)],
    "PCA": [(-10, -85, 5), (-10, -18, 8), (-25, -30, -8), (-35, -55, -15), (-5, -25, -12)],
    "VB": [(-25, -60, -40), (-5, -30, -35), (-5, -60, -12), (-5, -38, -55)],
}
POINTS = [(artery, point) for artery, points in LANDMARKS.items() for point in points]


def label_at(x: float, y: float, z: float) -> tuple[str, str]:
    affine = np.eye(4)
    affine[:3, 3] = (x, y, z)
    return LABELS[int(territory_map(np.ones((1, 1, 1), np.uint8), affine)[0, 0, 0])]


@pytest.mark.parametrize(("artery", "point"), POINTS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_landmarks_have_their_artery(artery, point, side):
    x, y, z = point
    assert label_at(x if side == "left" else -x, y, z) == (artery, side)


def test_only_the_brain_is_labelled_and_all_of_it():
    brain = np.zeros((60, 70, 60), np.uint8)
    brain[5:50, 5:60, 5:55] = 1
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = (-89, -115, -70)
    labels = territory_map(brain, affine)
    np.testing.assert_array_equal(labels > 0, brain > 0)
    assert set(np.unique(labels)) == {0, *LABELS}


def test_left_and_right_mirror_each_other():
    brain = np.ones((60, 50, 50), np.uint8)
    affine = np.diag([3.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = (-88.5, -110, -70)
    labels = territory_map(brain, affine).astype(int)
    np.testing.assert_array_equal(labels[:30] + 1, labels[:29:-1])
