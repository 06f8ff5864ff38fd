"""Unwrapping along the best paths: a minimum spanning tree over the edges between voxels.

Voxels of a mask are numbered 0..N-1 and everything is held per voxel, not per grid point. Edges are
taken from the most reliable to the least; where one joins two trees, one of them is shifted by
whole turns so that the phase step across the edge is below half a turn. Edge weights follow ROMEO
(Dymerska et al. 2021, doi:10.1002/mrm.28563): phase coherence, gradient coherence with another
echo, magnitude coherence, in 255 steps. ROMEO grows its tree from a seed; the trees are the same
but for ties, and no seed is needed in a part of the mask that is cut off.

Most edges need no sorting. As long as no closed path of the edges up to some cost adds up to a
whole turn, every order of joining them gives the same phase: they are joined as they lie in
memory, on all cores, and only edges above that cost which still join two trees are sorted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.angles import ONE, PI, TURNS, ZERO, wrapped
from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

TURN = 2 * math.pi
WORST = 255
LEAST, REST, STEPS = np.float32(0.1), np.float32(0.9), np.float32(WORST)
UNSORTED_SHARES = (0.85, 0.65, 0.4, 0.2)
"""Shares of all edges that are joined unsorted: the first of them that no closed path forbids."""
BLOCKS = 8
"""Runs of voxels whose edges are joined side by side, before the edges between the runs are."""


@dataclass(frozen=True)
class MaskGraph:
    """The voxels of a mask and which of them touch.

    Attributes
    ----------
    mask : ndarray of bool, shape (X, Y, Z)
        The mask.
    places : ndarray of int64, shape (N,)
        Where its voxels lie in the flat grid.
    neighbours : ndarray of int32, shape (N, 3)
        Number of the next voxel along X, Y, Z; -1 where that lies outside the mask.
    """

    mask: NDArray[np.bool_]
    places: NDArray[np.int64]
    neighbours: NDArray[np.int32]

    @classmethod
    def of(cls, mask: NDArray[Any]) -> MaskGraph:
        """Build it; raises ``InputError`` where the mask is empty."""
        inside = np.ascontiguousarray(mask) != 0
        places = np.flatnonzero(inside)
        if places.size == 0:
            raise InputError(
                "Mask", "it is empty: expected at least one voxel, found 0.", "Draw the mask."
            )
        number = np.full(inside.size, -1, np.int32)
        neighbours = np.empty((places.size, 3), np.int32)
        _connect(places, inside.shape[0], inside.shape[1], inside.shape[2], number, neighbours)
        return cls(inside, places, neighbours)

    def pick(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Values of a volume (or of echoes) in the mask, shape (N,) or (N, E)."""
        flat = np.ascontiguousarray(volume).reshape(-1, *volume.shape[3:])
        return np.take(flat, self.places, axis=0)

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Volume with these values (N,) in the mask and zero outside it; (E, N) for echoes."""
        volume = np.zeros((self.mask.size, *values.shape[:-1]), values.dtype)
        volume[self.places] = values.T
        return volume.reshape(self.mask.shape + values.shape[:-1])


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
    phase, magnitude : ndarray of float32, shape (N,)
        Of the echo to unwrap; phase in rad, wrapped.
    reference : ndarray of float32, shape (N,), optional
        Phase of another echo in rad; without one, gradient coherence is left out.
    time_ratio : float
        Echo time over that of the reference.

    Returns
    -------
    ndarray of uint8, shape (N, 3)
    """
    weights = np.empty(graph.neighbours.shape, np.uint8)
    other = phase if reference is None else reference
    ratio = np.float32(time_ratio)
    _weigh(graph.neighbours, phase, magnitude, other, ratio, reference is not None, weights)
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
        In rad, wrapped.
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
    part = np.empty(len(graph.neighbours), np.int32)
    starts = np.linspace(0, len(part), BLOCKS + 1).astype(np.int64)
    shares = np.array(UNSORTED_SHARES)
    for phase, costs, out in zip(phases, weights, unwrapped, strict=True):
        _grow(graph.neighbours, costs, phase, starts, shares, out, part)
    return unwrapped, part


def voxel_quality(graph: MaskGraph, costs: NDArray[Any], echoes: int = 1) -> FloatArray:
    """Mean reliability of the edges of each voxel, 0 to 1.

    Parameters
    ----------
    graph : MaskGraph
        With N voxels.
    costs : ndarray of int, shape (N, 3)
        Costs of the edges, summed over the echoes.
    echoes : int
        How many were summed.
    """
    quality = np.zeros(len(costs), np.float32)
    _mean_of_edges(graph.neighbours, costs.astype(np.uint16), echoes, quality)
    return quality


@kernel(parallel=True)
def _connect(
    places: NDArray[np.int64],
    nx: int,
    ny: int,
    nz: int,
    number: NDArray[np.int32],
    neighbours: NDArray[np.int32],
) -> None:
    for v in prange(places.size):
        number[places[v]] = v
    for v in prange(places.size):
        place = places[v]
        row = place // nz
        neighbours[v, 0] = number[place + ny * nz] if row // ny + 1 < nx else -1
        neighbours[v, 1] = number[place + nz] if row % ny + 1 < ny else -1
        neighbours[v, 2] = number[place + 1] if place % nz + 1 < nz else -1


@kernel(parallel=True)
def _weigh(
    neighbours: NDArray[np.int32],
    phase: FloatArray,
    magnitude: FloatArray,
    reference: FloatArray,
    time_ratio: np.float32,
    with_reference: bool,
    weights: NDArray[np.uint8],
) -> None:
    for a in prange(phase.size):
        for axis in range(3):
            b = neighbours[a, axis]
            if b < 0:
                weights[a, axis] = 0
                continue
            step = wrapped(phase[a] - phase[b])
            good = LEAST + REST * (ONE - abs(step) / PI)
            if with_reference:
                other = wrapped(reference[a] - reference[b])
                good *= LEAST + REST * max(ZERO, ONE - abs(step - other * time_ratio))
            low = min(magnitude[a], magnitude[b])
            high = max(magnitude[a], magnitude[b])
            same = low / high if high > ZERO else ZERO
            good *= LEAST + REST * same * same
            weights[a, axis] = np.rint(max((ONE - good) * STEPS, ONE))


@kernel(parallel=True)
def _grow(
    neighbours: NDArray[np.int32],
    weights: NDArray[np.uint8],
    phase: FloatArray,
    starts: NDArray[np.int64],
    shares: NDArray[np.float64],
    unwrapped: FloatArray,
    part: NDArray[np.int32],
) -> None:
    """Unwrap one echo; ``part`` is the root of the tree of each voxel, its lowest number."""
    blocks = starts.size - 1
    counts = np.zeros((blocks, WORST + 1), np.int64)
    for b in prange(blocks):
        for a in range(starts[b], starts[b + 1]):
            for axis in range(3):
                counts[b, weights[a, axis]] += 1
    parent, turns = np.empty(phase.size, np.int32), np.empty(phase.size, np.int32)
    agree = np.empty(blocks, np.bool_)
    level = 0
    for share in shares:
        level = _cost_of_share(counts, share)
        for b in prange(blocks):
            for a in range(starts[b], starts[b + 1]):
                parent[a] = a
                turns[a] = 0
            agree[b] = _join_within(
                neighbours, weights, phase, level, starts[b], starts[b + 1], parent, turns
            )
        if agree.all() and _join_between(neighbours, weights, phase, level, starts, parent, turns):
            break
        level = 0
    if level == 0:
        for a in prange(phase.size):
            parent[a] = a
            turns[a] = 0
    shift = np.empty(phase.size, np.int32)
    for a in prange(phase.size):
        part[a], shift[a] = _way_up(parent, turns, a)
    # from here on part and shift are the trees
    for edge in _by_cost(neighbours, weights, part, level):
        a = edge // 3
        _join(part, shift, phase, a, neighbours[a, edge % 3])
    for a in prange(phase.size):
        parent[a], turns[a] = _way_up(part, shift, a)
    for a in prange(phase.size):
        part[a] = parent[a]
        unwrapped[a] = phase[a] + TURN * turns[a]


@routine
def _cost_of_share(counts: NDArray[np.int64], share: float) -> int:
    """Return the lowest cost that this share of all edges does not exceed."""
    sums = np.cumsum(counts[:, 1:].sum(axis=0))  # cost 0 is no edge
    level = 0
    while sums[level] < share * sums[-1]:
        level += 1
    return level + 1


@routine
def _way_up(
    parent: NDArray[np.int32], turns: NDArray[np.int32], voxel: int
) -> tuple[np.int64, int]:
    """Root of the tree of a voxel and its turns relative to the root; changes nothing."""
    total, root = 0, np.int64(voxel)
    while parent[root] != root:
        total += turns[root]
        root = np.int64(parent[root])
    return root, total


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


@routine
def _join(
    parent: NDArray[np.int32], turns: NDArray[np.int32], phase: FloatArray, a: int, b: int
) -> bool:
    """Join the trees of two voxels; False where they are one that contradicts the edge."""
    root_a, turns_a = _root(parent, turns, a)
    root_b, turns_b = _root(parent, turns, b)
    shift = turns_a - turns_b + np.int64(np.rint((phase[a] - phase[b]) * TURNS))
    if root_a < root_b:
        parent[root_b] = root_a
        turns[root_b] = shift
    elif root_b < root_a:
        parent[root_a] = root_b
        turns[root_a] = -shift
    return root_a != root_b or shift == 0


@routine
def _join_within(
    neighbours: NDArray[np.int32],
    weights: NDArray[np.uint8],
    phase: FloatArray,
    level: int,
    start: int,
    stop: int,
    parent: NDArray[np.int32],
    turns: NDArray[np.int32],
) -> bool:
    """Join the edges up to a cost between the voxels of a run; False if two paths disagree."""
    for a in range(start, stop):
        for axis in range(3):
            b = neighbours[a, axis]
            own = 0 < weights[a, axis] <= level and b < stop
            if own and not _join(parent, turns, phase, a, b):
                return False
    return True


@routine
def _join_between(
    neighbours: NDArray[np.int32],
    weights: NDArray[np.uint8],
    phase: FloatArray,
    level: int,
    starts: NDArray[np.int64],
    parent: NDArray[np.int32],
    turns: NDArray[np.int32],
) -> bool:
    """Join the edges up to a cost between runs; False if two paths disagree."""
    for block in range(starts.size - 1):
        for a in range(starts[block], starts[block + 1]):
            for axis in range(3):
                b = neighbours[a, axis]
                other = 0 < weights[a, axis] <= level and b >= starts[block + 1]
                if other and not _join(parent, turns, phase, a, b):
                    return False
    return True


@routine
def _by_cost(
    neighbours: NDArray[np.int32],
    weights: NDArray[np.uint8],
    parent: NDArray[np.int32],
    level: int,
) -> NDArray[np.int32]:
    """Edges (3 a + axis) that cost more and join two trees, from the cheapest to the dearest."""
    start = np.zeros(WORST + 2, np.int64)
    for a in range(parent.size):
        for axis in range(3):
            if weights[a, axis] > level and parent[a] != parent[neighbours[a, axis]]:
                start[weights[a, axis] + 1] += 1
    for w in range(1, WORST + 2):
        start[w] += start[w - 1]
    order = np.empty(start[WORST + 1], np.int32)
    for a in range(parent.size):
        for axis in range(3):
            w = weights[a, axis]
            if w > level and parent[a] != parent[neighbours[a, axis]]:
                order[start[w]] = 3 * a + axis
                start[w] += 1
    return order


@kernel()
def _mean_of_edges(
    neighbours: NDArray[np.int32], costs: NDArray[np.uint16], echoes: int, quality: FloatArray
) -> None:
    count = np.zeros(quality.size, np.uint8)
    scale = np.float32(1 / (echoes * (WORST - 1)))
    for a in range(quality.size):
        for axis in range(3):
            b = neighbours[a, axis]
            if b >= 0:
                good = np.float32(WORST * echoes - np.int64(costs[a, axis])) * scale
                quality[a] += good
                quality[b] += good
                count[a] += 1
                count[b] += 1
    for a in range(quality.size):
        if count[a] > 0:
            quality[a] /= count[a]
