"""Vessels as tubes: which part of each voxel lies inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.physics.deformation import apply_affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

SUBDIVISIONS = 4
"""Points per voxel and axis; their cube is the number of bits of a machine word."""


@dataclass(frozen=True, eq=False)
class Tubes:
    """Straight pieces of vessels with round ends.

    Parameters
    ----------
    start, end : ndarray of shape (n, 3)
        Ends of the axis of each piece, in mm.
    radius : ndarray of shape (n,)
        In mm.
    vessel : ndarray of int, shape (n,)
        Number of the vessel that a piece belongs to.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radius: NDArray[np.float64]
    vessel: NDArray[np.int64]

    @property
    def middle(self) -> NDArray[np.float64]:
        """Middle of each piece, shape (n, 3) in mm."""
        return (self.start + self.end) / 2

    @property
    def length(self) -> NDArray[np.float64]:
        """Length of each piece in mm."""
        lengths: NDArray[np.float64] = np.linalg.norm(self.end - self.start, axis=1)
        return lengths

    @property
    def volume(self) -> NDArray[np.float64]:
        """Volume of each piece without its round ends, in mm3."""
        volumes: NDArray[np.float64] = np.pi * self.radius**2 * self.length
        return volumes

    def select(self, chosen: NDArray[Any]) -> Tubes:
        """Return some of the pieces."""
        return Tubes(self.start[chosen], self.end[chosen], self.radius[chosen], self.vessel[chosen])


def paint(
    tubes: Tubes,
    value: NDArray[np.float64],
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> tuple[FloatArray, FloatArray]:
    """Part of each voxel inside the tubes, and that part times the value of its tube.

    Counted at 64 points a voxel: without bias for tubes much thinner than a voxel too. Where
    tubes overlap a point belongs to the first.

    Parameters
    ----------
    tubes : Tubes
        In mm.
    value : ndarray of shape (n,)
        One value for each piece, such as its susceptibility in ppm.
    affine : ndarray of shape (4, 4)
        Voxel index to mm; its columns are orthogonal.
    shape : tuple of int
        Of the grid.

    Returns
    -------
    fraction, weighted : ndarray of float32
    """
    fraction, weighted = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    voxel = np.linalg.norm(affine[:3, :3], axis=0)
    inverse = np.linalg.inv(affine)
    ends = np.stack([apply_affine(inverse, tubes.start), apply_affine(inverse, tubes.end)])
    reach = tubes.radius[:, None] / voxel + 0.5
    low = np.ceil(ends.min(0) - reach).astype(np.int64)
    high = np.floor(ends.max(0) + reach).astype(np.int64)
    near = ((high >= 0) & (low < np.array(shape))).all(1)
    if near.any():
        _paint(
            ends[0][near],
            ends[1][near],
            tubes.radius[near],
            value[near],
            low[near],
            high[near],
            voxel,
            fraction,
            weighted,
        )
    return fraction, weighted


@kernel(parallel=True)
def _paint(
    start: Any,
    end: Any,
    radius: Any,
    value: Any,
    low: Any,
    high: Any,
    voxel: Any,
    fraction: Any,
    weighted: Any,
) -> None:
    nx, ny, nz = fraction.shape
    part = 1.0 / SUBDIVISIONS**3
    diagonal = 0.5 * np.sqrt(voxel[0] ** 2 + voxel[1] ** 2 + voxel[2] ** 2)
    one = np.uint64(1)
    for i in prange(nx):
        taken = np.zeros((ny, nz), np.uint64)
        for n in range(len(radius)):
            if i < low[n, 0] or i > high[n, 0]:
                continue
            ax = (end[n, 0] - start[n, 0]) * voxel[0]
            ay = (end[n, 1] - start[n, 1]) * voxel[1]
            az = (end[n, 2] - start[n, 2]) * voxel[2]
            square = max(ax * ax + ay * ay + az * az, 1e-12)
            inside = radius[n] ** 2
            outside = (radius[n] + diagonal) ** 2
            for j in range(max(low[n, 1], 0), min(high[n, 1], ny - 1) + 1):
                for k in range(max(low[n, 2], 0), min(high[n, 2], nz - 1) + 1):
                    px = (i - start[n, 0]) * voxel[0]
                    py = (j - start[n, 1]) * voxel[1]
                    pz = (k - start[n, 2]) * voxel[2]
                    t = min(max((px * ax + py * ay + pz * az) / square, 0.0), 1.0)
                    far = (px - t * ax) ** 2 + (py - t * ay) ** 2 + (pz - t * az) ** 2
                    if far > outside:
                        continue
                    bits = taken[j, k]
                    found = 0
                    for a in range(SUBDIVISIONS):
                        qx = px + ((a + 0.5) / SUBDIVISIONS - 0.5) * voxel[0]
                        for b in range(SUBDIVISIONS):
                            qy = py + ((b + 0.5) / SUBDIVISIONS - 0.5) * voxel[1]
                            for c in range(SUBDIVISIONS):
                                bit = one << np.uint64((a * SUBDIVISIONS + b) * SUBDIVISIONS + c)
                                if bits & bit:
                                    continue
                                qz = pz + ((c + 0.5) / SUBDIVISIONS - 0.5) * voxel[2]
                                t = (qx * ax + qy * ay + qz * az) / square
                                t = min(max(t, 0.0), 1.0)
                                d = (qx - t * ax) ** 2 + (qy - t * ay) ** 2 + (qz - t * az) ** 2
                                if d <= inside:
                                    bits |= bit
                                    found += 1
                    if found:
                        taken[j, k] = bits
                        fraction[i, j, k] += found * part
                        weighted[i, j, k] += found * part * value[n]
