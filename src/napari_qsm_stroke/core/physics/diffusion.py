"""A diffusion scan of the same patient: coarse, oblique, and taken after a small movement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.deformation import rotation
from napari_qsm_stroke.core.physics.scan import plan_scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.anatomy import Anatomy, Tissue
    from napari_qsm_stroke.core.quantities import FloatArray

VOXEL_MM = (1.8, 1.8, 4.0)
PARTS = (2, 2, 3)
FIELD_OF_VIEW_MM = (208.0, 230.0, 152.0)
B_VALUE = 1000.0
ECHO_TIME = 0.075
WATER = {"white": 0.70, "grey": 0.82, "fluid": 1.0, "nucleus": 0.78, "bone": 0.02, "soft": 0.12}
T2 = {"white": 0.075, "grey": 0.092, "fluid": 0.6, "nucleus": 0.066, "bone": 0.01, "soft": 0.05}
DIFFUSIVITY = {
    "white": 0.75e-3, "grey": 0.83e-3, "fluid": 3.0e-3, "nucleus": 0.74e-3,
    "bone": 0.5e-3, "soft": 1.2e-3,
}  # fmt: skip
INFARCT_T2 = 1.6
INFARCT_DIFFUSIVITY = (0.49e-3, 0.60e-3)
NOISE = 0.022


@dataclass(frozen=True, eq=False)
class DiffusionScan:
    """Trace image at b 1000 s/mm2, image without diffusion weighting, ADC in mm2/s."""

    dwi: FloatArray
    b0: FloatArray
    adc: FloatArray
    affine: NDArray[np.float64]
    motion: NDArray[np.float64]
    """Scanner coordinates of this scan to those of the gradient echo, in mm."""


def scan_diffusion(
    rng: np.random.Generator, anatomy: Anatomy, brain: NDArray[np.float64]
) -> DiffusionScan:
    """Acquire DWI, b0 and ADC.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance: tilt, movement, course of the diffusivity in the core, noise.
    anatomy : Anatomy
        The patient.
    brain : ndarray of shape (n, 3)
        Points of the brain in mm.
    """
    scan = plan_scan(brain, VOXEL_MM, float(rng.uniform(4, 12)), PARTS, FIELD_OF_VIEW_MM)
    motion = np.eye(4)
    motion[:3, :3] = rotation(np.clip(rng.normal(0, 1.6, 3), -4, 4))
    middle = brain.mean(0)
    motion[:3, 3] = middle - motion[:3, :3] @ middle + np.clip(rng.normal(0, 1.8, 3), -4, 4)
    core = rng.uniform(*INFARCT_DIFFUSIVITY)
    b0, dwi = (np.empty(scan.shape, np.float32) for _ in range(2))
    for place, affine, shape in scan.slabs():
        tissue = anatomy.on(motion @ affine, shape)
        plain, weighted = _signals(tissue, core)
        b0[place], dwi[place] = scan.averaged(plain), scan.averaged(weighted)
    sigma = NOISE * float(np.quantile(b0[b0 > 0.1], 0.5))
    b0 = _with_noise(rng, b0, sigma)
    dwi = _with_noise(rng, dwi, sigma / np.sqrt(3))
    seen = b0 > 12 * sigma
    ratio = np.log(np.maximum(b0, sigma) / np.maximum(dwi, sigma)) / np.float32(B_VALUE)
    adc = np.where(seen, np.maximum(ratio, 0), np.float32(0)).astype(np.float32)
    scale = np.float32(800 / np.quantile(b0[seen], 0.98))
    return DiffusionScan(dwi * scale, b0 * scale, adc, scan.affine, motion)


def _signals(tissue: Tissue, core: float) -> tuple[FloatArray, FloatArray]:
    """Signal without and with diffusion weighting.

    The diffusivity of the core varies between its parts and rises here and there towards normal,
    as at 24 to 72 hours after reperfusion.
    """
    plain, weighted = np.zeros_like(tissue.white), np.zeros_like(tissue.white)
    course = np.clip(core + 0.08e-3 * tissue.texture, 0.40e-3, 0.90e-3)
    for name in T2:
        part = getattr(tissue, name) * np.float32(WATER[name])
        healthy = part * np.float32(np.exp(-ECHO_TIME / T2[name]))
        attenuation = np.float32(np.exp(-B_VALUE * DIFFUSIVITY[name]))
        if name in ("white", "grey", "nucleus"):
            swollen = part * np.float32(np.exp(-ECHO_TIME / (INFARCT_T2 * T2[name])))
            ill = tissue.infarct
            plain += healthy * (1 - ill) + swollen * ill
            weighted += healthy * attenuation * (1 - ill)
            weighted += swollen * np.exp(-np.float32(B_VALUE) * course) * ill
        else:
            plain += healthy
            weighted += healthy * attenuation
    dark = 1 - np.float32(0.65) * tissue.bleed
    return plain * dark, weighted * dark


def _with_noise(rng: np.random.Generator, image: FloatArray, sigma: float) -> FloatArray:
    """Magnitude of a signal with complex noise."""
    real, imaginary = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(sigma)
    noisy: FloatArray = np.hypot(image + real, imaginary)
    return noisy
