"""ROMEO: unwrapping along the most reliable edges."""

from __future__ import annotations

import math
from os import cpu_count
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.echo_alignment import align_echoes
from napari_qsm_stroke.core.numerics.echo_fit import (
    early_intercept,
    fit_lines,
    smooth_intercept,
)
from napari_qsm_stroke.core.numerics.heap import give_back
from napari_qsm_stroke.core.numerics.spanning_tree import (
    MaskGraph,
    edge_weights,
    unwrap,
    voxel_quality,
)
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
    VoxelSize,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi
OFFSET_MM = 3.0
CLEARLY = 2 / 3
"""Turns that a voxel must be off its own earlier echoes to be put right."""


@method(cite="10.1002/mrm.28563", revision=4, memory=4.5)
def romeo(
    magnitude: Magnitude,
    phase: Phase,
    brain: Brain,
    phase_offset: PhaseOffset | None = None,
    *,
    echo_times: EchoTimes,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    mode: Literal["individual", "template"] = "individual",
    progress: Progress = silent,
) -> tuple[UnwrappedPhase, PhaseQuality]:
    """Unwrap each echo along its most reliable edges, then align the echoes by whole turns.

    The reliability of an edge is the product of phase coherence, coherence of the phase gradient
    with the neighbouring echo, and magnitude coherence. The echo before (for the first: the
    second) is the reference; a single echo does without. With three echoes or more, single voxels
    whose phase clearly jumps by whole turns from one echo to the next are put right at the end.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped.
    brain : ndarray of shape (X, Y, Z)
        Where to unwrap.
    phase_offset : ndarray of shape (X, Y, Z, 1) or (X, Y, Z, E), optional
        In rad, to be taken from the phase.
    echo_times : tuple of float
        In s.
    voxel_size : tuple of float
        In mm.
    mode : {"individual", "template"}
        Individual: each echo by itself. Template: the first one only, which gives the turns of the
        next, and so on; quicker, but any phase offset left grows with the echo time and costs
        turns.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    unwrapped_phase : ndarray of float32, shape (X, Y, Z, E)
        In rad; zero outside the brain.
    phase_quality : ndarray of float32, shape (X, Y, Z)
        Mean reliability of the edges of a voxel over all echoes, 0 to 1.

    References
    ----------
    Dymerska et al., Magn Reson Med 2021;85:2294, doi:10.1002/mrm.28563.
    """
    graph = MaskGraph.of(brain)
    magnitudes, phases = wrapped_echoes(magnitude, phase, graph.places, phase_offset)
    count = len(phases)
    spatial = 1 if mode == "template" else count
    part = np.zeros(0, np.int32)
    costs = np.zeros(graph.neighbours.shape, np.uint16)
    batch = cpu_count() or 1
    for first in steps(-(-count // batch), progress, "Unwrapping"):
        echoes = range(first * batch, min((first + 1) * batch, count))
        weights = np.stack([_weights(graph, phases, magnitudes, echo_times, e) for e in echoes])
        costs += weights.sum(axis=0, dtype=np.uint16)
        alone = range(echoes.start, min(echoes.stop, spatial))
        if alone:
            chosen = slice(alone.start, alone.stop)
            # in place: whole turns make no difference to the weights of the next echoes
            phases[chosen], part = unwrap(graph, phases[chosen], weights[: len(alone)])
        del weights
    align_echoes(phases[:spatial], part, echo_times)
    del part
    for e in range(spatial, count):
        expected = phases[e - 1] * np.float32(echo_times[e] / echo_times[e - 1])
        phases[e] += np.float32(TURN) * np.rint((expected - phases[e]) / np.float32(TURN))
    if spatial > 2:
        _straighten(phases, magnitudes, graph.mask, echo_times, voxel_size)
    del magnitudes
    quality = graph.spread(voxel_quality(graph, costs, count))
    del costs
    give_back()
    return graph.spread(phases), quality


def _straighten(
    unwrapped: FloatArray,
    magnitudes: FloatArray,
    inside: NDArray[np.bool_],
    echo_times: Sequence[float],
    voxel_size: VoxelSize,
) -> None:
    """Put single voxels right that are off by whole turns from the line through earlier echoes."""
    times = np.asarray(echo_times, dtype=np.float64)
    _, intercept, _, certainty = fit_lines(unwrapped, magnitudes, times)
    sigma = [OFFSET_MM / v for v in voxel_size]
    early = early_intercept(unwrapped, times)
    offset = smooth_intercept(intercept, certainty, early, inside, sigma)
    _take_turns_back(unwrapped, magnitudes, times, offset)


@kernel(parallel=True)
def _take_turns_back(
    unwrapped: NDArray[np.float32],
    magnitudes: FloatArray,
    times: NDArray[np.float64],
    offset: FloatArray,
) -> None:
    for n in prange(offset.size):
        square, product = 0.0, 0.0
        for e in range(times.size):
            if e > 1 and square > 0:
                expected = offset[n] + times[e] * product / square
                turns = (unwrapped[e, n] - expected) / TURN
                if abs(turns) > CLEARLY:
                    unwrapped[e, n] -= TURN * np.rint(turns)
            w = float(magnitudes[e, n]) ** 2 * times[e]
            square += w * times[e]
            product += w * (unwrapped[e, n] - offset[n])


def _weights(
    graph: MaskGraph,
    phases: FloatArray,
    magnitudes: FloatArray,
    echo_times: Sequence[float],
    echo: int,
) -> NDArray[np.uint8]:
    """Costs of the edges of one echo, with the echo next to it as reference."""
    if len(phases) == 1:
        return edge_weights(graph, phases[0], magnitudes[0])
    other = 1 if echo == 0 else echo - 1
    ratio = echo_times[echo] / echo_times[other]
    return edge_weights(graph, phases[echo], magnitudes[echo], phases[other], ratio)
