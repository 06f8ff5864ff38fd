"""The territory table of a whole case."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from napari_qsm_stroke import Case, Grid, Volume
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.core.measure.regions import REGIONS
from napari_qsm_stroke.core.measure.table import COLUMNS
from napari_qsm_stroke.errors import InputError, MissingError, ParameterError
from napari_qsm_stroke.pipeline.measure import MeasureSettings, check_inputs, measure


def test_known_veins_give_known_numbers(stroke_case: Case) -> None:
    found = measure(stroke_case)
    assert [row.region for row in found.rows] == list(REGIONS)
    assert (found.side, found.side_origin) == ("left", "found")
    assert found.notes == ()
    core = found.row("infarct_core")
    assert core.chi_median_ppm == pytest.approx(0.06, abs=0.001)
    assert core.percent_vs_ipsilateral == pytest.approx(-40, abs=2)
    assert core.percent_vs_contralateral == pytest.approx(-45.5, abs=2)
    assert core.chi_median_ci_low_ppm is not None
    assert core.chi_median_ci_high_ppm is not None
    assert core.chi_median_ci_low_ppm <= core.chi_median_ppm <= core.chi_median_ci_high_ppm
    assert found.row("mirrored_core").side == "right"
    assert found.row("mirrored_core").chi_median_ppm == pytest.approx(0.11, abs=0.001)
    assert found.row("peri_infarct_0_5mm").chi_median_ppm == pytest.approx(0.10, abs=0.001)
    assert {row.qc for row in found.rows} == {"ok"}


def test_columns_are_those_of_the_design() -> None:
    assert " ".join(COLUMNS) == (
        "subject session region side volume_ml vein_volume_ml n_vein_voxels n_vein_segments "
        "chi_median_ppm chi_q1_ppm chi_q3_ppm chi_p90_ppm chi_mean_ppm chi_sd_ppm "
        "chi_median_ci_low_ppm chi_median_ci_high_ppm percent_vs_ipsilateral "
        "percent_vs_contralateral oef_median reference qc "
        "vein_radius_median_mm n_blood_segments chi_blood_median_ppm chi_blood_ci_low_ppm "
        "chi_blood_ci_high_ppm percent_matched_vs_ipsilateral percent_matched_vs_contralateral"
    )


def test_records_hold_the_columns_in_order(stroke_case: Case) -> None:
    for record in measure(stroke_case).records():
        assert list(record) == list(COLUMNS)


def test_volumes_count_voxels(stroke_case: Case) -> None:
    found = measure(stroke_case)
    infarct = int(stroke_case.maps["infarct"].data.sum())
    core = infarct_in_mca = found.row("infarct_core")
    assert found.infarct_volume_ml == pytest.approx(infarct * 0.027)
    assert infarct_in_mca.volume_ml == pytest.approx(infarct * 0.027)
    assert core.n_vein_voxels is not None
    assert core.vein_volume_ml == pytest.approx(core.n_vein_voxels * 0.027)


def test_side_said_by_the_user_wins(stroke_case: Case) -> None:
    found = measure(stroke_case.with_side("right"))
    assert (found.side, found.side_origin) == ("right", "user")
    assert found.row("infarct_core").n_vein_voxels == 0
    assert found.row("infarct_core").chi_median_ppm is None
    assert "outside the MCA territory" in found.notes[0]


def test_no_infarct_leaves_rows_not_measured(stroke_case: Case) -> None:
    found = measure(stroke_case.without(["infarct"]))
    assert found.side is None
    assert all(row.chi_median_ppm is None for row in found.rows)
    assert all(row.qc.startswith("not measured") for row in found.rows)
    assert any("infarct" in note for note in found.notes)


def test_no_infarct_but_a_side_still_compares_the_hemispheres(stroke_case: Case) -> None:
    found = measure(stroke_case.without(["infarct"]).with_side("left"))
    assert found.row("contralateral_mca").chi_median_ppm == pytest.approx(0.11, abs=0.001)
    assert found.row("infarct_core").volume_ml is None
    assert found.row("peri_infarct_0_5mm").volume_ml is None


@pytest.mark.parametrize("name", ["susceptibility", "veins", "infarct", "territories"])
def test_missing_map_is_one_clear_error(stroke_case: Case, name: str) -> None:
    with pytest.raises(MissingError, match=name):
        check_inputs(stroke_case.without([name]))


def test_empty_mask_is_an_error(stroke_case: Case) -> None:
    empty = stroke_case.maps["veins"].with_data(np.zeros(stroke_case.grid.shape, np.uint8))
    with pytest.raises(InputError, match="veins is empty"):
        check_inputs(stroke_case.with_given({"veins": empty}))


def test_masks_on_another_grid_are_refused(stroke_case: Case) -> None:
    moved = np.array(stroke_case.grid.affine)
    moved[0, 3] += 5
    veins = Volume(stroke_case.maps["veins"].data, Grid(stroke_case.grid.shape, moved))
    with pytest.raises(InputError, match=r"veins does not lie on the grid.*5\.00 mm"):
        measure(stroke_case.with_given({"veins": veins}))


def test_few_voxels_are_not_measured_and_never_zero(stroke_case: Case) -> None:
    found = measure(stroke_case, MeasureSettings(min_voxels=75))
    core = found.row("infarct_core")
    assert core.n_vein_voxels == 68
    assert core.chi_median_ppm is None
    assert core.percent_vs_ipsilateral is None
    assert core.qc == "not measured: 68 vein voxels, at least 75 are needed"


def test_veins_outside_the_map_do_not_count(stroke_case: Case) -> None:
    valid = np.ones(stroke_case.grid.shape, np.uint8)
    valid[:, :30] = 0
    mask = Volume(valid, stroke_case.grid)
    whole = measure(stroke_case).row("contralateral_mca")
    part = measure(stroke_case.with_given({"field_mask": mask})).row("contralateral_mca")
    assert whole.n_vein_voxels is not None
    assert part.n_vein_voxels is not None
    assert part.n_vein_voxels < whole.n_vein_voxels
    assert f"{whole.n_vein_voxels - part.n_vein_voxels} vein voxels lie outside" in part.qc


def test_reference_is_read_from_the_map(stroke_case: Case) -> None:
    chi = stroke_case.maps["susceptibility"]
    assert measure(stroke_case).reference == "whole brain"
    shifted = chi.with_data(np.where(chi.data != 0, chi.data + np.float32(0.05), 0))
    case = stroke_case.with_given({"susceptibility": shifted})
    assert measure(case).reference == "as given (mean of the map +0.050 ppm)"


def test_an_edit_of_the_veins_changes_the_table(stroke_case: Case) -> None:
    before = measure(stroke_case).row("contralateral_mca")
    veins = stroke_case.maps["veins"]
    less = veins.data.copy()
    less[:, :, :24] = 0
    after = measure(stroke_case.with_edit("veins", veins.with_data(less))).row("contralateral_mca")
    assert before.n_vein_voxels is not None
    assert after.n_vein_voxels is not None
    assert after.n_vein_voxels < before.n_vein_voxels
    assert after.chi_median_ppm != before.chi_median_ppm


def test_same_case_same_table(stroke_case: Case) -> None:
    assert measure(stroke_case) == measure(stroke_case)


def test_oblique_and_turned_heads_give_the_same_table(stroke_case: Case) -> None:
    angle = np.radians(12)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    grid = Grid(stroke_case.grid.shape, turn @ stroke_case.grid.affine)
    maps = {name: Volume(v.data, grid, v.unit) for name, v in stroke_case.maps.items()}
    straight, turned = measure(stroke_case), measure(replace(stroke_case, maps=maps))
    for a, b in zip(straight.rows, turned.rows, strict=True):
        assert a.n_vein_voxels == b.n_vein_voxels
        assert a.chi_median_ppm == b.chi_median_ppm


def test_settings_are_bounded_and_described() -> None:
    assert {p.name for p in MeasureSettings.parameters()} == set(MeasureSettings().as_dict())
    assert all(p.description for p in MeasureSettings.parameters())
    with pytest.raises(ParameterError, match=r"measure\.guard: -1 mm is out of bounds"):
        MeasureSettings(guard=-1)


def test_an_edit_is_measured_at_once(stroke_case: Case) -> None:
    measure(stroke_case)
    started = time.perf_counter()
    for _ in range(5):
        measure(stroke_case)
    assert (time.perf_counter() - started) / 5 < 0.5


def test_the_infarct_is_measured_where_it_was_imaged(stroke_case: Case) -> None:
    """Its volume is that on the DWI's grid until somebody changes the mask."""
    infarct = stroke_case.maps["infarct"]
    native = Volume(np.ones((10, 10, 5), np.uint8), Grid((10, 10, 5), np.diag([4.0, 4, 4, 1])))
    outputs = {"infarct": infarct.digest, "infarct_native": native.digest}
    record = Record("run", "infarct_dwi", outputs=outputs)
    case = stroke_case.with_maps(record, {"infarct_native": native})
    drawn = measure(stroke_case)
    imaged = measure(case)
    assert imaged.infarct_volume_ml == pytest.approx(32.0)
    share = drawn.row("infarct_core").volume_ml / drawn.infarct_volume_ml
    assert imaged.row("infarct_core").volume_ml == pytest.approx(32.0 * share)
    accepted = case.with_edit("infarct", infarct, "accepted as proposed")
    assert measure(accepted).infarct_volume_ml == pytest.approx(32.0)
    more = np.array(infarct.data)
    more[18:22, 28:32, 22:26] = 1
    edited = case.with_edit("infarct", infarct.with_data(more))
    assert measure(edited).infarct_volume_ml == pytest.approx(more.sum() * 0.027)
