"""The mid-sagittal plane of a brain, from its left and right territories.

It stands in for the individual surface where the territories were given and not aligned here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.quantities import LABELS, ByteArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_ROWS = 20
ROUNDS = 15


def midsagittal_plane(
    territories: ByteArray, affine: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Fit a plane between the left and the right territories.

    Parameters
    ----------
    territories : ndarray of uint8, shape (X, Y, Z)
        Arterial territories in canonical order: X grows to the right.
    affine : ndarray of shape (4, 4)
        Voxel index to scanner coordinates in mm.

    Returns
    -------
    ndarray of shape (4,) or None
        (a, b, c, d) of the plane a x + b y + c z + d = 0 in mm, with a unit normal that points to
        the right. None where fewer than 20 rows of voxels have labels on both sides.

    Notes
    -----
    In each row along X the border lies half-way between the last left and the first right voxel.
    The plane is the least-absolute-deviations fit to these points, rows with a narrow gap weighing
    more. A shifted midline bends the border; the plane follows its larger part.
    """
    left = np.isin(territories, [n for n, (_, side) in LABELS.items() if side == "left"])
    right = np.isin(territories, [n for n, (_, side) in LABELS.items() if side == "right"])
    rows = left.any(axis=0) & right.any(axis=0)
    if rows.sum() < FEWEST_ROWS:
        return None
    last_left = left.shape[0] - 1 - left[::-1].argmax(axis=0)[rows]
    first_right = right.argmax(axis=0)[rows]
    j, k = np.nonzero(rows)
    voxels = np.stack([(last_left + first_right) / 2, j, k], axis=1)
    points = voxels @ affine[:3, :3].T + affine[:3, 3]
    weights = 1.0 / (1.0 + np.abs(first_right - last_left))
    design = np.column_stack([np.ones(len(points)), points[:, 1:]])
    if np.linalg.matrix_rank(design - design.mean(axis=0)) < 2:
        return None
    offset, by, bz = _least_absolute(design, points[:, 0], weights)
    plane = np.array([1.0, -by, -bz, -offset])
    return np.asarray(plane / np.linalg.norm(plane[:3]))


def _least_absolute(
    design: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Least absolute deviations by iteratively reweighted least squares."""
    current = weights
    solution: NDArray[Any] = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(current)
        solution = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        residual = np.abs(target - design @ solution)
        current = weights / np.maximum(residual, 0.1)
    return solution
