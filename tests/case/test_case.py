from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke import Acquisition, Case, Grid, Volume
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.errors import InputError, MissingError


def test_volume_is_read_only_but_the_callers_array_is_not() -> None:
    data = np.zeros((2, 3, 4), np.float32)
    volume = Volume(data, Grid((2, 3, 4), np.eye(4)))
    with pytest.raises(ValueError, match="read-only"):
        volume.data[0] = 1
    data[0] = 1


def test_digest_depends_on_values_geometry_and_unit() -> None:
    grid, other = Grid((2, 3, 4), np.eye(4)), Grid((2, 3, 4), np.diag([2.0, 1, 1, 1]))
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    same = Volume(np.asfortranarray(data), grid, "ppm")
    assert Volume(data, grid, "ppm").digest == same.digest
    others = [
        Volume(data + 1, grid, "ppm"),
        Volume(data, other, "ppm"),
        Volume(data, grid, "Hz"),
        Volume(data.astype(np.float64), grid, "ppm"),
    ]
    digests = {v.digest for v in others} | {same.digest}
    assert len(digests) == 5


def test_volume_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(2, 3, 5\)"):
        Volume(np.zeros((2, 3, 5)), Grid((2, 3, 4), np.eye(4)))


@pytest.mark.parametrize(
    ("times", "strength", "sentence"),
    [
        ((), 3.0, "Echo times: none given"),
        ((0.0, 0.01), 3.0, "positive, increasing"),
        ((0.02, 0.01), 3.0, "positive, increasing"),
        ((0.01, 0.01), 3.0, "positive, increasing"),
        ((4.0, 8.0), 3.0, "in seconds, not milliseconds"),
        ((float("nan"),), 3.0, "positive, increasing"),
        ((0.01,), float("nan"), "Field strength: not given"),
        ((0.01,), 3000.0, "0.1 to 25 T"),
    ],
)
def test_impossible_acquisitions_are_refused(
    times: tuple[float, ...], strength: float, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        Acquisition(times, strength)


def test_a_new_case_leaves_the_old_one_alone(small_case: Case) -> None:
    volume = small_case.maps["brain"]
    record = Record("run", "x", outputs={"veins": volume.digest})
    after = small_case.with_maps(record, {"veins": volume})
    assert "veins" not in small_case.maps
    assert after.maps["magnitude"] is small_case.maps["magnitude"]
    assert after.history == (record,)
    with pytest.raises(TypeError):
        after.maps["veins"] = volume


def test_an_edit_is_recorded_and_protected(small_case: Case) -> None:
    brain = np.array(small_case.maps["brain"].data)
    brain[0, 0, :3] = 0
    after = small_case.with_edit("brain", small_case.maps["brain"].with_data(brain))
    assert after.history[-1].action == "edit"
    assert after.history[-1].parameters["changed_voxels"] == 3
    assert "brain" in after.given
    assert "brain" not in after.without(["brain"]).given


def test_an_edit_on_another_grid_is_refused(small_case: Case) -> None:
    foreign = Volume(np.zeros((8, 10, 6), np.uint8), Grid((8, 10, 6), np.eye(4)))
    with pytest.raises(InputError, match="does not fit"):
        small_case.with_edit("veins", foreign)


def test_missing_map_says_what_there_is(small_case: Case) -> None:
    with pytest.raises(MissingError, match=r"local_field is needed.*brain, magnitude, phase"):
        small_case.require("local_field")


def test_key_gives_subject_and_session() -> None:
    case = Case("sub-07_ses-2", None)
    assert (case.subject, case.session) == ("07", "2")
    assert Case("sub-07", None).session == ""
