"""The total field from the phase that two echoes differ by: for a first look."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.method import Unit, method
from napari_qsm_stroke.core.numerics.echo_alignment import align_echoes
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.spanning_tree import MaskGraph, edge_weights, unwrap
from napari_qsm_stroke.core.numerics.wrapped_phase import check_echoes
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.core.quantities import (
    Brain,
    EchoTimes,
    FieldStrength,
    Magnitude,
    Phase,
    TotalField,
)
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


TURN = 2 * math.pi


@method(cite=("10.1002/nbm.3601", "10.1002/mrm.28563"), recommended=False, memory=2.5)
def echo_difference(
    magnitude: Magnitude,
    phase: Phase,
    brain: Brain,
    *,
    echo_times: EchoTimes,
    field_strength: FieldStrength,
    interval: Annotated[float, Interval(gt=0, le=1), Unit("s")] = 0.02,
) -> TotalField:
    """Divide the phase between the first and a later echo by the time between them.

    For a first look: only one volume is unwrapped, along a spanning tree as ``romeo`` does, and
    the phase offset of the coils, which all echoes share, drops out. The other echoes are not
    looked at, so that the field is noisier than one fitted to all of them. Of a single echo the
    phase itself is taken, offset and all.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        In any unit; tells where phase can be trusted.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped.
    brain : ndarray of shape (X, Y, Z)
        Where to look.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.
    interval : float
        The later echo is that whose time after the first one is nearest to it. The change of
        phase tells most about the field after the T2* of tissue, but wraps more often then.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z)
        In ppm; zero outside the brain.

    Raises
    ------
    InputError
        Images or echo times do not belong together, or the brain is empty.

    References
    ----------
    Ways to take the field from echoes: Robinson et al., NMR Biomed 2017;30:e3601,
    doi:10.1002/nbm.3601; unwrapping: Dymerska et al., Magn Reson Med 2021;85:2294,
    doi:10.1002/mrm.28563.
    """
    check_echoes(magnitude, phase)
    if phase.shape[3] != len(echo_times):
        raise InputError(
            "Echo times",
            f"expected {phase.shape[3]}, one for each echo, found {len(echo_times)}.",
            "Give the echo time of each echo in s.",
        )
    box = Frame.around(brain).box
    graph = MaskGraph.of(brain[box])
    first, later = _echoes(echo_times, interval)
    time, change = echo_times[later], phase[(*box, later)][graph.mask]
    if later != first:
        time, change = time - echo_times[first], change - phase[(*box, first)][graph.mask]
    size = magnitude[(*box, later)][graph.mask]
    known = np.isfinite(change) & np.isfinite(size)
    change, size = (np.where(known, a, 0).astype(np.float32) for a in (change, size))
    change -= np.float32(TURN) * np.rint(change / np.float32(TURN))
    found, part = unwrap(graph, change[None], edge_weights(graph, change, size)[None])
    align_echoes(found, part, (time,))
    field = np.zeros(brain.shape, np.float32)
    scale = 1 / (radians_per_ppm_second(field_strength) * time)
    field[box][graph.mask] = found[0] * np.float32(scale)
    return field


def _echoes(echo_times: Sequence[float], interval: float) -> tuple[int, int]:
    """Number of the first echo, and of the one nearest to an interval after it, if there is."""
    first = int(np.argmin(echo_times))
    others = [e for e in range(len(echo_times)) if e != first]
    after = {e: abs(echo_times[e] - echo_times[first] - interval) for e in others}
    return first, min(after, key=after.__getitem__, default=first)
