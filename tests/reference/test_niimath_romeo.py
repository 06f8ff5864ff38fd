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

pytest.importorskip("niimath", reason="niimath is not installed (it has no wheel for Python 3.14)")

TIMES = (0.005, 0.011, 0.017)
TURN = 2 * np.pi


def head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magnitude and phase of a noisy ball with a field many turns wide, and its mask."""
    shape = (64, 60, 48)
    rng = np.random.default_rng(100)
    x, y, z = (i - (n - 1) / 2 for i, n in zip(np.indices(shape), shape, strict=True))
    mask = (x / 28) ** 2 + (y / 26) ** 2 + (z / 20) ** 2 < 1
    field = 2.0 * x - 1.5 * y + 0.1 * z**2 + 20 * ndimage.gaussian_filter(rng.normal(size=shape), 2)
    for centre in ((0, 30, -8), (-25, -4, -14)):
        u, v, w = (a - c for a, c in zip((x, y, z), centre, strict=True))
        square = np.maximum(u**2 + v**2 + w**2, 25.0)
        field += 15000 * (3 * w**2 - square) / square**2.5
    signal = 100 * mask[..., None] * np.exp((-30 + 1j * TURN * field[..., None]) * np.array(TIMES))
    signal += 2 * (rng.normal(size=signal.shape) + 1j * rng.normal(size=signal.shape))
    return np.abs(signal).astype(np.float32), np.angle(signal).astype(np.float32), mask


def niimath_romeo(
    folder: Path, magnitude: np.ndarray, phase: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Unwrap each echo with niimath."""
    for name, data in (("mag", magnitude), ("phase", phase), ("mask", mask.astype(np.uint8))):
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / f"{name}.nii")
    times = ",".join(f"{1000 * t:g}" for t in TIMES)
    command = [sys.executable, "-m", "niimath", "phase.nii", "-romeo", "mag.nii", "-i", "-g"]
    command += ["-t", times, "-k", "mask.nii", "-no-phase-rescale", "out.nii"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return np.asarray(nib.load(next(folder.glob("out.nii*"))).dataobj)


def test_same_turns_as_niimath(tmp_path: Path) -> None:
    magnitude, phase, mask = head()
    reference = niimath_romeo(tmp_path, magnitude, phase, mask)
    signal = (magnitude * np.exp(1j * phase)).astype(np.complex64)
    unwrapped, _ = romeo(signal, mask.astype(np.uint8), echo_times=TIMES)
    for echo in range(len(TIMES)):
        turns = ((unwrapped - reference)[..., echo][mask]) / TURN
        assert np.abs(turns - np.round(turns)).max() < 1e-3
        turns = np.round(turns)
        wrapped = np.round((unwrapped - phase)[..., echo][mask] / TURN)
        assert np.ptp(wrapped) >= 1
        assert (turns != np.median(turns)).mean() < 1e-3
