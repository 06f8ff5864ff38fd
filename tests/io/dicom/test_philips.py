"""A real Philips scan: classic DICOM, enhanced DICOM and NIfTI hold the same voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.dicom.importer import import_dicom
from napari_qsm_stroke.io.load import load, load_files

if TYPE_CHECKING:
    from pathlib import Path


def test_classic_enhanced_and_nifti_are_the_same_voxels(real_data: Path, tmp_path: Path):
    folder = real_data / "philips_3t_human"
    for kind in ("classic", "enhanced"):
        import_dicom(folder / f"dicom_{kind}", tmp_path / kind)
    stem = "2001_fcMRI_Field_Mapping_e{}WIP_fcMRI_Field_Mapping{}.nii.gz"
    for part, end in (("mag", ""), ("phase", "_ph")):
        for echo in (1, 2):
            name = f"sub-01/anat/sub-01_echo-{echo}_part-{part}_MEGRE.nii.gz"
            classic, enhanced, given = (
                nib.load(path)
                for path in (
                    tmp_path / "classic" / name,
                    tmp_path / "enhanced" / name,
                    folder / "nifti" / stem.format(echo, end),
                )
            )
            assert np.array_equal(classic.get_fdata(), enhanced.get_fdata())
            assert np.array_equal(classic.get_fdata(), given.get_fdata())
            assert np.allclose(classic.affine, given.affine, atol=1e-4)
            assert np.allclose(classic.affine, enhanced.affine, atol=1e-6)
    cases = [load_files(find_cases(tmp_path / kind)[0]) for kind in ("classic", "enhanced")]
    nifti = load(
        magnitude=[folder / "nifti" / stem.format(e, "") for e in (1, 2)],
        phase=[folder / "nifti" / stem.format(e, "_ph") for e in (1, 2)],
    )
    for case in cases:
        assert case.acquisition is not None
        assert case.acquisition.echo_times == (0.0023, 0.0046)
        assert case.acquisition.field_strength == 3
        for name in ("magnitude", "phase"):
            assert np.array_equal(case.maps[name].data, nifti.maps[name].data)
    assert cases[0].grid == nifti.grid
    assert np.allclose(np.abs(cases[0].grid.b0_dir), np.abs([-0.061, 0.002, 0.998]), atol=1e-3)


@pytest.mark.long
def test_an_imported_scan_runs(real_data: Path, tmp_path: Path):
    folder = real_data / "philips_3t_human" / "dicom_enhanced"
    assert main(["import", str(folder), str(tmp_path / "bids")]) == 0
    line = ["run", str(tmp_path / "bids"), str(tmp_path / "out"), "participant"]
    assert main([*line, "--recipe", "preview"]) == 0
    chi = nib.load(tmp_path / "out/sub-01/anat/sub-01_desc-stroke_Chimap.nii.gz").get_fdata()
    assert np.isfinite(chi).all()
    assert 0.005 < chi[chi != 0].std() < 0.2
