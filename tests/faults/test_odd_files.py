"""Odd but right files: what they hold is read as it is meant."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.faults.fault_suite.tiny import Tiny

from napari_qsm_stroke import load
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.load import load_files
from napari_qsm_stroke.io.nifti import read_volume


def phases(kind: str) -> tuple[np.ndarray, np.dtype, tuple[float, float]]:
    """Stored integers or floats of one phase (rad), and slope and intercept of the file."""
    turn = 2 * np.pi
    rad = np.angle(np.exp(1j * np.linspace(-9, 9, 14 * 16 * 12).reshape(14, 16, 12)))
    whole = np.clip(np.floor((rad + np.pi) / turn * 4096), 0, 4095)
    return {
        "rad": (rad, np.dtype("<f4"), (1.0, 0.0)),
        "0 to 4095": (whole, np.dtype("<i2"), (1.0, 0.0)),
        "-4096 to 4095": (whole * 2 - 4096, np.dtype("<i2"), (1.0, 0.0)),
        "slope": (whole, np.dtype("<i2"), (turn / 4095, -np.pi)),
        "big endian": (rad, np.dtype(">f4"), (1.0, 0.0)),
    }[kind]


@pytest.mark.parametrize("version", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("kind", ["rad", "0 to 4095", "-4096 to 4095", "slope", "big endian"])
def test_odd_but_right_phase_files_are_read_with_their_values(kind, version, tmp_path: Path):
    """Phase in each way of scanners, in a folder with blanks and letters of Zurich."""
    folder = tmp_path / "Zürich, Übung 1 ß"
    folder.mkdir()
    stored, dtype, (slope, inter) = phases(kind)
    expected = phases("rad")[0]
    image = version(stored.astype(dtype), np.diag([2, 2, 2, 1.0]))
    if dtype.byteorder == ">":
        image = version(stored.astype(dtype), image.affine, image.header.as_byteswapped(">"))
    image.header.set_data_dtype(dtype)
    content = bytearray(image.to_bytes())
    if slope != 1:
        place = 176 if version is nib.Nifti2Image else 112
        number = "<f8" if version is nib.Nifti2Image else "<f4"
        both = np.array([slope, inter], number).tobytes()
        content[place : place + len(both)] = both
    (folder / "phase.nii").write_bytes(content)
    magnitude = nib.Nifti1Image(np.full(stored.shape, 7, np.int16), image.affine)
    magnitude.to_filename(folder / "mag.nii")
    for path in (folder / "phase.nii", folder / "mag.nii"):
        path.chmod(0o444)
    case = load(
        magnitude=folder / "mag.nii",
        phase=folder / "phase.nii",
        echo_times=[0.02],
        field_strength=3,
    )
    found = case.maps["phase"].data[..., 0]
    assert np.abs(np.angle(np.exp(1j * (found - expected)))).max() < 0.0017
    assert case.acquisition is not None
    assert case.acquisition.phase_unit


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_adc_of_each_unit_on_a_grid_of_its_own(scale: float, tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    expected = read_volume(tiny.dwi("01", "ADC")).data
    tiny.rewrite(tiny.dwi("01", "ADC"), lambda data: data * scale)
    tiny.dwi("01", "ADC").with_name("sub-01_ADC.json").write_text(json.dumps({}))
    case = load_files(find_cases(tiny.root)[0])
    np.testing.assert_allclose(case.maps["adc"].data, expected, rtol=1e-5)
    assert case.maps["adc"].grid != case.grid
