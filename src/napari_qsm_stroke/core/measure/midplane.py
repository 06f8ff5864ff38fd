"""The mid-sagittal plane of a brain, from its left and right territories.

Mirroring goes through this plane and not through a flip of the array: heads are turned and tilted
in the scanner, and slabs are oblique.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

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


def mirror_mask(
    mask: NDArray[np.bool_],
    plane: NDArray[np.float64],
    affine: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Mirror a mask through a plane.

    Parameters
    ----------
    mask : ndarray of bool, shape (X, Y, Z)
        Is not changed.
    plane : ndarray of shape (4,)
        As ``midsagittal_plane`` gives it.
    affine : ndarray of shape (4, 4)
        Voxel index to scanner coordinates in mm.

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
        What falls outside the grid is lost.
    """
    result = np.zeros(mask.shape, dtype=bool)
    if not mask.any():
        return result
    normal, distance = plane[:3], plane[3]
    reflection = np.eye(4)
    reflection[:3, :3] -= 2 * np.outer(normal, normal)
    reflection[:3, 3] = -2 * distance * normal
    there = np.linalg.inv(affine) @ reflection @ affine  # its own inverse
    crop = _reflected_crop(mask, there)
    start = np.array([s.start for s in crop], dtype=np.float64)
    shape = tuple(s.stop - s.start for s in crop)
    if min(shape) <= 0:
        return result
    sampled = ndimage.affine_transform(
        mask.astype(np.float32),
        there[:3, :3],
        offset=there[:3, :3] @ start + there[:3, 3],
        output_shape=shape,
        order=1,
    )
    result[crop] = sampled >= 0.5
    return result


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


def _reflected_crop(
    mask: NDArray[np.bool_], there: NDArray[np.float64]
) -> tuple[slice, slice, slice]:
    """Box that holds the mirrored mask."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    corners = np.array(
        [[x, y, z, 1.0] for x in _ends(box[0]) for y in _ends(box[1]) for z in _ends(box[2])]
    )
    moved = (corners @ there.T)[:, :3]
    low = np.clip(np.floor(moved.min(axis=0)) - 1, 0, mask.shape).astype(int)
    high = np.clip(np.ceil(moved.max(axis=0)) + 2, 0, mask.shape).astype(int)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return x, y, z


def _ends(part: slice) -> tuple[int, int]:
    return part.start, part.stop - 1
