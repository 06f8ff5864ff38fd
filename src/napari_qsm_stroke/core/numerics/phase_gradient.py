"""Gradient and Laplacian of the field from wrapped phase, without unwrapping any volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.angles import ZERO, wrapped
from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


@kernel(parallel=True)
def add_echo(
    magnitude: FloatArray, phase: FloatArray, time: float, slopes: FloatArray, shares: FloatArray
) -> None:
    """Let one more echo count in the steps of the field between neighbours.

    The difference of two phases is taken as what lies within half a turn of what the echoes before
    let expect: only a difference of more than half a turn in the first echo goes wrong. Echoes
    count by the product of both magnitudes and the square of their time, as in a line through zero
    fitted to the differences.

    Parameters
    ----------
    magnitude, phase : ndarray of float32, shape (X, Y, Z)
        In any unit, zero where nothing is known, and rad.
    time : float
        In s, later than that of the echoes before.
    slopes : ndarray of float32, shape (3, X, Y, Z)
        Growth of the difference of each voxel to the next along X, Y, Z in rad/s. Changed.
    shares : ndarray of float32, shape (3, X, Y, Z)
        What all echoes so far count together; zero before the first one. Changed.
    """
    nx, ny, _ = magnitude.shape
    t = np.float32(time)
    for i in prange(nx):
        for j in range(ny):
            for axis in range(3):
                di, dj, dk = int(axis == 0), int(axis == 1), int(axis == 2)
                if i + di >= nx or j + dj >= ny:
                    continue
                near, far = magnitude[i, j], magnitude[i + di, j + dj, dk:]
                here, there = phase[i, j], phase[i + di, j + dj, dk:]
                slope, share = slopes[axis, i, j], shares[axis, i, j]
                for k in range(far.size):
                    more = near[k] * far[k] * t * t
                    expected = slope[k] * t
                    found = expected + wrapped(there[k] - here[k] - expected)
                    before = share[k]
                    share[k] = before + more
                    part = more / share[k] if more > ZERO else ZERO
                    slope[k] += part * (found / t - slope[k])


def laplacian_of(slopes: FloatArray, voxel_size: tuple[float, float, float]) -> FloatArray:
    """Laplacian of what grows by ``slopes`` from voxel to voxel, on 19 voxels.

    It has the same error, to fourth order, as ``generalised_variation.stencil``.

    Parameters
    ----------
    slopes : ndarray of float32, shape (3, X, Y, Z)
        Differences to the next voxel along each axis.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In the unit of the slopes over mm2; the two outermost layers mean nothing.
    """
    result = np.zeros(slopes.shape[1:], np.float32)
    for axis in range(3):
        bend = slopes[axis] - np.roll(slopes[axis], 1, axis)
        mean = bend.copy()
        for across in range(3):
            if across != axis:
                near = np.roll(bend, 1, across) + np.roll(bend, -1, across)
                mean += (near - 2 * bend) / np.float32(12)
        result += mean / np.float32(voxel_size[axis] ** 2)
    return result


def steps_agree(slopes: FloatArray, limit: float) -> NDArray[np.bool_]:
    """Where the steps round each of the twelve faces at a voxel sum to zero.

    They do where they are those of one field, however noisy. Where the phase between neighbours
    was taken for a turn more or less than it was, as happens in voxels without signal and beside
    air, they do not, and the Laplacian is wrong.

    Parameters
    ----------
    slopes : ndarray of float32, shape (3, X, Y, Z)
        Differences to the next voxel along each axis.
    limit : float
        Largest sum that is none, in the unit of the slopes.

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
        The outermost layers mean nothing.
    """
    agree = np.ones(slopes.shape[1:], bool)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        there = slopes[a] + np.roll(slopes[b], -1, a)
        there -= slopes[b] + np.roll(slopes[a], -1, b)
        closed = np.abs(there) < limit
        for offset in ((0, 0), (1, 0), (0, 1), (1, 1)):
            agree &= np.roll(closed, offset, (a, b))
    return agree
