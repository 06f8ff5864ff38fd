"""Files of a finished case: names, units, masks, tables, and nothing that changes by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest

from napari_qsm_stroke import Case, Volume
from napari_qsm_stroke.case.provenance import INTENDED_USE, Record
from napari_qsm_stroke.io.derivatives import (
    case_folder,
    cell,
    write_dataset,
    write_maps,
    write_measurements,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {
    "sub-01_desc-stroke_Chimap",
    "sub-01_desc-brain_mask",
    "sub-01_desc-vein_mask",
    "sub-01_label-infarct_mask",
    "sub-01_desc-territories_dseg",
    "sub-01_desc-stroke_SWI",
}


def test_every_map_has_its_name_and_its_sidecar(stroke_case: Case, tmp_path: Path):
    written = write_maps(stroke_case, tmp_path)
    assert {p.name.removesuffix(".nii.gz") for p in written if p.suffix == ".gz"} == NAMES
    assert {p.stem for p in written if p.suffix == ".json"} == NAMES
    facts = json.loads((tmp_path / "anat" / "sub-01_desc-stroke_Chimap.json").read_text())
    assert facts["Units"] == "ppm"
    assert facts["SkullStripped"] is True
    assert facts["IntendedUse"] == INTENDED_USE
    mask = nib.load(tmp_path / "anat" / "sub-01_desc-vein_mask.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(mask.dataobj), stroke_case.maps["veins"].data)
    table = (tmp_path / "anat" / "sub-01_desc-territories_dseg.tsv").read_text().splitlines()
    assert table[:2] == ["index\tname\tabbreviation", "1\tACA left\tACA-L"]
    assert len(table) == 9


def test_further_maps_are_written_where_they_were_made(stroke_case: Case, tmp_path: Path):
    made = {
        "tswi": "desc-true_SWI",
        "swi_slab": "desc-slabs_SWI",
        "susceptibility_noise": "desc-noise_Chimap",
        "fit_residual": "desc-fitresidual_phase",
        "offset_left": "desc-offsetleft_phase",
    }
    swi = stroke_case.maps["swi"]
    case = stroke_case.with_maps(Record("run", "all"), dict.fromkeys(made, swi))
    names = {p.name for p in write_maps(case, tmp_path)}
    assert names >= {f"sub-01_{name}.nii.gz" for name in made.values()}


def test_the_history_is_kept_and_no_time_is_in_it(stroke_case: Case, tmp_path: Path):
    veins = stroke_case.maps["veins"]
    painted = veins.data.copy()
    painted[26, 30, 24] ^= 1
    record = Record("run", "tkd", {"threshold": 0.2}, {}, {"susceptibility": "x"}, 1, 12.3)
    case = stroke_case.with_maps(record, {}).with_edit("veins", veins.with_data(painted))
    write_maps(case, tmp_path)
    facts = json.loads((tmp_path / "anat" / "sub-01_desc-vein_mask.json").read_text())
    assert facts["EditedByHand"] is True
    assert facts["GivenByUser"] is True
    assert facts["History"][0]["parameters"] == {"threshold": 0.2}
    assert facts["History"][1]["parameters"] == {"changed_voxels": 1}
    assert "12.3" not in json.dumps(facts)
    chi = json.loads((tmp_path / "anat" / "sub-01_desc-stroke_Chimap.json").read_text())
    assert chi["MadeBy"] == ["run tkd"]
    assert chi["EditedByHand"] is False


def test_a_session_has_a_folder_of_its_own(stroke_case: Case, tmp_path: Path):
    case = Case("sub-01_ses-2", stroke_case.acquisition, stroke_case.maps)
    assert case_folder(tmp_path, case) == tmp_path / "sub-01" / "ses-2"
    paths = write_maps(case, case_folder(tmp_path, case))
    assert all(p.name.startswith("sub-01_ses-2_") for p in paths)


def test_equal_cases_give_equal_bytes(stroke_case: Case, tmp_path: Path):
    for one, two in zip(
        write_maps(stroke_case, tmp_path / "a"),
        write_maps(stroke_case, tmp_path / "b"),
        strict=True,
    ):
        assert one.read_bytes() == two.read_bytes()


def test_not_measured_is_not_zero(stroke_case: Case, tmp_path: Path):
    columns = {"region": ("Region", ""), "chi_median_ppm": ("Median", "ppm"), "n": ("Count", "")}
    rows = [
        {"region": "infarct_core", "chi_median_ppm": None, "n": 0},
        {"region": "x", "chi_median_ppm": -0.0123456789, "n": 1234567},
    ]
    write_measurements(tmp_path, stroke_case, rows, columns, {"Side": "left"})
    lines = (tmp_path / "sub-01_measurements.tsv").read_text().splitlines()
    assert lines == [
        "region\tchi_median_ppm\tn",
        "infarct_core\tn/a\t0",
        "x\t-0.0123457\t1234567",
    ]
    facts = json.loads((tmp_path / "sub-01_measurements.json").read_text())
    assert facts["chi_median_ppm"] == {"Description": "Median", "Units": "ppm"}
    assert facts["Provenance"]["Side"] == "left"
    assert facts["Provenance"]["Acquisition"]["EchoTimes"] == [0.005, 0.01, 0.015, 0.02]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (float("nan"), "n/a"),
        ("", "n/a"),
        (0, "0"),
        (-1.5, "-1.5"),
        ("=HYPERLINK()", "'=HYPERLINK()"),
        ("@x", "'@x"),
        ("two\twords\n", "two words"),
        (True, "True"),
    ],
)
def test_a_cell(value: object, text: str):
    assert cell(value) == text


def test_the_data_set_says_what_it_is(tmp_path: Path):
    write_dataset(tmp_path)
    facts = json.loads((tmp_path / "dataset_description.json").read_text())
    assert facts["DatasetType"] == "derivative"
    assert facts["GeneratedBy"][0]["Name"] == "napari-qsm-stroke"
    ignored = (tmp_path / ".bidsignore").read_text().split()
    assert "*_measurements.*" in ignored
    assert "*_SWI.*" in ignored


def test_maps_go_back_into_the_order_of_the_scan(stroke_case: Case, tmp_path: Path):
    grid = stroke_case.grid
    order = type(grid)(grid.shape, grid.affine, "LPS")
    maps = {"susceptibility": Volume(stroke_case.maps["susceptibility"].data, order, "ppm")}
    write_maps(Case("sub-01", None, maps), tmp_path)
    stored = nib.load(tmp_path / "anat" / "sub-01_desc-stroke_Chimap.nii.gz")
    assert nib.aff2axcodes(stored.affine) == ("L", "P", "S")
