"""Slices lie as a radiologist expects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_qsm_stroke import Case, Grid, Volume
from napari_qsm_stroke.report.views import Frame, Plane, frame_of, planes_of, vein_regions


def marked() -> tuple[Frame, np.ndarray]:
    """A block with a mark at the patient's right, front and top."""
    data = np.zeros((6, 8, 10), np.float32)
    data[5, 7, 9] = 1.0
    grid = Grid((6, 8, 10), np.diag([1.0, 1.0, 1.0, 1.0]))
    return Frame(grid, (slice(0, 6), slice(0, 8), slice(0, 10))), data


def test_right_is_left_on_the_image_and_front_is_up() -> None:
    frame, data = marked()
    axial = frame.image(data, Plane(2, 9, ""))
    assert axial.shape == (8, 6)
    assert np.argwhere(axial).tolist() == [[7, 0]]
    coronal = frame.image(data, Plane(1, 7, ""))
    assert coronal.shape == (10, 6)
    assert np.argwhere(coronal).tolist() == [[9, 0]]


def test_slabs_reach_eight_millimetres() -> None:
    frame, data = marked()
    assert frame.image(data, Plane(2, 5, ""), "maximum").any()
    assert not frame.image(data, Plane(2, 4, ""), "maximum").any()
    assert not frame.image(data, Plane(2, 5, "")).any()


def test_slices_go_through_the_infarct(stroke_case: Case) -> None:
    infarct = stroke_case.maps["infarct"].data
    planes = planes_of(stroke_case)
    assert [p.axis for p in planes] == [2, 2, 2, 1]
    assert len({p.index for p in planes[:3]}) == 3
    assert all(infarct[:, :, p.index].any() for p in planes[:3])
    assert infarct[:, planes[3].index].any()
    assert planes[0].index > planes[1].index > planes[2].index


def test_a_thin_infarct_still_gives_three_slices(stroke_case: Case) -> None:
    thin = np.zeros(stroke_case.grid.shape, np.uint8)
    thin[10:14, 30:34, 0] = 1
    case = stroke_case.with_given({"infarct": Volume(thin, stroke_case.grid)})
    axial = [p.index for p in planes_of(case)[:3]]
    assert len(set(axial)) == 3


def test_frame_holds_the_brain(stroke_case: Case) -> None:
    frame = frame_of(stroke_case)
    outside = stroke_case.maps["brain"].data.copy()
    outside[frame.crop] = 0
    assert not outside.any()
    bare = replace(stroke_case, maps={"magnitude": stroke_case.maps["magnitude"]})
    assert frame_of(bare).crop[0].stop > 0
    assert len(planes_of(bare)) == 4


def test_veins_are_coloured_by_their_region(stroke_case: Case) -> None:
    labels = vein_regions(stroke_case, "left", 3.0)
    veins = stroke_case.maps["veins"].data != 0
    infarct = stroke_case.maps["infarct"].data != 0
    territories = stroke_case.maps["territories"].data
    assert np.array_equal(labels > 0, veins)
    assert np.array_equal(labels == 1, veins & infarct & (territories == 3))
    assert np.array_equal(labels == 3, veins & (territories == 4))
    assert set(np.unique(vein_regions(stroke_case, None, 3.0))) == {0, 4}
    assert not vein_regions(stroke_case.without(["veins"]), "left", 3.0).any()
