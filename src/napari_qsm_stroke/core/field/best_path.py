"""Best-path unwrapping of scikit-image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage import restoration

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.echo_alignment import align_echoes
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
    from collections.abc import Callable

_unwrap: Callable[..., Any] = restoration.unwrap_phase


@method(cite="10.1364/AO.46.006623", revision=2, memory=5.5)
def best_path(
    magnitude: Magnitude,
    phase: Phase,
    brain: Brain,
    phase_offset: PhaseOffset | None = None,
    *,
    echo_times: EchoTimes,
    progress: Progress = silent,
) -> tuple[UnwrappedPhase, PhaseQuality]:
    """Unwrap each echo along the path of smallest second differences, then align the echoes.

    Independent of ROMEO, and slower.

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
    Abdul-Rahman et al., Appl Opt 2007;46:6623, doi:10.1364/AO.46.006623.
    """
    graph = MaskGraph.of(brain)
    box = Frame.around(brain).box
    inside = graph.mask[box]
    part = ndimage.label(graph.mask)[0][graph.mask]
    magnitudes, phases = wrapped_echoes(magnitude, phase, graph.places, phase_offset)
    unwrapped = np.empty_like(phases)
    costs = np.zeros(graph.neighbours.shape, np.uint16)
    for e in steps(len(phases), progress, "Unwrapping"):
        image = np.ma.masked_array(graph.spread(phases[e])[box], mask=~inside)
        unwrapped[e] = np.asarray(_unwrap(image, rng=0))[inside]
        costs += edge_weights(graph, phases[e], magnitudes[e])
    align_echoes(unwrapped, part, echo_times)
    return graph.spread(unwrapped), graph.spread(voxel_quality(graph, costs, len(phases)))
