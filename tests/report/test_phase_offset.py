"""The light that tells of what the coils add to the phase."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke import Case, Volume
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.report.quality import quality_strip

TITLE = "Phase offset of the coils"


def lights(case: Case) -> dict[str, tuple[str, str]]:
    return {x.title: (x.level, x.reason) for x in quality_strip(case, measure(case))}


def test_no_light_where_it_was_not_computed(stroke_case: Case) -> None:
    assert TITLE not in lights(stroke_case)


@pytest.mark.parametrize(
    ("slope", "noise", "level"), [(0.002, 0.0, "ok"), (0.04, 0.0, "check"), (0.002, 0.5, "check")]
)
def test_large_or_rough_offsets_are_to_be_checked(
    stroke_case: Case, slope: float, noise: float, level: str
) -> None:
    shape = stroke_case.grid.shape
    offset = (
        2 + 3 * slope * np.indices(shape)[0] + noise * np.random.default_rng(3).normal(size=shape)
    )
    volume = Volume(offset.astype(np.float32), stroke_case.grid, "rad")
    case = stroke_case.with_maps(Record("run", "fit_residual"), {"offset_left": volume})
    found, words = lights(case)[TITLE]
    assert found == level
    assert "rad/mm" in words
