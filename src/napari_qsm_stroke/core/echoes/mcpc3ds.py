"""MCPC-3D-S: the phase offset of the coils, from two echoes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.angles import ZERO, cosine_sine
from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine
from napari_qsm_stroke.core.numerics.fourier import smooth_complex
from napari_qsm_stroke.core.numerics.resample import block_size, interpolated_angle
from napari_qsm_stroke.core.numerics.spanning_tree import MaskGraph, edge_weights, unwrap
from napari_qsm_stroke.core.numerics.wrapped_phase import check_echoes
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    Magnitude,
    Phase,
    PhaseOffset,
    VoxelSize,
)
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import FloatArray

SIGNAL_FRACTION = 0.1
COARSE_MM = 2.0
"""The offset is so smooth that blocks of this size tell it."""


@method(cite="10.1002/mrm.26963", revision=3, memory=5.5)
def mcpc3ds(
    magnitude: Magnitude,
    phase: Phase,
    *,
    echo_times: EchoTimes,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    sigma: Annotated[float, Interval(gt=0, le=50), Unit("mm")] = 7.0,
    progress: Progress = silent,
) -> PhaseOffset:
    """Find the phase offset of the coils, which is smooth and the same in all echoes.

    The phase that grows between the first two echoes, unwrapped and extrapolated back to time
    zero, leaves the offset; smoothing keeps noise and bleedings out of it. All that is done on
    blocks of about 2 mm.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        At least two echoes, in any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped.
    echo_times : tuple of float
        In s.
    voxel_size : tuple of float
        In mm.
    sigma : float
        Width of the Gaussian that smooths the offset.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z, 1)
        In rad, to be taken from the phase of every echo.

    Raises
    ------
    InputError
        There is only one echo, or no signal.

    References
    ----------
    Eckstein et al., Magn Reson Med 2018;79:2996, doi:10.1002/mrm.26963.
    """
    if magnitude.shape[3] < 2:
        raise InputError(
            "Echoes",
            "mcpc3ds needs at least 2 echoes, found 1.",
            "Leave the step out (recipe single-echo).",
        )
    progress(0.0, "Phase offset")
    block = block_size(voxel_size, COARSE_MM)
    first, growth = _block_sums(magnitude, phase, block)
    progress(0.3, "Phase offset")
    offset = _offset(first, growth, echo_times[0] / (echo_times[1] - echo_times[0]))
    progress(0.5, "Phase offset")
    size = [v * b for v, b in zip(voxel_size, block, strict=True)]
    smooth = smooth_complex(offset, size, sigma)
    shape = (magnitude.shape[0], magnitude.shape[1], magnitude.shape[2])
    angle = interpolated_angle(smooth, block, shape)
    progress(1.0, "Phase offset")
    return angle[..., None]


def _block_sums(
    magnitude: Magnitude, phase: Phase, block: Shape
) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Signal of the first echo, and its product with the second, summed over blocks of voxels."""
    check_echoes(magnitude, phase)
    coarse = [-(-n // b) for n, b in zip(magnitude.shape[:3], block, strict=True)]
    sums = np.zeros((4, *coarse), np.float32)
    size, angle = (np.ascontiguousarray(a, np.float32) for a in (magnitude, phase))
    _sum_blocks(size, angle, *block, sums)
    return sums[0] + 1j * sums[1], sums[2] + 1j * sums[3]


@kernel(parallel=True)
def _sum_blocks(
    magnitude: FloatArray, phase: FloatArray, bx: int, by: int, bz: int, sums: FloatArray
) -> None:
    nx, ny, nz, _ = magnitude.shape
    for i in prange(sums.shape[1]):
        line = np.empty((4, nz), np.float32)
        for x in range(i * bx, min((i + 1) * bx, nx)):
            for y in range(ny):
                for e in range(2):
                    line[e] = magnitude[x, y, :, e]
                    line[2 + e] = phase[x, y, :, e]
                _multiply(line)
                for part in range(4):
                    for z in range(nz):
                        sums[part, i, y // by, z // bz] += line[part, z]


@routine
def _multiply(line: FloatArray) -> None:
    """Magnitudes and phases of two echoes become the first signal and the product with it."""
    for z in range(line.shape[1]):
        m, n, p, q = line[0, z], line[1, z], line[2, z], line[3, z]
        good = m - m == ZERO and n - n == ZERO and p - p == ZERO and q - q == ZERO
        cosine, sine = cosine_sine(p)
        line[0, z] = m * cosine if good else ZERO
        line[1, z] = m * sine if good else ZERO
        cosine, sine = cosine_sine(q - p)
        line[2, z] = m * n * cosine if good else ZERO
        line[3, z] = m * n * sine if good else ZERO


def _offset(
    first: NDArray[np.complex64], step: NDArray[np.complex64], time_ratio: float
) -> NDArray[np.complex64]:
    """Offset as a complex number whose size is its weight; zero where there is no signal."""
    size: FloatArray = np.abs(step)
    level = SIGNAL_FRACTION**2 * np.percentile(size, 99)
    graph = MaskGraph.of(size > level)
    strength: FloatArray = np.sqrt(graph.pick(size))
    growth: FloatArray = np.angle(graph.pick(step))
    weights = edge_weights(graph, growth, strength)
    unwrapped, part = unwrap(graph, growth[None], weights[None])
    # other parts may be off by turns, which are no whole turns of the offset
    kept = part == np.bincount(part).argmax()
    turn = 2 * math.pi * np.round(np.median(unwrapped[0, kept]) / (2 * math.pi))
    turned = graph.pick(first) * np.exp(-1j * time_ratio * (unwrapped[0] - turn))
    turned *= strength * kept
    return graph.spread(turned.astype(np.complex64))
