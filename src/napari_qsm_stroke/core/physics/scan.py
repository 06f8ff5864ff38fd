"""Where a scan samples the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.deformation import rotation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

FIELD_OF_VIEW_MM = (176.0, 208.0, 160.0)
MARGIN_MM = (8.0, 8.0, 3.0)
PLANES = 4


@dataclass(frozen=True, eq=False)
class Scan:
    """A grid of acquired voxels and the finer grid that the physics is computed on.

    Parameters
    ----------
    shape : tuple of int
        Acquired voxels, (X, Y, Z).
    affine : ndarray of shape (4, 4)
        Acquired voxel index to scanner coordinates in mm.
    parts : tuple of int
        Fine voxels per acquired voxel along each axis.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    parts: tuple[int, int, int]

    @property
    def fine_shape(self) -> tuple[int, int, int]:
        """Shape of the fine grid."""
        x, y, z = (n * p for n, p in zip(self.shape, self.parts, strict=True))
        return x, y, z

    @property
    def fine_affine(self) -> NDArray[np.float64]:
        """Fine voxel index to scanner coordinates in mm."""
        parts = np.array(self.parts, dtype=np.float64)
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, :3] / parts
        affine[:3, 3] += affine[:3, :3] @ ((1 - parts) / 2)
        return affine

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Of the fine grid, in mm."""
        x, y, z = np.linalg.norm(self.fine_affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def b0_dir(self) -> tuple[float, float, float]:
        """Scanner z in voxel axes."""
        axes = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        x, y, z = axes.T @ np.array([0.0, 0.0, 1.0])
        return float(x), float(y), float(z)

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float64], tuple[int, int, int]]]:
        """Slabs of acquired planes: their place on the first axis, fine affine and fine shape."""
        for first in range(0, self.shape[0], PLANES):
            last = min(first + PLANES, self.shape[0])
            affine = self.fine_affine
            affine[:3, 3] += affine[:3, 0] * first * self.parts[0]
            fine = ((last - first) * self.parts[0], *self.fine_shape[1:])
            yield slice(first, last), affine, fine

    def averaged(self, fine: FloatArray) -> FloatArray:
        """Mean of the fine voxels within each acquired one."""
        px, py, pz = self.parts
        total = np.zeros([n // p for n, p in zip(fine.shape, self.parts, strict=True)], np.float32)
        for a, b, c in np.ndindex(self.parts):
            total += fine[a::px, b::py, c::pz]
        return total / np.float32(px * py * pz)


def plan_scan(
    brain: NDArray[np.float64],
    voxel_size: tuple[float, float, float],
    degrees: float,
    parts: tuple[int, int, int],
    field_of_view: tuple[float, float, float] = FIELD_OF_VIEW_MM,
) -> Scan:
    """Lay a field of view around a brain: the usual one, or a larger one if the brain needs it.

    Parameters
    ----------
    brain : ndarray of shape (n, 3)
        Points of the brain in mm.
    voxel_size : tuple of float
        Of the acquisition, in mm.
    degrees : float
        Tilt of the slab about the patient's left-right axis; a third of it about the other two.
    parts : tuple of int
        Fine voxels per acquired voxel along each axis.
    field_of_view : tuple of float
        In mm.
    """
    axes = rotation(np.array([degrees, degrees / 3, degrees / 3]))
    along = brain @ axes
    low, high = along.min(0), along.max(0)
    size = np.maximum(high - low + 2 * np.array(MARGIN_MM), field_of_view)
    voxel = np.array(voxel_size)
    shape = 2 * np.ceil(size / voxel / 2 - 1e-6).astype(int)
    middle = (low + high) / 2
    middle[2] += max(0.0, (size[2] - (high[2] - low[2])) / 2 - MARGIN_MM[2]) * 0.6
    affine = np.eye(4)
    affine[:3, :3] = axes * voxel
    affine[:3, 3] = axes @ middle - affine[:3, :3] @ ((shape - 1) / 2)
    return Scan((int(shape[0]), int(shape[1]), int(shape[2])), affine, parts)
