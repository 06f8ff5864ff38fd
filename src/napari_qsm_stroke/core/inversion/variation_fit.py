"""Fits of least total variation that can be taken up again with another weight or data term."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.fourier import (
    backward,
    backward_packed,
    forward,
    forward_packed,
)
from napari_qsm_stroke.core.numerics.frame import Frame, millimetres
from napari_qsm_stroke.core.numerics.heap import give_back
from napari_qsm_stroke.core.numerics.mask_rows import MaskRows
from napari_qsm_stroke.core.numerics.products import dot
from napari_qsm_stroke.core.numerics.regularisation import (
    MAD_TO_SD,
    Choose,
    by_l_curve,
    by_noise,
    noise_map,
)
from napari_qsm_stroke.core.numerics.total_variation import (
    INSIDE,
    costly_edges,
    descend,
    difference_power,
    step_duals,
)
from napari_qsm_stroke.core.numerics.weights import data_weight, signal_lost
from napari_qsm_stroke.core.physics.dipole import dipole_axes, dipole_kernel
from napari_qsm_stroke.core.physics.dipole_solver import solve_spectrum
from napari_qsm_stroke.core.progress import Progress, silent, steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

PADDING_MM = 16.0
GRADIENT_PENALTY = 100.0
FIELD_PENALTY = 0.05
OUTSIDE = 0.2
RELAXATION = 1.7
EXACT = 1e6
MOST_FITS = 7
CHOOSING_TOL = 0.02


class VariationFit:
    """Susceptibility whose field fits a local field, of least total variation in the mask.

    Minimises ``misfit(w (D chi - field)) + regularisation |grad chi|_1`` by the alternating
    direction method of multipliers. Outside the mask the data weigh nothing and variation costs a
    fifth: what the background step left over or took too much is harmonic in the brain, and
    sources out there explain it.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the local field is known.
    field_noise : ndarray of shape (X, Y, Z) or None
        Standard deviation of the field in ppm; estimated from the field without it.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    """

    def __init__(
        self,
        local_field: NDArray[Any],
        field_mask: NDArray[Any],
        field_noise: NDArray[Any] | None,
        voxel_size: tuple[float, float, float],
        b0_dir: tuple[float, float, float],
    ) -> None:
        self.frame = Frame.around(field_mask, millimetres(PADDING_MM, voxel_size))
        inside = self.frame.cut(field_mask) != 0
        self._given = (local_field, field_mask, field_noise)
        self.rows = MaskRows.of(inside)
        self.field = self.rows.pack(self.frame.cut(local_field, field_mask))
        noise = self._known_noise()
        weight = data_weight(inside, noise)
        if noise is not None:
            weight[signal_lost(inside, noise, voxel_size)] = 0
        self.weight = self.rows.pack(weight)
        self._step = (float(voxel_size[0]), float(voxel_size[1]), float(voxel_size[2]))
        self._axes = dipole_axes(self.frame.shape, voxel_size, b0_dir)
        self._b0_dir = b0_dir
        self._powers = difference_power(self.frame.shape, self._step)
        self._edges = costly_edges(inside)
        del inside, noise, weight
        self.restart(self.field)

    def restart(self, field: FloatArray) -> None:
        """Forget the present solution and fit ``field`` (of the mask's lines) from now on."""
        self.field = field
        self._packed = self.rows.unpack(field).astype(np.complex64)
        self._before = self.rows.zeros()
        give_back()  # what making these took, before the largest array
        self._duals = np.zeros((4, *self.frame.shape), np.float32)
        self._left: tuple[Any, ...] | None = None

    @property
    def _gradient(self) -> FloatArray:
        """Gradient of the susceptibility with its duals."""
        gradient: FloatArray = self._duals[:3]
        return gradient

    @property
    def _dual(self) -> FloatArray:
        """Dual of the field in the mask, the fitted field outside it."""
        dual: FloatArray = self._duals[3]
        return dual

    @property
    def inside(self) -> NDArray[np.bool_]:
        """The mask in the frame."""
        inside: NDArray[np.bool_] = self._edges >= INSIDE
        return inside

    @property
    def chi(self) -> FloatArray:
        """Susceptibility in ppm after a run, in the frame, also of the sources outside the mask."""
        return np.ascontiguousarray(self._packed.real)

    def _misfit(self) -> FloatArray:
        """Field of the susceptibility less the one to fit, in ppm, of the mask's lines."""
        return self.rows.pack(self._packed.imag) - self.field

    def _known_noise(self) -> FloatArray | None:
        _, mask, noise = self._given
        return None if noise is None else self.frame.cut(noise, mask)

    @cached_property
    def noise(self) -> FloatArray:
        """Standard deviation of the field in ppm, as given or estimated; of the mask's lines."""
        field, mask, _ = self._given
        noise = noise_map(self.frame.cut(field, mask), self.inside, self._known_noise())
        return self.rows.pack(noise)

    def field_of(self, chi: FloatArray) -> FloatArray:
        """Field in ppm of a susceptibility in the frame."""
        dipole = dipole_kernel(self.frame.shape, self._step, self._b0_dir)
        return backward(forward(chi) * dipole, self.frame.shape)

    def trust(self, factor: float) -> None:
        """Let voxels whose misfit is unusual count less from now on.

        Unusual is more than ``factor`` times the noise, or times the spread of all misfits where
        that is larger: the model has errors of its own.
        """
        misfit = np.abs(self._misfit())
        known = self.rows.pack(self.inside) > 0
        spread = MAD_TO_SD * np.median(misfit[known])
        limit = np.float32(factor) * np.maximum(self.noise, spread)
        doubtful = known & (misfit > limit)
        self._descend()  # still with the weights of the step that it ends
        self.weight[doubtful] *= (limit[doubtful] / misfit[doubtful]) ** 2

    def run(
        self,
        regularisation: float,
        max_iter: int,
        tol: float,
        progress: Progress,
        stage: str,
        *,
        absolute: float = 0.0,
    ) -> None:
        """Go on from the present solution until it changes by less than ``tol`` of itself.

        Parameters
        ----------
        regularisation : float
            Weight of the total variation, in ppm mm.
        max_iter : int
            Most iterations.
        tol : float
            Relative change of the susceptibility in the mask at which to stop.
        progress : Progress
            May raise ``Cancelled``.
        stage : str
            What progress is told.
        absolute : float
            Above zero the misfit is ``absolute |w r|_1`` (in ppm) instead of ``1/2 |w r|^2``.
        """
        penalties = (GRADIENT_PENALTY * regularisation, FIELD_PENALTY, 0.0)
        limits = np.float32(1 / GRADIENT_PENALTY) * np.array([OUTSIDE, 1], np.float32)
        weight = np.empty_like(self.weight) if absolute > 0 else self.weight
        # the weights of an absolute misfit change from step to step: no step further than asked
        relaxation = 1.0 if absolute > 0 else RELAXATION
        spans = self.rows.spans
        for _ in steps(max_iter, progress, stage):
            self._descend()
            spectrum = forward_packed(self._packed)
            solve_spectrum(spectrum, self._axes, *self._powers, penalties)
            self._packed = backward_packed(spectrum)
            edges = (self._edges, limits, self._step)
            change, size = step_duals(
                self._packed, self._before, spans, self._gradient, *edges, relaxation
            )
            if absolute > 0:
                limit = absolute / FIELD_PENALTY
                data = (self._packed, self._dual, self.field, self.weight)
                _weigh_absolute(*data, spans, limit, weight)
            self._left = (weight, spans, *edges, penalties, relaxation)
            if change <= tol * size:
                break
        progress(1.0, stage)

    def _descend(self) -> None:
        """Do what the last step left to do, which takes the place of the susceptibility."""
        if self._left is not None:
            dual = self._dual
            descend(self._packed, self._gradient, dual, dual, self.field, *self._left)
            self._left = None

    def finish(self, more: FloatArray | None = None) -> FloatArray:
        """Full grid with the susceptibility, and ``more``, in the mask; the fit is over."""
        self._left = None
        del self._duals, self._before, self.weight
        chi = self.chi
        del self._packed
        if more is not None:
            chi += more
        chi *= self.inside
        return self.frame.paste(chi)

    def attempt(self, regularisation: float, max_iter: int, tol: float) -> tuple[float, float]:
        """Go on with another weight and say how the solution does: a ``Fit`` for that weight.

        Returns
        -------
        misfit : float
            Norm of ``w (D chi - field)`` in ppm.
        variation : float
            Sum of the absolute differences over mm of neighbours in the mask.
        """
        self.run(regularisation, max_iter, tol, silent, "")
        residual = self._misfit()
        misfit = math.sqrt(dot(residual, self.weight * residual))
        chi, variation = self.chi, 0.0
        for axis in range(3):
            difference = np.abs(np.roll(chi, -1, axis) - chi)
            costly = (self._edges >> np.uint8(axis)) & np.uint8(1) != 0
            total = np.sum(difference, where=costly, dtype=np.float64)
            variation += float(total) / self._step[axis]
        return misfit, variation

    def noise_norm(self) -> float:
        """Norm of the weighted misfit that the noise of the field alone would leave, in ppm."""
        return math.sqrt(dot(self.noise, self.weight * self.noise))

    def choose(
        self,
        how: Choose,
        regularisation: float,
        max_iter: int,
        tol: float,
        progress: Progress,
    ) -> float:
        """Weight of the total variation: as given, or chosen from the data around it.

        A chosen one finds the fit as it was before its first run: with few iterations the
        solution still depends on where it began.
        """
        calls = 0

        def fit(weight: float) -> tuple[float, float]:
            nonlocal calls
            progress(calls / MOST_FITS, "Choosing the regularisation")
            calls += 1
            # going on from another weight's solution stops early, and not where that weight ends
            self.restart(self.field)
            return self.attempt(weight, max_iter, max(tol, CHOOSING_TOL))

        if how == "fixed" or not self.field.any():
            return regularisation
        if how == "noise":
            chosen = by_noise(fit, regularisation, self.noise_norm(), max_fits=MOST_FITS)
        else:
            chosen = by_l_curve(fit, regularisation, count=MOST_FITS)
        self.restart(self.field)
        return chosen


@kernel(parallel=True)
def _weigh_absolute(
    packed: NDArray[np.complex64],
    dual: FloatArray,
    field: FloatArray,
    weight: FloatArray,
    spans: NDArray[np.int64],
    limit: float,
    result: FloatArray,
) -> None:
    """Weights by which the quadratic step towards the field becomes that of the absolute misfit.

    The quadratic step goes the part ``w / (w + b)`` of the way from the model to the field; that
    of the absolute misfit goes at most ``limit w^(1/2)``.
    """
    b = np.float32(FIELD_PENALTY)
    exact = np.float32(EXACT)
    for i in prange(packed.shape[0]):
        for j in range(packed.shape[1]):
            first, stop, at = spans[i, j]
            for k in range(first, stop):
                n = at + k - first
                way = abs(field[n] - packed[i, j, k].imag - dual[i, j, k])
                most = np.float32(limit) * math.sqrt(weight[n])
                if most >= way:
                    result[n] = exact if most > 0 else np.float32(0)
                else:
                    result[n] = b * most / (way - most)
