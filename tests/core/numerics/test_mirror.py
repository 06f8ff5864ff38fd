import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from napari_qsm_stroke.core.numerics.mirror import HeadCoordinates, mirror_mask

TURN = Rotation.from_euler("xyz", (4, -9, 12), degrees=True).as_matrix()
MIDDLE = np.array([6.0, -11.0, 23.0])


def plane():
    """Plane through MIDDLE across the first axis of TURN."""
    return np.append(TURN[:, 0], -TURN[:, 0] @ MIDDLE)


def reflected(points):
    normal, offset = plane()[:3], plane()[3]
    return points - 2 * (points @ normal + offset)[:, None] * normal


def bent_head():
    """A head whose mid-surface bulges by up to 8 mm, and its exact coordinates."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [-80, -90, -70]
    index = np.indices((41, 46, 36)).reshape(3, -1).T
    places = index @ affine[:3, :3].T + affine[:3, 3]
    there = places.copy()
    there[:, 0] -= bulge(places)
    return HeadCoordinates(there.reshape(41, 46, 36, 3).astype(np.float32), affine)


def bulge(points):
    return 8 * np.exp(-((points[:, 1] / 40) ** 2) - (points[:, 2] / 40) ** 2)


def test_a_plane_mirrors_exactly():
    points = np.random.default_rng(1).uniform(-90, 90, (200, 3))
    head = HeadCoordinates.of_plane(plane())
    np.testing.assert_allclose(head.mirrored(points), reflected(points), atol=1e-3)
    np.testing.assert_allclose(head.at(points)[:, 0], points @ plane()[:3] + plane()[3], atol=1e-3)


def test_a_bent_surface_is_followed():
    points = np.random.default_rng(2).uniform(-50, 50, (500, 3))
    expected = points.copy()
    expected[:, 0] = 2 * bulge(points) - points[:, 0]
    found = bent_head().mirrored(points)
    np.testing.assert_allclose(found, expected, atol=0.3)
    flat = points * [-1, 1, 1]
    assert np.abs(flat - expected).max() > 10  # a flip of the array is far off


@pytest.mark.parametrize("head", [HeadCoordinates.of_plane(plane()), bent_head()])
def test_a_mirrored_mask_is_the_mirrored_ball(head):
    affine = np.diag([2.0, 2.0, 2.5, 1.0])
    affine[:3, 3] = [-80, -80, -60]
    index = np.indices((80, 80, 48)).reshape(3, -1).T
    places = index @ affine[:3, :3].T + affine[:3, 3]
    centre = np.array([-34.0, 5.0, 8.0])
    ball = (np.linalg.norm(places - centre, axis=1) < 14).reshape(80, 80, 48)
    found = mirror_mask(ball, head, affine)
    expected = (np.linalg.norm(head.mirrored(places) - centre, axis=1) < 14).reshape(ball.shape)
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.96
    middle = np.array(ndimage.center_of_mass(found)) * np.diag(affine)[:3] + affine[:3, 3]
    assert np.linalg.norm(middle - head.mirrored(centre[None])[0]) < 1.5


def test_nothing_mirrors_to_nothing():
    empty = np.zeros((8, 8, 8), bool)
    assert not mirror_mask(empty, HeadCoordinates.of_plane(plane()), np.eye(4)).any()
    corner = empty.copy()
    corner[0, 0, 0] = True
    far = HeadCoordinates.of_plane(np.array([1.0, 0, 0, -500.0]))
    assert not mirror_mask(corner, far, np.eye(4)).any()
