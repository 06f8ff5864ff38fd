"""What tissue and blood are to a gradient echo: susceptibility, signal and its decay.

Susceptibilities against the mean of the brain follow Marques et al., Magn Reson Med 2021;86:526,
doi:10.1002/mrm.28716; relaxation at 3 T rounds usual values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.nuclei import IRON_R2STAR
from napari_qsm_stroke.core.physics.vessels import SINUS_PPM, VEIN_R2STAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.anatomy import Anatomy, Tissue
    from napari_qsm_stroke.core.physics.vessels import Vessels
    from napari_qsm_stroke.core.quantities import FloatArray

AIR_PPM = 9.4
PPM = {"white": -0.030, "grey": 0.020, "fluid": 0.019, "nucleus": 0.0, "bone": -2.1, "soft": 0.0}
TEXTURE_PPM = 0.005
INFARCT_PPM = -0.005
BLEED_PPM = 0.7
R2STAR = {"white": 20.5, "grey": 16.5, "fluid": 2.5, "nucleus": 16.0, "bone": 300.0, "soft": 28.0}
INFARCT_R2STAR = 0.78
BLEED_R2STAR = 95.0
WATER = {"white": 0.70, "grey": 0.82, "fluid": 1.0, "nucleus": 0.78, "bone": 0.06, "soft": 0.62}
T1 = {"white": 0.83, "grey": 1.35, "fluid": 4.0, "nucleus": 1.1, "bone": 0.4, "soft": 0.6}
BLOOD_WATER, BLOOD_T1 = 0.86, 1.65
FLIP_DEGREES, REST_S = 15.0, 0.012


@dataclass(frozen=True, eq=False)
class Magnetisation:
    """Maps of one grid: susceptibility in ppm, signal at TE 0, its decay in 1/s.

    ``brain`` and ``vein`` are parts of a voxel, ``vein_ppm`` the part times susceptibility.
    """

    susceptibility: FloatArray
    signal: FloatArray
    r2star: FloatArray
    brain: FloatArray
    vein: FloatArray
    vein_ppm: FloatArray


def spoiled_signal(water: float, t1: float, repetition: float) -> float:
    """Steady state of a spoiled gradient echo at TE 0."""
    flip = np.radians(FLIP_DEGREES)
    e1 = np.exp(-repetition / t1)
    return float(water * np.sin(flip) * (1 - e1) / (1 - e1 * np.cos(flip)))


def magnetise(
    anatomy: Anatomy,
    vessels: Vessels,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    repetition: float,
    offset: float = 0.0,
) -> Magnetisation:
    """Properties of a patient on a grid.

    Parameters
    ----------
    anatomy, vessels
        The patient.
    affine : ndarray of shape (4, 4)
        Voxel index to mm in the patient.
    shape : tuple of int
        Of the grid.
    repetition : float
        Repetition time in s.
    offset : float
        Susceptibility in ppm to add to the brain's tissue, so that the brain's mean is 0.
    """
    tissue = anatomy.on(affine, shape)
    vein, vein_ppm, sinus = vessels.on(affine, shape)
    vein, vein_ppm = vein * tissue.brain, vein_ppm * tissue.brain
    sinus *= 1 - tissue.brain
    rest = 1 - vein - sinus
    chi = _tissue_ppm(tissue, offset) * rest + vein_ppm + sinus * np.float32(SINUS_PPM)
    levels = {t: spoiled_signal(WATER[t], T1[t], repetition) for t in WATER}
    blood = np.float32(spoiled_signal(BLOOD_WATER, BLOOD_T1, repetition))
    signal = tissue.mix(levels) * (1 - np.float32(0.2) * tissue.bleed)
    decay = tissue.mix(R2STAR) + np.float32(IRON_R2STAR) * tissue.iron
    decay *= 1 - np.float32(1 - INFARCT_R2STAR) * tissue.infarct
    decay += tissue.bleed * (np.float32(BLEED_R2STAR) - decay)
    return Magnetisation(
        susceptibility=chi,
        signal=signal * rest + (vein + sinus) * blood,
        r2star=decay * rest + (vein + sinus) * np.float32(VEIN_R2STAR),
        brain=tissue.brain,
        vein=vein,
        vein_ppm=vein_ppm,
    )


def _tissue_ppm(tissue: Tissue, offset: float) -> FloatArray:
    chi = tissue.mix(PPM) + tissue.iron + np.float32(AIR_PPM) * tissue.air
    solid = 1 - np.minimum(tissue.fluid, 1)
    chi += tissue.brain * np.float32(offset)
    chi += tissue.brain * solid * np.float32(TEXTURE_PPM) * tissue.texture
    chi += tissue.infarct * solid * np.float32(INFARCT_PPM)
    chi += tissue.bleed * (np.float32(BLEED_PPM) - chi)
    return chi
