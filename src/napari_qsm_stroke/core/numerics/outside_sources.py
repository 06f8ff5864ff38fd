"""Sources outside the mask that explain a field inside it, by conjugate gradients.

The projection onto dipole fields: Liu et al., NMR Biomed 2011;24:1129, doi:10.1002/nbm.1670.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.fourier import Shape, backward, forward

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import FloatArray


class OutsideSources:
    """Sources outside a mask and the field that they make, improved step by step.

    Minimises ``|w^(1/2) (target - D q)|^2`` over sources q that are zero wherever the weight
    is above zero.

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
        self.field: FloatArray = np.zeros_like(weight)
        """Field of the sources, in the unit of the target."""

    def improve(self, residual: FloatArray, count: int) -> float:
        """Take ``count`` steps towards the least squares fit.

        Parameters
        ----------
        residual : ndarray of float32, shape (X, Y, Z)
            Target less the present field, times the weight.
        count : int
            Number of steps; each costs two pairs of transforms.

        Returns
        -------
        float
            Norm of the last gradient relative to the first.
        """
        gradient = self._allowed * self._convolve(residual)
        direction = gradient.copy()
        first = power = _dot(gradient, gradient)
        for _ in range(count):
            made = self._convolve(direction)
            back = self._allowed * self._convolve(self._weight * made)
            curvature = _dot(direction, back)
            if curvature <= 0 or power <= 0:
                break
            length = np.float32(power / curvature)
            self.field += length * made
            gradient -= length * back
            after = _dot(gradient, gradient)
            direction *= np.float32(after / power)
            direction += gradient
            power = after
        return float(np.sqrt(power / first)) if first > 0 else 0.0

    def _convolve(self, volume: FloatArray) -> FloatArray:
        shape: Shape = (volume.shape[0], volume.shape[1], volume.shape[2])
        spectrum = forward(volume)
        spectrum *= self._dipole
        return backward(spectrum, shape)


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(np.vdot(a, b))
