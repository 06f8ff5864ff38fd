"""Real scans from files to files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.io.nifti import read_volume

if TYPE_CHECKING:
    from pathlib import Path


def test_a_crop_at_7_tesla_gives_a_map_and_says_what_could_not_be_done(
    real_data: Path, tmp_path: Path, capsys
):
    folder = real_data / "gre_7t_crop"
    line = ["reconstruct", "--magnitude", str(folder / "Mag.nii"), "--out", str(tmp_path)]
    line += ["--phase", str(folder / "Phase.nii"), "--field-strength", "7", "--echo-times"]
    assert main([*line, "0.004", "0.008", "0.012"]) == 0
    shown = capsys.readouterr()
    for word in ("in no known unit", "Small field of view", "7 T", "left out: warp_territories"):
        assert word in shown.err
    chi = read_volume(tmp_path / "sub-01/anat/sub-01_desc-stroke_Chimap.nii.gz").data
    brain = read_volume(tmp_path / "sub-01/anat/sub-01_desc-brain_mask.nii.gz").data
    assert np.isfinite(chi).all()
    assert 0.01 < chi[brain > 0].std() < 0.1
    table = (tmp_path / "sub-01/sub-01_measurements.tsv").read_text().splitlines()
    assert len(table) == 7
    assert all("n/a" in row for row in table[1:])


def test_nan_in_a_real_phase_is_refused(real_data: Path, tmp_path: Path, capsys):
    folder = real_data / "gre_7t_crop"
    line = ["reconstruct", "--magnitude", str(folder / "Mag.nii"), "--out", str(tmp_path / "out")]
    line += ["--phase", str(folder / "phase_with_nan.nii"), "--field-strength", "7"]
    assert main([*line, "--echo-times", "0.004", "0.008", "0.012"]) == 3
    assert "1280 of 163840 values are NaN or infinite" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_whole_head_at_3_tesla(real_data: Path, tmp_path: Path, capsys):
    folder = real_data / "philips_3t_human"
    stem = "2001_fcMRI_Field_Mapping_e{}WIP_fcMRI_Field_Mapping{}.nii.gz"
    line = ["reconstruct", "--out", str(tmp_path)]
    for flag, end in (("--magnitude", ""), ("--phase", "_ph")):
        line += [flag, *(str(folder / "nifti" / stem.format(e, end)) for e in (1, 2))]
    line += ["--dwi", str(folder / "nifti" / "2201_DTI_S2MB2_e1WIP_DTI_S2MB2.nii.gz")]
    assert main(line) == 0
    shown = capsys.readouterr().err
    for word in ("Dual echo", "Last echo early", "Coarse voxels", "Oblique slab"):
        assert word in shown
    anat = tmp_path / "sub-01" / "anat"
    chi = read_volume(anat / "sub-01_desc-stroke_Chimap.nii.gz")
    assert np.isfinite(chi.data).all()
    brain = read_volume(anat / "sub-01_desc-brain_mask.nii.gz").data > 0
    true = read_volume(folder / "reference" / "GRE_hdbet_brainmask_prob_from_T1.nii.gz")
    assert chi.grid == true.grid
    reference = true.data > 0.5
    assert 2 * (brain & reference).sum() / (brain.sum() + reference.sum()) >= 0.9
    manifest = json.loads((tmp_path / "sub-01" / "sub-01_manifest.json").read_text())
    assert len(manifest["inputs"]) == 11  # five images, their sidecars, the b values
    assert len(manifest["warnings"]) == 4
