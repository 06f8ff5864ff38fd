"""Total generalised variation under a wave equation, by primal-dual steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.generalised_variation_passes import (
    BENDS,
    PAIRS,
    SHEARS,
    SOLVED,
    STEPS,
    descend,
    raise_duals,
)
from napari_qsm_stroke.core.numerics.products import norm
from napari_qsm_stroke.core.progress import Progress, steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Triple = tuple[float, float, float]
EQUATION, SLOPE, BEND = 0.1, 0.01, 1.0
"""How fast the duals move: of the equation, of the slope, and of its change."""
LEFT_OVER = 0.01
"""How fast the left-over field moves against the susceptibility."""
CHECK = 10
"""Steps between two looks at the change."""


class WaveVariation:
    """Susceptibility of least total generalised variation whose field has a known Laplacian.

    Sought are susceptibility x, its smooth gradient v and a left-over field u in a mask, of least
    ``1/2 |w^(1/2) u|^2 + a1 |grad x - v|_1 + a0 |E v|_1`` with ``laplace(u) = wave(x) - source``,
    where ``wave`` is a third of the Laplacian less the second derivative along B0. Gradients live
    on the steps between voxels, and the mixed parts of the symmetrised derivative E amid four
    voxels: the penalty then treats both ways along an axis alike.

    With the steps of each dual and each unknown scaled by the sums of their coefficients, no
    choice of the speeds diverges (Pock and Chambolle, ICCV 2011:1762,
    doi:10.1109/ICCV.2011.6126441).

    Parameters
    ----------
    source : ndarray of float32, shape (X, Y, Z)
        Laplacian of the field in ppm/mm2.
    known : ndarray of bool, shape (X, Y, Z)
        Where the source is known.
    weight : ndarray of float32, shape (X, Y, Z)
        Squared weight w of the left-over field.
    inside : ndarray of bool, shape (X, Y, Z)
        The mask, not at the faces of the array.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    """

    def __init__(
        self,
        source: FloatArray,
        known: NDArray[np.bool_],
        weight: FloatArray,
        inside: NDArray[np.bool_],
        voxel_size: Triple,
        b0_dir: Triple,
    ) -> None:
        self._shape, size = inside.shape, inside.size
        self._inside = inside.ravel().view(np.uint8)
        self._masks = masks_of(inside, known)
        self._source = np.where(self._masks[SOLVED * size :] != 0, source.ravel(), np.float32(0))
        b = np.asarray(b0_dir, dtype=np.float64)
        b = b / np.linalg.norm(b)
        laplace = stencil((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), voxel_size)
        wave = stencil(
            (1 / 3 - b[0] ** 2, 1 / 3 - b[1] ** 2, 1 / 3 - b[2] ** 2),
            (-2 * b[0] * b[1], -2 * b[0] * b[2], -2 * b[1] * b[2]),
            voxel_size,
        )
        self._stencils = np.stack([laplace, wave])
        self._up, self._down = _rates(strength(laplace), strength(wave), voxel_size)
        self._kept = self._inside / (1 + self._down[1] * weight.ravel())
        self._place = (
            self._masks,
            _rows(inside),
            np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1]),
            self._stencils,
        )
        self._inverse = (1 / np.asarray(voxel_size)).astype(np.float32)
        self._x, self._u, self._r = (np.zeros(size, np.float32) for _ in range(3))
        self._ahead_x, self._ahead_u = (np.zeros(size, np.float32) for _ in range(2))
        self._v, self._ahead_v, self._p = (np.zeros(3 * size, np.float32) for _ in range(3))
        self._q = np.zeros(6 * size, np.float32)

    @property
    def susceptibility(self) -> FloatArray:
        """In ppm, zero outside the mask."""
        return self._x.reshape(self._shape)

    def run(
        self,
        regularisation: float,
        bending: float,
        max_iter: int,
        tol: float,
        progress: Progress,
        stage: str,
    ) -> None:
        """Go on until the susceptibility changes by less than ``tol`` of itself in a step.

        Parameters
        ----------
        regularisation : float
            Weight a1 of the variation, in ppm mm.
        bending : float
            Weight a0 of the change of the smooth gradient over a1, in mm.
        max_iter : int
            Most steps.
        tol : float
            Looked at every ten steps.
        progress : Progress
            May raise ``Cancelled``.
        stage : str
            What progress is told.
        """
        limits = np.array([regularisation, regularisation * bending], np.float32)
        values = (self._x, self._u, self._v)
        ahead = (self._ahead_x, self._ahead_u, self._ahead_v)
        duals = (self._p, self._q, self._r)
        up = (*ahead, *duals, self._source, *self._place, limits, self._up, self._inverse)
        kept = (self._inside, self._kept)
        down = (*values, *ahead, *duals, *kept, *self._place, self._down, self._inverse)
        for index in steps(max_iter, progress, stage):
            raise_duals(*up)
            descend(*down)
            if (index + 1) % CHECK == 0:
                change = norm(self._ahead_x - self._x)
                if change <= tol * norm(self._x):
                    break
        progress(1.0, stage)


def masks_of(inside: NDArray[np.bool_], known: NDArray[np.bool_]) -> ByteArray:
    """Ten masks of 0 and 1, one after the other in one flat array.

    Parameters
    ----------
    inside : ndarray of bool, shape (X, Y, Z)
        The mask, not at the faces of the array.
    known : ndarray of bool, shape (X, Y, Z)
        Where the source is known; the equation holds where all 18 neighbours are inside, too.
    """
    masks = np.zeros((SOLVED + 1, *inside.shape), bool)
    solved = known & inside
    for axis in range(3):
        along = masks[STEPS + axis]
        along[:] = inside & np.roll(inside, -1, axis)
        masks[BENDS + axis] = along & np.roll(along, 1, axis)
        solved &= masks[BENDS + axis]
    for index, (a, b) in enumerate(PAIRS):
        face = masks[SHEARS + index]
        face[:] = masks[STEPS + a] & np.roll(masks[STEPS + a], -1, b)
        for offset in ((0, 0), (1, 0), (0, 1), (1, 1)):
            solved &= np.roll(face, offset, (a, b))
    masks[SOLVED] = solved
    return masks.reshape(-1).view(np.uint8)


def stencil(factors: Triple, mixed: Triple, voxel_size: Triple) -> FloatArray:
    """Coefficients of ``sum factors_d d2/dd2 + sum mixed_de d2/(dd de)`` on 19 voxels.

    Second differences are averaged over the neighbours across such that their error is that of
    one smoothing alike in all directions, to fourth order: it cancels between two such operators.

    Parameters
    ----------
    factors : tuple of float
        Of the second derivatives along X, Y, Z.
    mixed : tuple of float
        Of the mixed derivatives XY, XZ, YZ.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of float32, shape (10,)
        For the centre; for the neighbours along X, Y, Z; for those along XY, XZ, YZ with offsets
        of like sign; for those with offsets of unlike sign.
    """
    plain = [f / h**2 for f, h in zip(factors, voxel_size, strict=True)]
    even = [(plain[d] + plain[e]) / 12 for d, e in PAIRS]
    odd = [m / (4 * voxel_size[d] * voxel_size[e]) for m, (d, e) in zip(mixed, PAIRS, strict=True)]
    faces = [
        plain[d] - 2 * sum(c for c, pair in zip(even, PAIRS, strict=True) if d in pair)
        for d in range(3)
    ]
    centre = -2 * sum(plain) + 4 * sum(even)
    like = [a + b for a, b in zip(even, odd, strict=True)]
    unlike = [a - b for a, b in zip(even, odd, strict=True)]
    return np.array([centre, *faces, *like, *unlike], np.float32)


def strength(coefficients: FloatArray) -> float:
    """Sum of the sizes of all 19 coefficients of a stencil."""
    size = np.abs(coefficients.astype(np.float64))
    return float(size[0] + 2 * size[1:].sum())


def _rows(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First voxel and number of voxels of each row that meets the mask."""
    filled = inside.any(axis=2)
    first = np.argmax(inside, axis=2)
    beyond = inside.shape[2] - np.argmax(inside[:, :, ::-1], axis=2)
    starts = np.arange(filled.size).reshape(filled.shape) * inside.shape[2] + first
    return np.stack([starts[filled], (beyond - first)[filled]], axis=1).astype(np.int64)


def _rates(laplace: float, wave: float, voxel_size: Triple) -> tuple[FloatArray, FloatArray]:
    """Lengths of the steps up in p, q, r and down in x, u, v."""
    inverse = 1 / np.asarray(voxel_size)
    total, most = float(inverse.sum()), float(inverse.max())
    up = (
        SLOPE / (2 * most + 1),
        BEND / (2 * max(most, total - float(inverse.min()))),
        EQUATION / (LEFT_OVER * laplace + wave),
    )
    down = (
        1 / (EQUATION * wave + 2 * SLOPE * total),
        LEFT_OVER / (EQUATION * laplace),
        1 / (SLOPE + 2 * BEND * total),
    )
    return np.array(up, np.float32), np.array(down, np.float32)
