"""ROMEO: unwrapping along the most reliable edges."""

from __future__ import annotations

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
    for e in steps(count, progress, "Unwrapping"):
        other = 1 if e == 0 else e - 1
        weights = edge_weights(
            graph,
            phases[e],
            magnitudes[e],
            phases[other] if count > 1 else None,
            echo_times[e] / echo_times[other] if count > 1 else 1.0,
        )
        unwrapped[:, e], part = unwrap(graph, phases[e], weights)
        quality += voxel_quality(graph, weights) / count
    aligned = align_echoes(unwrapped, part, echo_times)
    return graph.spread(aligned), graph.spread(quality)
