"""A map of the arterial territories, computed from published descriptions of their borders.

It is made of smooth surfaces in the coordinates of the Montreal Neurological Institute (MNI)
template, mirrored at the mid-sagittal plane. Nothing of an existing atlas is stored here.

The borders, by surface:

* Anterior from middle cerebral artery on the convexity: along the superior frontal sulcus and,
  behind the central sulcus, on the superior parietal lobule, some 25 mm from the midline; in the
  depth it runs to the frontal horn and, below it, along the olfactory sulcus. Tatu et al. 1998,
  doi:10.1212/WNL.50.6.1699; the mean position among its variants: van der Zwan et al. 1992,
  doi:10.3171/jns.1992.77.6.0927.
* Anterior from posterior cerebral artery: the parieto-occipital sulcus, from the splenium upwards
  and backwards. Tatu et al. 1998; Damasio 1983, doi:10.1001/archneur.1983.04050030032005.
* Middle from posterior cerebral artery: the lateral occipital border in the coronal planes behind
  the splenium, and on the temporal lobe the inferior temporal sulcus, the pole and the amygdala
  being left to the middle cerebral artery. Tatu et al. 1998.
* Thalamus and midbrain belong to the posterior cerebral artery (with its communicating and
  perforating branches), pons, medulla and cerebellum to the vertebrobasilar territory, which the
  tentorium bounds above. Tatu, Moulin and Monnier 2012, doi:10.1159/000333602.

Territories differ between people by centimetres (van der Zwan et al. 1992): the map is a starting
point to be corrected, never a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray


def territory_map(brain: ByteArray, affine: NDArray[np.float64]) -> ByteArray:
    """Label every voxel of a brain in template space with its arterial territory.

    Parameters
    ----------
    brain : ndarray of uint8, shape (X, Y, Z)
        Voxels to label.
    affine : ndarray of shape (4, 4)
        Voxel index to MNI coordinates in mm.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)
        Labels of ``core.quantities.LABELS``; 0 outside the brain.
    """
    inside = np.nonzero(brain)
    index = np.stack(inside).astype(np.float64)
    x, y, z = affine[:3, :3] @ index + affine[:3, 3:]
    labels = np.zeros(brain.shape, dtype=np.uint8)
    labels[inside] = _artery(np.abs(x), y, z) * 2 + np.where(x < 0, 1, 2)
    return labels


def _artery(lateral: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> NDArray[np.uint8]:
    """0 anterior, 1 middle, 2 posterior cerebral artery, 3 vertebrobasilar."""
    artery = np.ones(lateral.shape, dtype=np.uint8)
    artery[_anterior(lateral, y, z)] = 0
    artery[_posterior(lateral, y, z)] = 2
    artery[_vertebrobasilar(lateral, y, z)] = 3
    return artery


def _anterior(lateral: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> NDArray[np.bool_]:
    """Medial strip before the parieto-occipital sulcus, and the basal frontal wedge."""
    strip = np.interp(z, [0, 30, 40, 60, 85], [25, 24, 25, 27, 28])
    wedge = np.clip(9 + 0.36 * (y - 20), 6, strip)
    width = np.where(z > 30, strip, wedge + (strip - wedge) * _ramp(z, 14, 30))
    floor = np.interp(y, [-60, -40, -20, 10, 20, 26], [26, 20, 27, 27, 12, -60])
    return np.asarray((lateral < width) & (z > floor) & ~_behind_parieto_occipital(y, z))


def _posterior(lateral: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> NDArray[np.bool_]:
    """Occipital lobe, inferior and medial temporal lobe, thalamus and midbrain."""
    width = np.interp(z, [-20, -5, 5, 20, 60], [50, 42, 31, 26, 24])
    occipital = _behind_parieto_occipital(y, z) & (lateral < width)
    sulcus = np.interp(lateral, [15, 25, 35, 45, 52, 58], [0, -2, -8, -14, -22, -40])
    front = np.interp(z, [-40, -20, 0], [-26, -18, -22])
    temporal = (y < front) & (z < sulcus)
    thalamus = ((lateral - 9) / 13) ** 2 + ((y + 18) / 17) ** 2 + ((z - 6) / 13) ** 2 < 1
    midbrain = (lateral < 22) & (y < -8) & (y > -42) & (z > -22) & (z < 6)
    return np.asarray(occipital | temporal | thalamus | midbrain)


def _vertebrobasilar(lateral: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> NDArray[np.bool_]:
    """Below the tentorium: cerebellum, pons and medulla."""
    radius = np.hypot(lateral, 1.08 * np.minimum(y + 52, 0))
    tentorium = np.interp(radius, [0, 12, 20, 31, 42, 54, 62], [2, -6, -12, -18, -24, -30, -36])
    petrous = np.interp(z, [-50, -42, -34, -26], [0, -14, -30, -36])
    cerebellum = (z < tentorium) & (y < petrous)
    brainstem = (lateral < 20) & (z < -20) & (y < -8)
    return np.asarray(cerebellum | brainstem)


def _behind_parieto_occipital(y: NDArray[Any], z: NDArray[Any]) -> NDArray[np.bool_]:
    sulcus = np.interp(z, [0, 12, 20, 32, 45, 62], [-30, -35, -48, -62, -68, -84])
    return np.asarray(y < sulcus)


def _ramp(value: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    return np.clip((value - low) / (high - low), 0, 1)
