"""ROMEO: unwrapping along the most reliable edges."""

from __future__ import annotations

from os import cpu_count
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.echo_alignment import align_echoes
from napari_qsm_stroke.core.numerics.spanning_tree import (
    MaskGraph,
    edge_weights,
    unwrap,
    voxel_quality,
)
from napari_qsm_stroke.core.progress import Progress, silent, steps
from napari_qsm_stroke.core.quantities import (
    Brain,
    EchoTimes,
    PhaseQuality,
    Signal,
    UnwrappedPhase,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


@method(cite="10.1002/mrm.28563")
def romeo(
    signal: Signal,
    brain: Brain,
    *,
    echo_times: EchoTimes,
    progress: Progress = silent,
) -> tuple[UnwrappedPhase, PhaseQuality]:
    """Unwrap each echo along its most reliable edges, then align the echoes by whole turns.

    The reliability of an edge is the product of phase coherence, coherence of the phase gradient
    with the neighbouring echo, and magnitude coherence. The echo before (for the first: the
    second) is the reference; a single echo does without.

    Parameters
    ----------
    signal : ndarray of complex64, shape (X, Y, Z, E)
        With wrapped phase.
    brain : ndarray of shape (X, Y, Z)
        Where to unwrap.
    echo_times : tuple of float
        In s.
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
    values = np.nan_to_num(graph.pick(signal))
    count = values.shape[1]
    phases = np.ascontiguousarray(np.angle(values).T)
    magnitudes = np.ascontiguousarray(np.abs(values).T)
    unwrapped = np.empty((len(values), count), np.float32)
    quality = np.zeros(len(values), np.float32)
    part = np.zeros(len(values), np.int32)
    batch = cpu_count() or 1
    for first in steps(-(-count // batch), progress, "Unwrapping"):
        echoes = range(first * batch, min((first + 1) * batch, count))
        weights = np.stack([_weights(graph, phases, magnitudes, echo_times, e) for e in echoes])
        found, part = unwrap(graph, phases[echoes.start : echoes.stop], weights)
        unwrapped[:, echoes.start : echoes.stop] = found.T
        for one in weights:
            quality += voxel_quality(graph, one) / count
    aligned = align_echoes(unwrapped, part, echo_times)
    return graph.spread(aligned), graph.spread(quality)


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
