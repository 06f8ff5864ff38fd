"""Whole turns between echoes that were unwrapped one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, routine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi


def align_echoes(unwrapped: FloatArray, part: NDArray[Any], echo_times: Sequence[float]) -> None:
    """Shift each connected part of each echo by whole turns so that phase grows linearly in time.

    The median of the first echo, and that of the step to the second, are taken to be below half a
    turn; later echoes follow the line through the two before. A turn too many in all echoes alike
    is a constant field, which the background step takes away. All in place.

    Parameters
    ----------
    unwrapped : ndarray of float32, shape (E, N)
        Phase in rad, each echo right up to whole turns in each connected part.
    part : ndarray of int, shape (N,)
        Connected part of each voxel; parts need not follow each other.
    echo_times : sequence of float
        In s, E of them.
    """
    times = np.asarray(echo_times, dtype=np.float64)
    counts = np.bincount(part)
    if np.count_nonzero(counts) == 1:
        _align(unwrapped, times)
        return
    largest = part == counts.argmax()
    unwrapped[:, largest] = _aligned(unwrapped[:, largest], times)
    others = np.flatnonzero(~largest)
    others = others[np.argsort(part[others], kind="stable")]
    borders = np.flatnonzero(np.diff(part[others])) + 1
    for members in np.split(others, borders):
        unwrapped[:, members] = _aligned(unwrapped[:, members], times)


def _aligned(values: FloatArray, times: NDArray[np.float64]) -> FloatArray:
    values = np.ascontiguousarray(values)
    _align(values, times)
    return values


@kernel()
def _align(values: NDArray[np.float32], times: NDArray[np.float64]) -> None:
    turns = np.empty(values.shape[1], np.int32)
    for e in range(values.shape[0]):
        ratio = 0.0
        if e > 1:
            ratio = (times[e] - times[e - 1]) / (times[e - 1] - times[e - 2])
        for v in range(values.shape[1]):
            expected = 0.0
            if e > 0:
                expected = values[e - 1, v]
            if e > 1:
                expected += ratio * (values[e - 1, v] - values[e - 2, v])
            turns[v] = np.int32(np.rint((values[e, v] - expected) / TURN))
        shift = np.float32(TURN * _middle(turns))
        for v in range(values.shape[1]):
            values[e, v] -= shift


@routine
def _middle(numbers: NDArray[np.int32]) -> int:
    """The median of whole numbers, the lower one of two, by counting."""
    lowest, highest = int(numbers.min()), int(numbers.max())
    counts = np.zeros(highest - lowest + 1, np.int64)
    for number in numbers:
        counts[number - lowest] += 1
    passed, middle = 0, 0
    while 2 * (passed + counts[middle]) < numbers.size:
        passed += counts[middle]
        middle += 1
    return lowest + middle
