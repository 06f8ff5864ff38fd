"""Data sets: names of the files of an examination, and a simulated patient there and back."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_qsm_stroke import Acquisition, Case, Grid, Volume
from napari_qsm_stroke.core.physics.phantom import Truth
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.load import load_files
from napari_qsm_stroke.io.simulated import write_patient

if TYPE_CHECKING:
    from pathlib import Path


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


NAMES = {
    "BIDS": ("echo-{e}_part-mag_MEGRE.nii.gz", "echo-{e}_part-phase_MEGRE.nii.gz"),
    "no part of the magnitude": ("echo-{e}_MEGRE.nii.gz", "echo-{e}_part-phase_MEGRE.nii"),
    "T2starw": ("acq-qsm_echo-{e}_part-mag_T2starw.nii", "acq-qsm_echo-{e}_part-phase_T2starw.nii"),
    "dcm2niix": ("echo-{e}_GRE.nii.gz", "echo-{e}_GRE_ph.nii.gz"),
    "phase at the end": ("echo-{e}_MEGRE_magnitude.nii.gz", "echo-{e}_MEGRE_phase.nii.gz"),
}


@pytest.mark.parametrize("habit", NAMES)
def test_echoes_are_found_in_their_order(habit: str, tmp_path: Path):
    mag, phase = NAMES[habit]
    touch(tmp_path, *(f"sub-7/anat/sub-7_{n.format(e=e)}" for n in (mag, phase) for e in range(11)))
    touch(tmp_path, "sub-7/anat/sub-7_T1w.nii.gz", "sub-7/anat/sub-7_acq-x_MEGRE.nii.gz")
    (files,) = find_cases(tmp_path)
    assert [p.name for p in files.magnitude] == [f"sub-7_{mag.format(e=e)}" for e in range(11)]
    assert [p.name for p in files.phase] == [f"sub-7_{phase.format(e=e)}" for e in range(11)]
    assert files.key == "sub-7"


def test_sessions_diffusion_and_labels(tmp_path: Path):
    for key in ("sub-1/ses-a/{}/sub-1_ses-a_", "sub-1/ses-b/{}/sub-1_ses-b_", "sub-2/{}/sub-2_"):
        touch(
            tmp_path, *(key.format("anat") + f"part-{p}_T2starw.nii.gz" for p in ("mag", "phase"))
        )
        touch(tmp_path, *(key.format("dwi") + n for n in ("dwi.nii.gz", "dwi.bval", "ADC.nii.gz")))
    touch(tmp_path, "sub-1/ses-c/anat/sub-1_ses-c_T1w.nii.gz")
    found = find_cases(tmp_path)
    assert [files.key for files in found] == ["sub-1_ses-a", "sub-1_ses-b", "sub-2"]
    assert found[0].dwi is not None
    assert found[0].name_of(found[0].dwi) == "sub-1/ses-a/dwi/sub-1_ses-a_dwi.nii.gz"
    assert found[2].adc == tmp_path / "sub-2/dwi/sub-2_ADC.nii.gz"
    assert [files.key for files in find_cases(tmp_path, ["sub-2"])] == ["sub-2"]
    assert [files.key for files in find_cases(tmp_path, ["2"])] == ["sub-2"]
    with pytest.raises(MissingError, match="there is no sub-3"):
        find_cases(tmp_path, ["2", "3"])


def test_what_is_missing_or_ambiguous_is_said_when_it_is_loaded(tmp_path: Path):
    touch(tmp_path, "sub-1/anat/sub-1_part-mag_T2starw.nii.gz", "sub-2/anat/sub-2_T1w.nii.gz")
    touch(tmp_path, *(f"sub-3/anat/sub-3_run-{r}_part-{p}_MEGRE.nii" for r in "12" for p in PARTS))
    one, two, three = find_cases(tmp_path)
    for files in (one, two):
        with pytest.raises(MissingError, match="Phase"):
            load_files(files)
    with pytest.raises(InputError, match="several gradient echoes with phase: run-1_MEGRE, run-2"):
        load_files(three)


PARTS = ("mag", "phase")


def patient(echoes: int) -> tuple[Case, Truth]:
    rng = np.random.default_rng(1)
    grid = Grid((12, 13, 14), np.diag([1, 1, 2, 1.0]))
    coarse = Grid((6, 7, 5), np.diag([2, 2, 5, 1.0]))
    phase = rng.uniform(-np.pi, np.pi, (12, 13, 14, echoes)).astype(np.float32)

    def image(grid: Grid, scale: float, unit: str) -> Volume:
        return Volume(
            rng.uniform(1, 2, grid.shape).astype(np.float32) * np.float32(scale), grid, unit
        )

    maps = {
        "magnitude": Volume(rng.uniform(1, 2, phase.shape).astype(np.float32), grid, "a.u."),
        "phase": Volume(phase, grid, "rad"),
        "dwi": image(coarse, 10, "a.u."),
        "b0": image(coarse, 20, "a.u."),
        "adc": image(coarse, 6e-4, "mm2/s"),
    }
    masks = ("brain", "veins", "infarct", "territories")
    truth = Truth(
        maps={n: rng.integers(0, 2, grid.shape).astype(np.uint8) for n in masks}
        | {"susceptibility": rng.normal(0, 0.1, grid.shape).astype(np.float32)},
        side="right",
        core_ratio=0.62,
        infarct_volume_ml=31.5,
        intravascular_ppm={"infarct_core": 0.062, "ipsilateral_mca": 0.1, "contralateral_mca": 0.1},
        map_ppm={"infarct_core": 0.04, "ipsilateral_mca": 0.06, "contralateral_mca": 0.08},
        n_vein_voxels={"infarct_core": 40, "ipsilateral_mca": 50, "contralateral_mca": 60},
        n_veins={"infarct_core": 4, "ipsilateral_mca": 5, "contralateral_mca": 6},
    )
    times = tuple(0.004 * (i + 1) for i in range(echoes))
    return Case("sub-02", Acquisition(times, 3.0), maps), truth


@pytest.mark.parametrize("echoes", [1, 3])
def test_a_simulated_patient_there_and_back(echoes: int, tmp_path: Path):
    case, truth = patient(echoes)
    write_patient(case, truth, tmp_path, seed=5)
    (files,) = find_cases(tmp_path)
    again = load_files(files)
    assert again.key == "sub-02"
    assert again.acquisition is not None
    assert case.acquisition is not None
    assert again.acquisition.echo_times == case.acquisition.echo_times
    assert again.acquisition.field_strength == 3.0
    for name, volume in case.maps.items():
        assert again.maps[name].data.dtype == np.float32
        assert np.array_equal(again.maps[name].data, volume.data), name
        assert again.maps[name].grid == volume.grid
        assert again.maps[name].unit == volume.unit


def test_two_truths_are_kept_apart_in_the_table(tmp_path: Path):
    case, truth = patient(2)
    write_patient(case, truth, tmp_path, seed=5)
    folder = tmp_path / "derivatives" / "ground-truth" / "sub-02"
    with (folder / "sub-02_measurements.tsv").open(newline="") as stream:
        rows = {row["region"]: row for row in csv.DictReader(stream, delimiter="\t")}
    core = rows["infarct_core"]
    assert float(core["percent_vs_contralateral"]) == pytest.approx(-50)
    assert float(core["percent_vs_ipsilateral"]) == pytest.approx(-100 / 3, abs=1e-3)
    assert float(core["percent_vs_contralateral_intravascular"]) == pytest.approx(-38)
    assert (core["side"], rows["contralateral_mca"]["side"]) == ("right", "left")
    facts = json.loads((folder / "sub-02_truth.json").read_text())
    assert (facts["seed"], facts["side"], facts["infarct_volume_ml"]) == (5, "right", 31.5)
    assert (tmp_path / "participants.tsv").read_text() == "participant_id\nsub-02\n"


def test_another_data_set_is_left_alone(tmp_path: Path):
    (tmp_path / "dataset_description.json").write_text('{"Name": "patients of ours"}')
    case, truth = patient(1)
    with pytest.raises(InputError, match="holds another data set"):
        write_patient(case, truth, tmp_path, seed=5)
    assert len(list(tmp_path.rglob("*"))) == 1
