"""Unwrapping along the best paths: a minimum spanning tree over the edges between voxels.

Voxels of a mask are numbered 0..N-1 and everything is held per voxel, not per grid point. Edges are
taken from the most reliable to the least; where one joins two trees, the smaller is shifted by
whole turns so that the phase step across the edge is below half a turn. Edge weights follow ROMEO
(Dymerska et al. 2021, doi:10.1002/mrm.28563): phase coherence, gradient coherence with another
echo, magnitude coherence, in 255 steps. ROMEO grows its tree from a seed; the trees are the same
but for ties, and no seed is needed in a part of the mask that is cut off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine
from napari_qsm_stroke.core.numerics.frame import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi
WORST = 255


@dataclass(frozen=True)
class MaskGraph:
    """The voxels of a mask and which of them touch.

    Attributes
    ----------
    mask : ndarray of bool, shape (X, Y, Z)
        The mask.
    neighbours : ndarray of int32, shape (N, 3)
        Number of the next voxel along X, Y, Z; -1 where that lies outside the mask.
    """

    mask: NDArray[np.bool_]
    neighbours: NDArray[np.int32]

    @classmethod
    def of(cls, mask: NDArray[Any]) -> MaskGraph:
        """Build it; raises ``InputError`` where the mask is empty."""
        Frame.around(mask)
        inside = np.ascontiguousarray(mask) != 0
        number = np.full(inside.shape, -1, np.int32)
        number[inside] = np.arange(np.count_nonzero(inside), dtype=np.int32)
        neighbours = np.full((np.count_nonzero(inside), 3), -1, np.int32)
        for axis in range(3):
            following = np.full_like(number, -1)
            ahead: list[slice] = [slice(None)] * 3
            ahead[axis] = slice(1, None)
            here: list[slice] = [slice(None)] * 3
            here[axis] = slice(None, -1)
            following[tuple(here)] = number[tuple(ahead)]
            neighbours[:, axis] = following[inside]
        return cls(inside, neighbours)

    def pick(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Values of a volume (or of echoes) in the mask, shape (N,) or (N, E)."""
        return volume[self.mask]

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Volume (or echoes) with these values in the mask and zero outside it."""
        volume = np.zeros(self.mask.shape + values.shape[1:], values.dtype)
        volume[self.mask] = values
        return volume


def edge_weights(
    graph: MaskGraph,
    phase: FloatArray,
    magnitude: FloatArray,
    reference: FloatArray | None = None,
    time_ratio: float = 1.0,
) -> NDArray[np.uint8]:
    """Cost of each edge: 1 the most reliable, 255 the least, 0 where there is no edge.

    Parameters
    ----------
    graph : MaskGraph
        With N voxels.
    phase, magnitude : ndarray of shape (N,)
        Of the echo to unwrap; phase in rad, wrapped.
    reference : ndarray of shape (N,), optional
        Phase of another echo in rad; without one, gradient coherence is left out.
    time_ratio : float
        Echo time over that of the reference.

    Returns
    -------
    ndarray of uint8, shape (N, 3)
    """
    weights = np.zeros(graph.neighbours.shape, np.uint8)
    other = phase if reference is None else reference
    _weigh(
        graph.neighbours,
        phase,
        magnitude,
        other,
        time_ratio if reference is not None else 0.0,
        reference is not None,
        weights,
    )
    return weights


def unwrap(
    graph: MaskGraph, phases: FloatArray, weights: NDArray[np.uint8]
) -> tuple[FloatArray, NDArray[np.int32]]:
    """Add whole turns so that reliable neighbours differ by less than half a turn.

    Parameters
    ----------
    graph : MaskGraph
        With N voxels.
    phases : ndarray of float32, shape (E, N)
        In rad, wrapped. Echoes are unwrapped side by side on all cores.
    weights : ndarray of uint8, shape (E, N, 3)
        Costs of the edges of each echo.

    Returns
    -------
    unwrapped : ndarray of float32, shape (E, N)
        In rad; each connected part is right up to whole turns of its own.
    part : ndarray of int32, shape (N,)
        Number of one voxel of the connected part that the voxel belongs to.
    """
    unwrapped = np.empty_like(phases)
    part = np.empty(phases.shape, np.int32)
    _kruskal(graph.neighbours, weights, phases, unwrapped, part)
    return unwrapped, part[0]


def voxel_quality(graph: MaskGraph, weights: NDArray[np.uint8]) -> FloatArray:
    """Mean reliability of the edges of each voxel, 0 to 1."""
    quality = np.zeros(len(weights), np.float32)
    _mean_of_edges(graph.neighbours, weights, quality)
    return quality


@routine
def _wrap(angle: float) -> float:
    return angle - TURN * round(angle / TURN)


@kernel(parallel=True)
def _weigh(
    neighbours: NDArray[np.int32],
    phase: FloatArray,
    magnitude: FloatArray,
    reference: FloatArray,
    time_ratio: float,
    with_reference: bool,
    weights: NDArray[np.uint8],
) -> None:
    for a in prange(phase.size):
        for axis in range(3):
            b = neighbours[a, axis]
            if b < 0:
                continue
            step = _wrap(phase[a] - phase[b])
            good = 0.1 + 0.9 * (1 - abs(step) / math.pi)
            if with_reference:
                other = _wrap(reference[a] - reference[b])
                good *= 0.1 + 0.9 * max(0.0, 1 - abs(step - other * time_ratio))
            low = min(magnitude[a], magnitude[b])
            high = max(magnitude[a], magnitude[b])
            same = (low / high) ** 2 if high > 0 else 0.0
            good *= 0.1 + 0.9 * same
            weights[a, axis] = max(round((1 - good) * WORST), 1)


@routine
def _root(parent: NDArray[np.int32], turns: NDArray[np.int32], voxel: int) -> tuple[int, int]:
    """Root of the tree of a voxel and its turns relative to the root; halves the path."""
    total = 0
    while parent[voxel] != voxel:
        above = parent[voxel]
        turns[voxel] += turns[above]
        parent[voxel] = parent[above]
        total += turns[voxel]
        voxel = parent[voxel]
    return voxel, total


@kernel(parallel=True)
def _kruskal(
    neighbours: NDArray[np.int32],
    weights: NDArray[np.uint8],
    phases: FloatArray,
    unwrapped: FloatArray,
    part: NDArray[np.int32],
) -> None:
    for e in prange(phases.shape[0]):
        _grow(neighbours, weights[e], phases[e], unwrapped[e], part[e])


@routine
def _by_cost(weights: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Numbers of the edges (3 a + axis) from the cheapest to the dearest."""
    start = np.zeros(WORST + 2, np.int64)
    for a in range(weights.shape[0]):
        for axis in range(3):
            start[weights[a, axis] + 1] += 1
    start[1] = 0  # weight 0 is no edge
    for w in range(1, WORST + 2):
        start[w] += start[w - 1]
    order = np.empty(start[WORST + 1], np.int32)
    for a in range(weights.shape[0]):
        for axis in range(3):
            w = weights[a, axis]
            if w > 0:
                order[start[w]] = 3 * a + axis
                start[w] += 1
    return order


@routine
def _grow(
    neighbours: NDArray[np.int32],
    weights: NDArray[np.uint8],
    phase: FloatArray,
    unwrapped: FloatArray,
    part: NDArray[np.int32],
) -> None:
    n = phase.size
    parent = np.empty(n, np.int32)
    for a in range(n):
        parent[a] = a
    turns = np.zeros(n, np.int32)
    size = np.ones(n, np.int32)
    for edge in _by_cost(weights):
        a = edge // 3
        b = neighbours[a, edge % 3]
        root_a, turns_a = _root(parent, turns, a)
        root_b, turns_b = _root(parent, turns, b)
        if root_a == root_b:
            continue
        shift = turns_a - turns_b + round((phase[a] - phase[b]) / TURN)
        if size[root_a] < size[root_b]:
            root_a, root_b, shift = root_b, root_a, -shift
        parent[root_b] = root_a
        turns[root_b] = shift
        size[root_a] += size[root_b]
    for a in range(n):
        root, turn = _root(parent, turns, a)
        part[a] = root
        unwrapped[a] = phase[a] + TURN * turn


@kernel()
def _mean_of_edges(
    neighbours: NDArray[np.int32], weights: NDArray[np.uint8], quality: FloatArray
) -> None:
    count = np.zeros(quality.size, np.uint8)
    for a in range(quality.size):
        for axis in range(3):
            w = weights[a, axis]
            if w > 0:
                b = neighbours[a, axis]
                good = np.float32(WORST - w) / np.float32(WORST - 1)
                quality[a] += good
                quality[b] += good
                count[a] += 1
                count[b] += 1
    for a in range(quality.size):
        if count[a] > 0:
            quality[a] /= count[a]
