"""Centre lines of a mask of tubes, in mm and finer than a voxel, cut into pieces.

The mask is thinned (Lee et al., CVGIP 1994;56:462, doi:10.1006/cgip.1994.1042). Between the
voxels where lines meet, each line is one branch; its points are moved to the middle of the
brightness across it and smoothed along it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from skimage.morphology import skeletonize

from napari_qsm_stroke.core.numerics.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Size = tuple[float, float, float]
SMOOTHING_POINTS = 0.7
AROUND_MM = 1.5
MOVES = 3


@dataclass(frozen=True, eq=False)
class CentreLines:
    """Points along the middle of tubes, one branch after the other.

    Parameters
    ----------
    points : ndarray of float64, shape (N, 3)
        In mm from the middle of the first voxel, along the axes of the array.
    tangents : ndarray of float64, shape (N, 3)
        Unit vectors along the line.
    steps : ndarray of float64, shape (N,)
        Length of line that each point stands for, in mm.
    branch : ndarray of int64, shape (N,)
        Number of the branch of each point, from 0 on.
    piece : ndarray of int64, shape (N,)
        Number of the piece: a branch is cut into equal pieces.
    """

    points: NDArray[np.float64]
    tangents: NDArray[np.float64]
    steps: NDArray[np.float64]
    branch: NDArray[np.int64]
    piece: NDArray[np.int64]

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return int(self.piece[-1]) + 1 if len(self.piece) else 0

    def middles(self) -> NDArray[np.float64]:
        """Mean of the points of each piece, shape (pieces, 3), in mm."""
        counts = np.bincount(self.piece, minlength=self.pieces)
        sums = [np.bincount(self.piece, axis, minlength=self.pieces) for axis in self.points.T]
        return np.asarray(np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None])


def centre_lines(
    mask: NDArray[np.bool_],
    brightness: FloatArray,
    *,
    voxel_size: Size,
    piece_length: float,
    shortest: float,
) -> CentreLines:
    """Find the centre lines of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (X, Y, Z)
        Tubes.
    brightness : ndarray of float32, shape (X, Y, Z)
        Positive within tubes and highest in their middle.
    voxel_size : tuple of float
        In mm.
    piece_length : float
        Longest piece in mm.
    shortest : float
        Branches shorter than that are left out: spurs of the thinning.
    """
    size = np.asarray(voxel_size, dtype=np.float64)
    voxels = np.argwhere(np.asarray(skeletonize(mask)) != 0)
    branches = [
        _refined(path, brightness, size)
        for path in _paths(voxels)
        if _length(path * size) + size.min() >= shortest
    ]
    return _joined(branches, piece_length)


def _paths(voxels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Voxels of a thinned mask in their order along each branch."""
    if not len(voxels):
        return []
    low = voxels.min(0) - 1
    inside = voxels - low
    place = np.zeros(tuple(inside.max(0) + 2), np.int32)
    place[tuple(inside.T)] = np.arange(1, len(voxels) + 1)
    order, start = _walk(inside, place)
    return [voxels[part] for part in np.split(order, start[1:])]


@kernel()
def _walk(voxels: Any, place: Any) -> Any:
    """Order of the voxels along branches, and where each branch starts in it."""
    count = voxels.shape[0]
    around = np.full((count, 26), -1, np.int32)
    degree = np.zeros(count, np.int32)
    for n in range(count):
        x, y, z = voxels[n]
        for i in range(-1, 2):
            for j in range(-1, 2):
                for k in range(-1, 2):
                    other = place[x + i, y + j, z + k] - 1
                    if other >= 0 and other != n:
                        around[n, degree[n]] = other
                        degree[n] += 1
    free = degree <= 2
    order, start = np.empty(count, np.int64), np.empty(count, np.int64)
    used, branches = 0, 0
    for loops in range(2):  # first from the ends of branches, then what is left: rings
        for first in range(count):
            if not free[first]:
                continue
            onwards = 0
            for m in range(degree[first]):
                onwards += free[around[first, m]]
            if loops == 0 and onwards > 1:
                continue
            start[branches] = used
            branches += 1
            here = first
            while here >= 0:
                free[here] = False
                order[used] = here
                used += 1
                onto = -1
                for m in range(degree[here]):
                    if free[around[here, m]]:
                        onto = around[here, m]
                here = onto
    return order[:used], start[:branches]


def _length(points: NDArray[Any]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _refined(
    path: NDArray[np.int64], brightness: FloatArray, size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points in mm, moved across the line to the middle of the brightness around each."""
    points = path * size
    reach = np.ceil(AROUND_MM / size).astype(int)
    offsets = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), -1)
    offsets = offsets.reshape(-1, 3)
    index = np.clip(path[:, None] + offsets, 0, np.array(brightness.shape) - 1)
    light = np.maximum(brightness[index[..., 0], index[..., 1], index[..., 2]], 0)
    places = index * size
    for _ in range(MOVES):
        away = places - points[:, None]
        near = np.exp(-0.5 * (away**2).sum(2) / (0.5 * AROUND_MM) ** 2)
        weight = light * near
        total = np.maximum(weight.sum(1), 1e-12)
        shift = (weight[..., None] * away).sum(1) / total[:, None]
        along = _tangents(points)
        points = points + shift - (shift * along).sum(1, keepdims=True) * along
        if len(points) > 2:
            points = gaussian_filter1d(points, SMOOTHING_POINTS, axis=0, mode="nearest")
    return np.asarray(points)


def _tangents(points: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(points) < 2:
        return np.zeros_like(points)
    along = np.gradient(points, axis=0)
    return np.asarray(along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9))


def _joined(branches: list[NDArray[np.float64]], piece_length: float) -> CentreLines:
    tangents, steps, branch, piece = [], [], [], []
    first = 0
    for number, points in enumerate(branches):
        step = np.linalg.norm(np.gradient(points, axis=0), axis=1) if len(points) > 1 else [0.0]
        along = np.cumsum(step)
        parts = max(1, int(np.ceil(along[-1] / piece_length)))
        cut = np.minimum((along / max(along[-1], 1e-9) * parts - 1e-9).astype(int), parts - 1)
        tangents.append(_tangents(points))
        steps.append(np.asarray(step, np.float64))
        branch.append(np.full(len(points), number))
        piece.append(first + np.maximum(cut, 0))
        first += parts
    if not branches:
        nothing = np.zeros((0, 3))
        return CentreLines(
            nothing, nothing, np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)
        )
    _, numbers = np.unique(np.concatenate(piece), return_inverse=True)
    return CentreLines(
        np.concatenate(branches),
        np.concatenate(tangents),
        np.concatenate(steps),
        np.concatenate(branch),
        numbers.astype(np.int64),
    )
