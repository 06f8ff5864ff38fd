"""What the veins of a simulated patient are like, voxel by voxel: their blood and their calibre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.blood import susceptibility_of_blood
from napari_qsm_stroke.core.physics.tubes import paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.patient import Patient
    from napari_qsm_stroke.core.quantities import FloatArray


@dataclass(frozen=True, eq=False)
class VeinTruth:
    """Maps on one grid, 0 where there is no vein.

    Parameters
    ----------
    blood : ndarray of float32
        Susceptibility of the blood in ppm, without any partial volume.
    radius : ndarray of float32
        Radius of the vein in mm; where several share a voxel, their mean by volume.
    """

    blood: FloatArray
    radius: FloatArray


def vein_truth(
    patient: Patient, *, affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> VeinTruth:
    """Lay the veins of a patient onto a grid.

    Parameters
    ----------
    patient : Patient
        From ``draw_patient``.
    affine : ndarray of shape (4, 4)
        Voxel index to scanner coordinates in mm.
    shape : tuple of int
        Of the grid.
    """
    veins = patient.vessels.veins
    chi = np.asarray(susceptibility_of_blood(patient.vessels.extraction))
    fraction, blood = paint(veins, chi, affine, shape)
    _, radius = paint(veins, veins.radius, affine, shape)
    filled = np.maximum(fraction, np.float32(1e-6))
    return VeinTruth(np.divide(blood, filled), np.divide(radius, filled))
