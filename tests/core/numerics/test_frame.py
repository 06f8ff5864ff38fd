"""The box of heavy work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.errors import InputError


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.uint8, st.tuples(*[st.integers(1, 9)] * 3), elements=st.integers(0, 1)),
    st.integers(0, 5),
)
def test_what_is_cut_comes_back(mask: np.ndarray, margin: int) -> None:
    if not mask.any():
        with pytest.raises(InputError, match="empty"):
            Frame.around(mask)
        return
    values = np.arange(1, mask.size + 1, dtype=np.float32).reshape(mask.shape)
    frame = Frame.around(mask, (margin,) * 3)
    cut = frame.cut(values, mask)
    np.testing.assert_array_equal(frame.paste(cut), values * mask)
    for size, span in zip(frame.shape, frame.box, strict=True):
        assert size >= span.stop - span.start + margin
    assert cut.sum() == pytest.approx(float((values * mask).sum()))


def test_box_is_as_small_as_the_mask() -> None:
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[3:9, 5:6, 10:18] = 1
    frame = Frame.around(mask)
    assert frame.box == (slice(3, 9), slice(5, 6), slice(10, 18))


def test_nan_outside_the_mask_and_inside_becomes_zero() -> None:
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1:3, 1:3, 1:3] = 1
    values = np.full(mask.shape, np.nan, np.float32)
    values[1, 1, 1] = 2
    cut = Frame.around(mask).cut(values, mask)
    assert np.isfinite(cut).all()
    assert cut.sum() == 2


def test_cut_is_a_copy() -> None:
    values = np.ones((4, 4, 4), np.float32)
    cut = Frame.around(values).cut(values)
    cut[:] = 5
    assert (values == 1).all()


def test_millimetres_round_up() -> None:
    assert millimetres(12.0, (1.0, 0.9, 2.5)) == (12, 14, 5)
    assert millimetres(0.3 * 3, (0.3, 1.0, 1.0)) == (3, 1, 1)
