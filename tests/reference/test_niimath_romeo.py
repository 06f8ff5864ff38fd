"""Our ROMEO against niimath's, an independent port of the original."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.field.romeo import romeo
from napari_qsm_stroke.core.masks.magnitude_brain import magnitude_brain

pytest.importorskip("niimath", reason="niimath is not installed (it has no wheel for Python 3.14)")

TURN = 2 * np.pi
Scan = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]]


def made() -> Scan:
    """Magnitude and phase of a noisy ball with a field many turns wide, and its mask."""
    shape, times = (64, 60, 48), (0.005, 0.011, 0.017)
    rng = np.random.default_rng(100)
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(shape), shape, strict=True))
    mask = (x / 28) ** 2 + (y / 26) ** 2 + (z / 20) ** 2 < 1
    field = 2.0 * x - 1.5 * y + 0.1 * z**2 + 20 * ndimage.gaussian_filter(rng.normal(size=shape), 2)
    for centre in ((0, 30, -8), (-25, -4, -14)):
        u, v, w = (a - c for a, c in zip((x, y, z), centre, strict=True))
        square = np.maximum(u**2 + v**2 + w**2, 25.0)
        field += 15000 * (3 * w**2 - square) / square**2.5
    signal = 100 * mask[..., None] * np.exp((-30 + 1j * TURN * field[..., None]) * np.array(times))
    signal += 2 * (rng.normal(size=signal.shape) + 1j * rng.normal(size=signal.shape))
    return np.abs(signal).astype(np.float32), np.angle(signal).astype(np.float32), mask, times


def human(folder: Path) -> Scan:
    """A whole head at 3 T, 3 mm, two echoes."""
    name = "philips_3t_human/nifti/2001_fcMRI_Field_Mapping_e{}WIP_fcMRI_Field_Mapping{}.nii.gz"
    magnitude, phase = (
        np.stack([read(folder / name.format(e, part)) for e in (1, 2)], -1) for part in ("", "_ph")
    )
    mask = magnitude_brain(magnitude, voxel_size=(3.0, 3.0, 3.0)) > 0
    return magnitude, phase, mask, (0.0023, 0.0046)


def crop(folder: Path) -> Scan:
    """A piece of a brain at 7 T with a vein, three echoes; its phase has a scale of its own."""
    magnitude, phase = (read(folder / "gre_7t_crop" / f"{n}.nii") for n in ("Mag", "Phase"))
    phase = (phase * (np.pi / np.abs(phase).max())).astype(np.float32)
    return magnitude, phase, np.ones(magnitude.shape[:3], bool), (0.004, 0.008, 0.012)


def read(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj, np.float32)


def niimath_romeo(folder: Path, scan: Scan, *mode: str) -> np.ndarray:
    """Unwrap each echo with niimath."""
    magnitude, phase, mask, echo_times = scan
    for name, data in (("mag", magnitude), ("phase", phase), ("mask", mask.astype(np.uint8))):
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / f"{name}.nii")
    times = ",".join(f"{1000 * t:g}" for t in echo_times)
    command = [sys.executable, "-m", "niimath", "phase.nii", "-romeo", "mag.nii", *mode, "-g"]
    command += ["-t", times, "-k", "mask.nii", "-no-phase-rescale", "out.nii"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return np.asarray(nib.load(next(folder.glob("out.nii*"))).dataobj)


def check_same_turns(scan: Scan, reference: np.ndarray, unwrapped: np.ndarray) -> None:
    """All but one voxel in 10 000 equal, each echo up to one number of turns."""
    _, phase, mask, times = scan
    for echo in range(len(times)):
        turns = ((unwrapped - reference)[..., echo][mask]) / TURN
        assert np.abs(turns - np.round(turns)).max() < 1e-3
        turns = np.round(turns)
        wrapped = np.round((unwrapped - phase)[..., echo][mask] / TURN)
        assert np.ptp(wrapped) >= 1
        assert (turns != np.median(turns)).mean() < 1e-4


def test_same_turns_as_niimath(tmp_path: Path) -> None:
    scan = made()
    unwrapped, _ = romeo(scan[0], scan[1], scan[2].astype(np.uint8), echo_times=scan[3])
    check_same_turns(scan, niimath_romeo(tmp_path, scan, "-i"), unwrapped)


def test_same_turns_by_template(tmp_path: Path) -> None:
    scan = made()
    mask = scan[2].astype(np.uint8)
    unwrapped, _ = romeo(scan[0], scan[1], mask, echo_times=scan[3], mode="template")
    check_same_turns(scan, niimath_romeo(tmp_path, scan), unwrapped)


@pytest.mark.parametrize("scanned", [human, crop])
def test_same_turns_on_real_scans(scanned, real_data: Path, tmp_path: Path) -> None:
    scan = scanned(real_data)
    unwrapped, _ = romeo(scan[0], scan[1], scan[2].astype(np.uint8), echo_times=scan[3])
    check_same_turns(scan, niimath_romeo(tmp_path, scan, "-i"), unwrapped)
