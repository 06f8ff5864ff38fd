import numpy as np
import pytest

from napari_qsm_stroke.core.masks import edit
from napari_qsm_stroke.errors import InputError

SIZE = (1.0, 1.0, 2.0)


@pytest.fixture
def two_blocks():
    mask = np.zeros((20, 20, 12), np.uint8)
    mask[2:8, 2:8, 2:8] = 1
    mask[12:18, 12:18, 3:5] = 1
    mask.flags.writeable = False
    return mask


def test_grow_and_shrink_in_mm(two_blocks):
    grown = edit.grow(two_blocks, 1.0, voxel_size=SIZE)
    assert grown[1, 4, 4] == 1
    assert grown[4, 4, 1] == 0  # 2 mm away
    assert edit.grow(two_blocks, 2.0, voxel_size=SIZE)[4, 4, 1] == 1
    back = edit.shrink(edit.grow(two_blocks, 2.0, voxel_size=SIZE), 2.0, voxel_size=SIZE)
    assert back[4, 4, 4] == 1
    assert back.dtype == np.uint8


def test_clicked_part_is_kept_or_removed(two_blocks):
    kept = edit.keep_component(two_blocks, (3, 3, 3))
    gone = edit.remove_component(two_blocks, (3, 3, 3))
    assert kept.sum() == 216
    assert gone.sum() == 72
    np.testing.assert_array_equal(kept + gone, two_blocks)


@pytest.mark.parametrize("voxel", [(0, 0, 0), (40, 0, 0), (-1, 3, 3)])
def test_a_click_beside_the_mask_is_said(two_blocks, voxel):
    with pytest.raises(InputError, match="not part"):
        edit.keep_component(two_blocks, voxel)


def test_holes_and_specks(two_blocks):
    holed = two_blocks.copy()
    holed[4, 4, 4] = 0
    np.testing.assert_array_equal(edit.fill_holes(holed), two_blocks)
    assert edit.remove_small(two_blocks, 200.0, voxel_size=SIZE).sum() == 216


def test_between_two_slices_the_outline_passes_over():
    mask = np.zeros((41, 41, 9), np.uint8)
    x, y = np.indices((41, 41)) - 20
    for index, radius in ((1, 6.0), (7, 12.0)):
        mask[..., index] = x**2 + y**2 <= radius**2
    filled = edit.fill_between(mask, 2, voxel_size=SIZE)
    np.testing.assert_array_equal(filled[..., [1, 7]], mask[..., [1, 7]])
    assert not filled[..., [0, 8]].any()
    radii = np.sqrt(filled.sum(axis=(0, 1))[1:8] / np.pi)
    np.testing.assert_allclose(radii, np.linspace(6, 12, 7), atol=0.4)
    turned = edit.fill_between(np.moveaxis(mask, 2, 0), 0, voxel_size=(2.0, 1.0, 1.0))
    np.testing.assert_array_equal(np.moveaxis(turned, 0, 2), filled)
