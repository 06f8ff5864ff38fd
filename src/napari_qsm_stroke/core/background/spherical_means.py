"""Means of a field over balls that lie wholly in the mask, each by the way that is cheaper.

Over a ball that many voxels use the mean is a convolution by transforms. Over one that only a
thin shell of voxels uses it is summed directly: a ball is a bundle of lines along the axis of the
shortest voxels, and the sum over a line is the difference of two values of the field summed up
along that axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.distance import distance_to
from napari_qsm_stroke.core.numerics.fourier import backward, forward
from napari_qsm_stroke.core.physics.sphere import ball, mean_value_kernel
from napari_qsm_stroke.core.progress import Progress, silent, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.frame import Frame
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

TOUCHING = 1e-3
"""A voxel at the rim of a ball is in it, whatever is rounded; in mm."""
NOWHERE = 255
ROWS = 16
"""Lines of voxels that are summed together."""
TRANSFORM_COST = 14.0
"""Time of one mean by transforms, per voxel of the frame, in sums over one line."""


def room_in(mask: ByteArray, voxel_size: tuple[float, float, float], most: float) -> FloatArray:
    """Distance in mm of each voxel to the nearest one outside: a smaller ball fits.

    Parameters
    ----------
    mask : ndarray, shape (X, Y, Z)
        What lies beyond the array is outside.
    voxel_size : tuple of float
        In mm.
    most : float
        Radius in mm of the largest ball that matters: more room is not measured.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        0 outside the mask.
    """
    padded = np.pad(mask == 0, 1, constant_values=True)
    return distance_to(padded, voxel_size, most + 2 * TOUCHING)[1:-1, 1:-1, 1:-1]


def largest_ball(room: FloatArray, radii: Sequence[float]) -> ByteArray:
    """Index of the first of the descending ``radii`` whose ball fits; ``NOWHERE`` if none does."""
    index = np.empty(room.shape, np.uint8)
    _first_that_fits(room, np.array(radii, np.float64) + TOUCHING, index)
    return index


def less_means(
    field: FloatArray,
    index: ByteArray,
    radii: Sequence[float],
    frame: Frame,
    voxel_size: tuple[float, float, float],
    largest: FloatArray,
    progress: Progress = silent,
) -> FloatArray:
    """Field less its mean over the ball of each voxel.

    Parameters
    ----------
    field : ndarray of float32, shape ``frame.shape``
        Must be centred: sums along lines keep more digits so.
    index : ndarray of uint8
        Which of the radii each voxel of the box of ``frame`` uses.
    radii : sequence of float
        In mm.
    frame : Frame
        Where the work is done.
    voxel_size : tuple of float
        In mm.
    largest : ndarray of float32, shape (X, Y, Z // 2 + 1)
        Spectrum of the ball of the largest radius in use.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape ``frame.shape``
        Zero where no ball fits.
    """
    filtered = np.zeros(frame.shape, np.float32)
    core, inner = field[frame.core], filtered[frame.core]
    counts = np.bincount(index.ravel(), minlength=NOWHERE + 1)
    along = _shortest(voxel_size)
    bundles = [_bundle(radius, voxel_size, along) for radius in radii]
    convolved = [
        n
        for n, lines in enumerate(bundles)
        if counts[n] * float(len(lines)) > TRANSFORM_COST * field.size
    ]
    summed = [n for n in range(len(radii)) if n not in convolved and counts[n] > 0]
    spectrum = forward(field) if convolved else None
    for step in steps(len(convolved) + 1, progress, "Spherical means"):
        if step == len(convolved) or spectrum is None:
            break
        n = convolved[step]
        own = n == index.min()
        weights = largest if own else mean_value_kernel(frame.shape, radii[n], voxel_size)
        # the last one may use the spectrum up
        product = np.multiply(
            spectrum, weights, out=spectrum if step == len(convolved) - 1 else None
        )
        means = backward(product, frame.shape)
        np.subtract(core, means[frame.core], out=inner, where=index == n)
    if summed:
        _sum_shells(
            np.moveaxis(core, along, 2),
            np.moveaxis(index, along, 2),
            {n: bundles[n] for n in summed},
            np.moveaxis(inner, along, 2),
        )
    return filtered


def undo(filtered: FloatArray, kernel: FloatArray, threshold: float) -> FloatArray:
    """Divide by a filter in k-space, where it is above a threshold.

    Parameters
    ----------
    filtered : ndarray of float32, shape (X, Y, Z)
        Zero where it is not known.
    kernel : ndarray of float32, shape (X, Y, Z // 2 + 1)
        Spectrum of the filter; is used up.
    threshold : float
        Frequencies that the filter keeps by less than this are left out.
    """
    _invert(kernel.ravel(), np.float32(threshold))
    spectrum = forward(filtered)
    spectrum *= kernel
    return backward(spectrum, (filtered.shape[0], filtered.shape[1], filtered.shape[2]))


@kernel(parallel=True)
def _invert(values: FloatArray, threshold: np.float32) -> None:
    """One over each value in its place, 0 where it is not above the threshold."""
    for i in prange(values.size):
        values[i] = np.float32(1) / values[i] if abs(values[i]) > threshold else np.float32(0)


def _shortest(voxel_size: Sequence[float]) -> int:
    """Axis along which a ball has the fewest lines: that of the shortest voxels, Z if all are."""
    return 2 - int(np.argmin(voxel_size[::-1]))


def _bundle(radius: float, voxel_size: Sequence[float], along: int) -> NDArray[np.int64]:
    """Lines that make up a ball: offsets on the two other axes, half length; one a row."""
    inside = np.moveaxis(ball(radius, voxel_size) > 0, along, 2)
    half = [n // 2 for n in inside.shape]
    lengths = inside.sum(axis=2)
    x, y = np.nonzero(lengths)
    return np.stack([x - half[0], y - half[1], lengths[x, y] // 2], axis=1)


@kernel(parallel=True)
def _first_that_fits(room: FloatArray, radii: NDArray[np.float64], index: ByteArray) -> None:
    nx, ny, nz = room.shape
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                index[i, j, k] = NOWHERE
                if room[i, j, k] > 0:
                    for n in range(radii.size):
                        if room[i, j, k] > radii[n]:
                            index[i, j, k] = n
                            break


def _sum_shells(
    field: FloatArray,
    index: ByteArray,
    bundles: dict[int, NDArray[np.int64]],
    filtered: FloatArray,
) -> None:
    """Field less its mean, where the index says one of the bundles, into ``filtered``.

    Lines run along the last axis, whatever the order in memory.
    """
    sums = np.empty((*field.shape[:2], field.shape[2] + 1), np.float32)
    _sum_up(field, sums)
    first, last = np.full((2, max(bundles) + 1), -1)
    share = np.zeros(first.size, np.float32)
    place = 0
    for n, lines in bundles.items():
        first[n], last[n] = place, place + len(lines)
        share[n] = 1 / (2 * lines[:, 2] + 1).sum()
        place += len(lines)
    every = np.concatenate(list(bundles.values()))
    # where the ends of each line lie in memory, counted from the voxel
    middle = (every[:, 0] * sums.shape[1] + every[:, 1]) * sums.shape[2]
    # (unsigned: a negative index would be looked for from the end, sums may wrap round)
    above = (middle + every[:, 2] + 1).astype(np.uint64)
    below = (middle - every[:, 2]).astype(np.uint64)
    _sum_bundles(field, sums.ravel(), index, above, below, first, last, share, filtered)


@kernel(parallel=True)
def _sum_up(field: FloatArray, sums: FloatArray) -> None:
    """Sum of each line up to each voxel; nothing before the first."""
    for i in prange(field.shape[0]):
        for j in range(field.shape[1]):
            total = np.float32(0)
            sums[i, j, 0] = total
            for k in range(field.shape[2]):
                total += field[i, j, k]
                sums[i, j, k + 1] = total


@kernel(parallel=True, fastmath=True)
def _sum_bundles(
    field: FloatArray,
    sums: FloatArray,
    index: ByteArray,
    above: NDArray[np.uint64],
    below: NDArray[np.uint64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    share: FloatArray,
    filtered: FloatArray,
) -> None:
    """One line of a bundle for all voxels of some rows, then the next: their sums lie together."""
    nx, ny, nz = field.shape
    for i in prange(nx):
        places = np.empty((first.size, ROWS * nz), np.uint32)
        total = np.empty(ROWS * nz, np.float32)
        for row in range(0, ny, ROWS):
            start = np.uint64((i * ny + row) * (nz + 1))
            counts = np.zeros(first.size, np.int64)
            for j in range(row, min(row + ROWS, ny)):
                for k in range(nz):
                    n = index[i, j, k]
                    if n < first.size and first[n] >= 0:
                        places[n, counts[n]] = (j - row) * (nz + 1) + k
                        counts[n] += 1
            for n in range(first.size):
                own = places[n, : counts[n]]
                total[: own.size] = 0
                for line in range(first[n], last[n]):
                    up, down = start + above[line], start + below[line]
                    for v in range(own.size):
                        place = np.uint64(own[v])
                        total[v] += sums[up + place] - sums[down + place]
                for v in range(own.size):
                    j, k = row + own[v] // (nz + 1), own[v] % (nz + 1)
                    filtered[i, j, k] = field[i, j, k] - total[v] * share[n]
