"""The place on the other side of the head that a place corresponds to.

Mirroring goes through the individual head and not through a flip of the array: heads are turned
and tilted in the scanner, slabs are oblique, and a swollen hemisphere pushes the midline aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

ROUNDS = 8
MARGIN_MM = 4.0


@dataclass(frozen=True, eq=False)
class HeadCoordinates:
    """Where each place of a head lies in a symmetric one.

    Parameters
    ----------
    position : ndarray of float32, shape (X, Y, Z, 3)
        Coordinates in the symmetric head in mm; the first is 0 on the mid-sagittal surface and
        grows to the right. Trilinear between voxels, and constant beyond them.
    affine : ndarray of shape (4, 4)
        Voxel index to scanner coordinates in mm.
    """

    position: FloatArray
    affine: NDArray[np.float64]

    @classmethod
    def of_plane(cls, plane: NDArray[np.float64]) -> HeadCoordinates:
        """Coordinates of a head whose mid-sagittal surface is a plane.

        Parameters
        ----------
        plane : ndarray of shape (4,)
            (a, b, c, d) of a x + b y + c z + d = 0 in mm, with a unit normal to the right.
        """
        axes = np.linalg.svd(plane[None, :3])[2]
        axes[0] = plane[:3]
        half = 1000.0
        affine = np.diag([2 * half, 2 * half, 2 * half, 1.0])
        affine[:3, 3] = -half
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * 2 * half - half
        places = corners @ axes.T + np.array([plane[3], 0.0, 0.0])
        return cls(places.reshape(2, 2, 2, 3).astype(np.float32), affine)

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates in the symmetric head of points in scanner mm, shape (n, 3)."""
        inverse = np.linalg.inv(self.affine)
        index = (points @ inverse[:3, :3].T + inverse[:3, 3]).T
        found = [
            ndimage.map_coordinates(self.position[..., i], index, order=1, mode="nearest")
            for i in range(3)
        ]
        return np.stack(found, axis=1).astype(np.float64)

    def mirrored(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scanner mm of the places opposite to points, shape (n, 3).

        Solves ``at(mirrored) = flipped at(points)`` by steps of the mean affine map.
        """
        goal = self.at(points) * np.array([-1.0, 1.0, 1.0])
        matrix, shift = self._affine_part
        found = (goal - shift) @ np.linalg.inv(matrix).T
        for _ in range(ROUNDS):
            found = found + (goal - self.at(found)) @ np.linalg.inv(matrix).T
        return np.asarray(found)

    @cached_property
    def _affine_part(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        index = np.indices(self.position.shape[:3]).reshape(3, -1).T
        step = max(1, len(index) // 5000)
        places = index[::step] @ self.affine[:3, :3].T + self.affine[:3, 3]
        there = self.position.reshape(-1, 3)[::step].astype(np.float64)
        design = np.column_stack([places, np.ones(len(places))])
        solution = np.asarray(np.linalg.lstsq(design, there, rcond=None)[0], dtype=np.float64)
        return solution[:3].T, np.asarray(solution[3])


def mirror_mask(
    mask: NDArray[np.bool_], head: HeadCoordinates, affine: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Mirror a mask to the other side of the head.

    Parameters
    ----------
    mask : ndarray of bool, shape (X, Y, Z)
        Is not changed.
    head : HeadCoordinates
        Says what lies opposite.
    affine : ndarray of shape (4, 4)
        Voxel index to scanner coordinates in mm, of the mask.

    Returns
    -------
    ndarray of bool, shape (X, Y, Z)
        What falls outside the grid is lost.
    """
    result = np.zeros(mask.shape, dtype=bool)
    if not mask.any():
        return result
    inverse = np.linalg.inv(affine)
    edge = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    there = head.mirrored(edge @ affine[:3, :3].T + affine[:3, 3])
    index = there @ inverse[:3, :3].T + inverse[:3, 3]
    room = MARGIN_MM / np.linalg.norm(affine[:3, :3], axis=0)
    low = np.clip(np.floor(index.min(axis=0) - room), 0, mask.shape).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + room) + 1, 0, mask.shape).astype(int)
    shape = tuple(int(n) for n in high - low)
    if min(shape) <= 0:
        return result
    places = np.indices(shape).reshape(3, -1).T + low
    back = head.mirrored(places @ affine[:3, :3].T + affine[:3, 3])
    sampled = ndimage.map_coordinates(
        mask.astype(np.float32), (back @ inverse[:3, :3].T + inverse[:3, 3]).T, order=1
    )
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    result[box] = sampled.reshape(shape) >= 0.5
    return result
