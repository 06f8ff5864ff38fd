"""Laplacian unwrapping: quick, smooth, and not exact."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.angles import ZERO, wrapped
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.echo_alignment import align_echoes
from napari_qsm_stroke.core.numerics.fourier import ALL_CORES
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.spanning_tree import MaskGraph, edge_weights, voxel_quality
from napari_qsm_stroke.core.numerics.wrapped_phase import wrapped_echoes
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import (
    Brain,
    EchoTimes,
    Magnitude,
    Phase,
    PhaseOffset,
    PhaseQuality,
    UnwrappedPhase,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1364/OL.28.001194", recommended=False, revision=2, memory=5)
def laplacian(
    magnitude: Magnitude,
    phase: Phase,
    brain: Brain,
    phase_offset: PhaseOffset | None = None,
    *,
    echo_times: EchoTimes,
    progress: Progress = silent,
) -> tuple[UnwrappedPhase, PhaseQuality]:
    """Find the smooth phase whose differences are the wrapped differences, by one transform.

    For a preview. Differences to voxels outside the brain are unknown and taken as zero, which
    adds a function that is harmonic in the brain and goes with the background field. Where the
    phase of neighbours truly jumps, the error spreads instead of staying a whole turn in place.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped.
    brain : ndarray of shape (X, Y, Z)
        Where to unwrap; differences to voxels outside are taken as zero.
    phase_offset : ndarray of shape (X, Y, Z, 1) or (X, Y, Z, E), optional
        In rad, to be taken from the phase.
    echo_times : tuple of float
        In s.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    unwrapped_phase : ndarray of float32, shape (X, Y, Z, E)
        In rad; zero outside the brain.
    phase_quality : ndarray of float32, shape (X, Y, Z)
        Mean coherence of phase and magnitude with the neighbours over all echoes, 0 to 1.

    References
    ----------
    Schofield and Zhu, Opt Lett 2003;28:1194, doi:10.1364/OL.28.001194.
    """
    graph = MaskGraph.of(brain)
    inside = np.ascontiguousarray(graph.mask[Frame.around(brain).box])
    eigenvalue = _eigenvalue(inside.shape)
    magnitudes, phases = wrapped_echoes(magnitude, phase, graph.places, phase_offset)
    unwrapped = np.empty_like(phases)
    costs = np.zeros(graph.neighbours.shape, np.uint16)
    for e in steps(len(phases), progress, "Unwrapping"):
        volume = np.zeros(inside.shape, np.float32)
        volume[inside] = phases[e]
        unwrapped[e] = _poisson(volume, inside, eigenvalue)[inside]
        costs += edge_weights(graph, phases[e], magnitudes[e])
    align_echoes(unwrapped, np.zeros(len(graph.places), np.int32), echo_times)
    return graph.spread(unwrapped), graph.spread(voxel_quality(graph, costs, len(phases)))


def _eigenvalue(shape: Sequence[int]) -> FloatArray:
    """Of the Laplacian for each cosine; 1 for the constant, which has none."""
    x, y, z = ((2 * np.cos(math.pi * np.arange(n) / n) - 2).astype(np.float32) for n in shape)
    total: FloatArray = x[:, None, None] + y[:, None] + z
    total[0, 0, 0] = 1
    return total


def _poisson(phase: FloatArray, inside: NDArray[np.bool_], eigenvalue: FloatArray) -> FloatArray:
    """Phase with the wrapped differences inside, found by cosine transforms."""
    source = np.empty_like(phase)
    _wrapped_laplacian(phase, inside, source)
    spectrum = scipy.fft.dctn(source, workers=ALL_CORES, overwrite_x=True)
    spectrum /= eigenvalue
    spectrum[0, 0, 0] = 0
    result: FloatArray = scipy.fft.idctn(spectrum, workers=ALL_CORES, overwrite_x=True)
    return result


@kernel(parallel=True)
def _wrapped_laplacian(
    phase: FloatArray, inside: NDArray[np.bool_], source: NDArray[np.float32]
) -> None:
    """Sum of the wrapped differences to the neighbours that are inside as well."""
    nx, ny, nz = phase.shape
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                total, here = ZERO, phase[i, j, k]
                if inside[i, j, k]:
                    if i > 0 and inside[i - 1, j, k]:
                        total += wrapped(phase[i - 1, j, k] - here)
                    if i + 1 < nx and inside[i + 1, j, k]:
                        total += wrapped(phase[i + 1, j, k] - here)
                    if j > 0 and inside[i, j - 1, k]:
                        total += wrapped(phase[i, j - 1, k] - here)
                    if j + 1 < ny and inside[i, j + 1, k]:
                        total += wrapped(phase[i, j + 1, k] - here)
                    if k > 0 and inside[i, j, k - 1]:
                        total += wrapped(phase[i, j, k - 1] - here)
                    if k + 1 < nz and inside[i, j, k + 1]:
                        total += wrapped(phase[i, j, k + 1] - here)
                source[i, j, k] = total
