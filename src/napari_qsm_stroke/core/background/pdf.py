"""PDF: the background field as that of sources outside the brain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.background.brain_box import BrainBox
from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.fourier import backward, forward
from napari_qsm_stroke.core.numerics.frame import millimetres
from napari_qsm_stroke.core.numerics.products import dot
from napari_qsm_stroke.core.numerics.weights import data_weight
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import (
    Brain,
    FieldDirection,
    FieldMask,
    FieldNoise,
    LocalField,
    TotalField,
    VoxelSize,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1002/nbm.1670", memory=11, revision=2)
def pdf(
    total_field: TotalField,
    brain: Brain,
    field_noise: FieldNoise | None = None,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    margin: Annotated[float, Interval(ge=4, le=100), Unit("mm")] = 16.0,
    max_iter: Annotated[int, Interval(ge=1, le=1000)] = 100,
    tol: Annotated[float, Interval(gt=0, lt=1)] = 3e-3,
    progress: Progress = silent,
) -> tuple[LocalField, FieldMask]:
    """Project the total field onto the fields of dipoles outside the brain and take that away.

    Minimises ``|w (field - D q)|^2`` over sources q outside the brain, up to a constant field, by
    conjugate gradients. The weight ``w`` is 1 but where the field noise is unusually high. Few
    iterations do: the first sources found are those of the background, later ones fit the local
    field as well.

    Parameters
    ----------
    total_field : ndarray of shape (X, Y, Z)
        In ppm.
    brain : ndarray of shape (X, Y, Z)
        Where the total field is known.
    field_noise : ndarray of shape (X, Y, Z), optional
        Standard deviation of the field in ppm; all voxels weigh the same without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    margin : float
        Room for the sources around the brain.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the gradient is below this part of the first.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    local_field : ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the field mask.
    field_mask : ndarray of uint8, shape (X, Y, Z)
        The brain: no voxel is lost.

    Notes
    -----
    An iteration costs two pairs of transforms. The sources lie in the zeros behind the box of the
    brain and wrap round to both sides of it.

    References
    ----------
    Liu et al., NMR Biomed 2011;24:1129, doi:10.1002/nbm.1670.
    """
    box = BrainBox.of(total_field, brain, voxel_size, millimetres(margin, voxel_size))
    known = box.inside != 0
    noise = None if field_noise is None else box.frame.cut(field_noise, brain)
    fit = OutsideFit(
        known, data_weight(known, noise), dipole_kernel(known.shape, voxel_size, b0_dir)
    )
    local = fit.solve(box.field, tol, max_iter, progress)
    return box.finish(local, known, "lost")


class OutsideFit:
    """Least squares fit of sources outside a mask to a field inside it, up to a constant.

    Parameters
    ----------
    inside : ndarray of bool, shape (X, Y, Z)
        No source lies there.
    weight : ndarray of float32, shape (X, Y, Z)
        Squared weight of the field; zero outside the mask.
    dipole : ndarray of float32, shape (X, Y, Z // 2 + 1)
        Dipole kernel on the half grid.
    """

    def __init__(self, inside: NDArray[np.bool_], weight: FloatArray, dipole: FloatArray) -> None:
        self._inside = inside
        self._weight = weight
        self._dipole = dipole
        self._total = max(float(weight.sum(dtype=np.float64)), 1e-30)

    def field_of(self, sources: FloatArray) -> FloatArray:
        """Field of the sources, everywhere."""
        shape = (sources.shape[0], sources.shape[1], sources.shape[2])
        spectrum = forward(sources)
        spectrum *= self._dipole
        return backward(spectrum, shape)

    def weighted(self, field: FloatArray) -> FloatArray:
        """Field less its weighted mean, times the squared weight."""
        mean = dot(self._weight, field) / self._total
        result: FloatArray = field - np.float32(mean)
        result *= self._weight
        return result

    def pull(self, residual: FloatArray) -> FloatArray:
        """Adjoint of ``field_of``, from a weighted field to sources outside the mask."""
        sources = self.field_of(residual)
        sources[self._inside] = 0
        return sources

    def solve(
        self, field: FloatArray, tol: float, max_iter: int, progress: Progress = silent
    ) -> FloatArray:
        """What the fit leaves of the field.

        Parameters
        ----------
        field : ndarray of float32, shape (X, Y, Z)
            Finite everywhere.
        tol : float
            Stop when the gradient is below this part of the first.
        max_iter : int
            Most iterations.
        progress : Progress
            May raise ``Cancelled``.
        """
        left = field.copy()
        gradient = self.pull(self.weighted(field))
        direction = gradient.copy()
        power = dot(gradient, gradient)
        goal = tol * tol * power
        for _ in steps(max_iter, progress, "PDF"):
            if power <= goal:
                break
            made = self.field_of(direction)
            image = self.weighted(made)
            curvature = dot(image, made)
            if curvature <= 0:
                break
            length = np.float32(power / curvature)
            made *= length
            left -= made
            image *= length
            gradient -= self.pull(image)
            after = dot(gradient, gradient)
            direction *= np.float32(after / power)
            direction += gradient
            power = after
        progress(1.0, "PDF")
        left -= np.float32(dot(self._weight, left) / self._total)
        return left
