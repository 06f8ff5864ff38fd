import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.tubes import tube_response

SIZE = (0.8, 1.0, 1.25)
SHAPE = (31, 27, 23)


def place():
    grid = np.meshgrid(*[np.arange(n) - n // 2 for n in SHAPE], indexing="ij")
    return [g * s for g, s in zip(grid, SIZE, strict=True)]


def response(image, sigma=3.0):
    found = tube_response(image.astype(np.float32), np.ones(SHAPE, np.uint8), sigma, SIZE)
    middle = tuple(n // 2 for n in SHAPE)
    return max(0.0, float(found[middle])), max(0.0, -float(found[middle]))


def across(direction, width=3.0):
    """Gaussian profile across a line through the middle."""
    direction = np.array(direction, float) / np.linalg.norm(direction)
    points = place()
    along = sum(d * p for d, p in zip(direction, points, strict=True))
    square = sum(p**2 for p in points) - along**2
    return np.exp(-square / (2 * width**2))


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 0, 1), (1, 1, 0), (1, -2, 1.5)])
def test_tube_of_any_direction_gives_its_curvature(direction):
    # exp(-r^2 / 2 w^2) has the curvature 1 / w^2 in both directions across: sigma^2 / w^2 = 1
    bright, dark = response(across(direction))
    assert bright == pytest.approx(1.0, rel=0.08)
    assert dark == 0


def test_dark_tube_answers_in_the_other_sign():
    bright, dark = response(-across((0, 1, 0)))
    assert bright == 0
    assert dark == pytest.approx(1.0, rel=0.05)


def test_a_sheet_is_no_tube_and_a_ball_is_half_of_one():
    x, y, z = place()
    sheet, _ = response(np.exp(-(x**2) / 18))
    assert sheet < 0.01
    ball, _ = response(np.exp(-(x**2 + y**2 + z**2) / 18))
    assert ball == pytest.approx(0.5, rel=0.05)


def test_nothing_outside_the_mask():
    inside = np.zeros(SHAPE, np.uint8)
    found = tube_response(across((1, 0, 0)).astype(np.float32), inside, 3.0, SIZE)
    assert not found.any()
