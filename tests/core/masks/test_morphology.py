import numpy as np
import pytest

from napari_qsm_stroke.core.masks import morphology as m

SIZE = (1.0, 1.5, 2.0)
SHAPE = (60, 40, 30)
GRID = np.indices(SHAPE) * np.array(SIZE)[:, None, None, None]


def ball(radius, centre=(30, 30, 30)):
    return ((GRID - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(0) <= radius**2


def test_growing_and_shrinking_are_in_millimetres():
    grown = m.dilate(ball(12), 5.0, SIZE)
    assert not (ball(12) & ~grown).any()
    assert grown.sum() == pytest.approx(ball(17).sum(), rel=0.1)
    shrunk = m.erode(ball(17), 5.0, SIZE)
    assert not (shrunk & ~ball(13.5)).any()
    assert not (ball(11.5) & ~shrunk).any()


def test_the_border_of_the_field_of_view_is_no_surface():
    slab = np.ones(SHAPE, bool)
    slab[:20] = False
    shrunk = m.erode(slab, 3.0, SIZE)
    assert shrunk[24:].all()
    assert not shrunk[:22].any()


def test_closing_fills_a_notch_and_nothing_else():
    mask = ball(20)
    mask[30:32, 18:] = False  # 2 mm wide slit
    closed = m.close(mask, 3.0, SIZE)
    assert closed[ball(14)].all()
    assert not closed[~m.dilate(ball(20), 1.5, SIZE)].any()


def test_holes_open_to_the_outside_are_kept():
    mask = ball(20)
    mask[30, 20, 15] = False
    np.testing.assert_array_equal(m.fill_holes(mask), ball(20))
    mask[30:, 20, 15] = False
    assert not m.fill_holes(mask)[30, 20, 15]


def test_parts_by_size():
    mask = ball(6, (15, 15, 15)) | ball(9, (40, 30, 40))
    np.testing.assert_array_equal(m.largest(mask), ball(9, (40, 30, 40)))
    np.testing.assert_array_equal(m.without_small_parts(mask, 2000, SIZE), ball(9, (40, 30, 40)))
    np.testing.assert_array_equal(m.without_small_parts(mask, 500, SIZE), mask)
    assert not m.largest(np.zeros(SHAPE, bool)).any()
