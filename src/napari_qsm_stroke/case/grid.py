"""Where voxels are: shape and affine.

Data in this program are always in closest-canonical order (X to the right, Y to anterior,
Z to superior, up to the obliquity of the slab). The order in the file is kept as a fact of
the grid, so that what is written back lies exactly as the input did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE_MM = 0.01
SQUARE = 1e-5
"""Share of its volume that a voxel with square edges may differ from the box of its sides."""
CANONICAL = (("L", "R"), ("P", "A"), ("I", "S"))
"""Falling and growing end of each canonical axis."""


def stored_to_canonical(codes: str) -> NDArray[np.float64]:
    """Matrix that brings a direction along the axes of a file to the canonical axes.

    Parameters
    ----------
    codes : str
        Axis codes of the file, e.g. ``"LAS"``.
    """
    matrix = np.zeros((3, 3))
    for stored, code in enumerate(codes):
        for canonical, (low, high) in enumerate(CANONICAL):
            matrix[canonical, stored] = (code == high) - float(code == low)
    return matrix


def _unrounded(length: float) -> float:
    """Return a voxel size as it was before a file rounded it to seven digits.

    The same slab in another order of axes or tilted would else be 3.0000001 mm here and 3 mm there,
    and voxels that lie just at a distance would count once and once not.
    """
    decimal = round(length, 5)
    if abs(length - decimal) < 1e-6:
        return decimal
    return round(length * 2**20) / 2**20  # such as 220 / 256


@dataclass(frozen=True, eq=False)
class Grid:
    """A voxel grid in scanner space.

    Parameters
    ----------
    shape : tuple of int
        Number of voxels along X, Y, Z.
    affine : ndarray of shape (4, 4)
        Voxel index to RAS+ scanner coordinates in mm.
    stored_as : str
        Axis codes of the file that the data came from, e.g. ``"LAS"``.

    Raises
    ------
    InputError
        The affine is not finite or singular, or the shape is not three-dimensional.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    stored_as: str = field(default="RAS")

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(
                "Grid", f"expected three dimensions, found shape {shape}.", "Give a 3D image."
            )
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise InputError("Grid", "the affine is not finite.", "Repair the header of the image.")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise InputError("Grid", "the affine is singular.", "Repair the header of the image.")
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", shape)

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along X, Y, Z, in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return (_unrounded(x), _unrounded(y), _unrounded(z))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in ml."""
        box = math.prod(self.voxel_size)
        exact = float(abs(np.linalg.det(self.affine[:3, :3])))
        return (box if abs(exact - box) < SQUARE * box else exact) / 1000

    @property
    def b0_dir(self) -> tuple[float, float, float]:
        """Direction of the main field (scanner z) as a unit vector in voxel axes."""
        axes = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        direction = np.linalg.solve(axes, np.array([0.0, 0.0, 1.0]))
        direction /= np.linalg.norm(direction)
        x, y, z = (0.0 if abs(v) < 1e-12 else v for v in direction.tolist())
        return (x, y, z)

    @property
    def obliquity_degrees(self) -> float:
        """Angle between the slab's axes and the scanner's, the largest of the three."""
        axes = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(np.degrees(np.arccos(np.clip(np.abs(axes).max(axis=0), 0, 1)).max()))

    def difference(self, other: Grid) -> str | None:
        """Say how another grid differs, or None where the two are the same.

        Corners may lie apart by 0.01 mm: files round their affines.
        """
        if self.shape != other.shape:
            return f"shape {self.shape} against {other.shape}"
        corners = np.array(
            [[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=np.float64
        )
        corners[:, :3] *= np.array(self.shape) - 1
        apart = np.abs(corners @ self.affine.T - corners @ other.affine.T).max()
        if apart > TOLERANCE_MM:
            return f"positions differ by up to {apart:.2f} mm"
        return None

    def __eq__(self, other: object) -> bool:
        """Tell whether shape and positions are the same, whatever the order in the file."""
        return isinstance(other, Grid) and self.difference(other) is None
