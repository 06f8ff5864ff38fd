"""Lines of a mask keep what lies in them, in order."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.numerics.mask_rows import MaskRows

SHAPE = (5, 6, 9)


def scattered() -> np.ndarray:
    """A mask with gaps, with empty lines, and with voxels at both ends of a line."""
    mask = np.random.default_rng(3).random(SHAPE) < 0.15
    mask[0, 0, [0, -1]] = True
    mask[1, 1] = False
    mask[2, 2] = False
    mask[2, 2, -1] = True
    return mask


@pytest.mark.parametrize("order", ["C", "F"])
def test_lines_hold_the_mask_and_nothing_beyond_its_ends(order: str) -> None:
    mask = scattered()
    rows = MaskRows.of(mask)
    volume = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32, order=order)
    values = rows.pack(volume)
    spanned = np.logical_or.accumulate(mask, axis=2)
    spanned &= np.logical_or.accumulate(mask[:, :, ::-1], axis=2)[:, :, ::-1]
    assert values.size == rows.size == rows.zeros().size == spanned.sum()
    np.testing.assert_array_equal(values, volume[spanned])
    np.testing.assert_array_equal(rows.unpack(values), np.where(spanned, volume, 0))


def test_whole_lines_are_the_flat_volume() -> None:
    volume = np.random.default_rng(5).normal(size=SHAPE).astype(np.float32)
    np.testing.assert_array_equal(MaskRows.whole(SHAPE).pack(volume), volume.ravel())


def test_an_empty_mask_has_no_lines() -> None:
    rows = MaskRows.of(np.zeros(SHAPE, bool))
    assert rows.size == 0
    assert not rows.unpack(rows.zeros()).any()
