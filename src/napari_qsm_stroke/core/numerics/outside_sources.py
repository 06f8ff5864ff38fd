"""Sources outside the mask that explain a field inside it, by conjugate gradients.

The projection onto dipole fields: Liu et al., NMR Biomed 2011;24:1129, doi:10.1002/nbm.1670.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.fourier import Shape, backward, forward
from napari_qsm_stroke.core.numerics.products import dot

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import FloatArray


class OutsideSources:
    """Sources outside a mask and the field that they make, improved step by step.

    Minimises ``|w^(1/2) (target - D q)|^2`` over sources q that are zero wherever the weight
    is above zero. Directions are conjugate as long as the target stays what it is.

    Parameters
    ----------
    weight : ndarray of float32, shape (X, Y, Z)
        Squared weight of the field; zero outside the mask.
    allowed : ndarray of float32, shape (X, Y, Z)
        1 where sources may lie, 0 elsewhere.
    dipole : ndarray of float32, shape (X, Y, Z // 2 + 1)
        Dipole kernel on the half grid.
    """

    def __init__(self, weight: FloatArray, allowed: FloatArray, dipole: FloatArray) -> None:
        self._weight = weight
        self._allowed = allowed
        self._dipole = dipole
        self._direction = np.zeros_like(weight)
        self._power = 0.0
        self.field: FloatArray = np.zeros_like(weight)
        """Field of the sources, in the unit of the target."""

    def improve(self, residual: FloatArray, same_target: bool) -> None:
        """Take one step towards the least squares fit: two pairs of transforms.

        Parameters
        ----------
        residual : ndarray of float32, shape (X, Y, Z)
            Target less the present field, times the weight.
        same_target : bool
            The target is that of the last step.
        """
        gradient = self._allowed * self._convolve(residual)
        power = dot(gradient, gradient)
        kept = power / self._power if same_target and self._power > 0 else 0.0
        self._power = power
        self._direction *= np.float32(kept)
        self._direction += gradient
        made = self._convolve(self._direction)
        curvature = float(np.sum(self._weight * made * made, dtype=np.float64))
        if curvature > 0:
            length = np.float32(dot(gradient, self._direction) / curvature)
            self.field += length * made

    def _convolve(self, volume: FloatArray) -> FloatArray:
        shape: Shape = (volume.shape[0], volume.shape[1], volume.shape[2])
        spectrum = forward(volume)
        spectrum *= self._dipole
        return backward(spectrum, shape)
