"""From one head to another: a random smooth map, and sampling of images through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

LATTICE_MM = 5.0
SCALE, SCALE_SD = 0.95, 0.03
"""The template is larger than most heads."""
SHEAR_SD = 0.015
TURN_SD_DEGREES = 2.5
SHIFT_SD_MM = 3.0
WARPS_MM = ((2.2, 20.0), (0.7, 8.0))
"""Root mean square and correlation length of each part of the local warp."""


@dataclass(frozen=True, eq=False)
class Deformation:
    """Map of a patient's coordinates to those of the template: A (x + d(x)).

    Parameters
    ----------
    affine : ndarray of shape (4, 4)
        A.
    displacement : ndarray of float32, shape (X, Y, Z, 3)
        d in mm on a lattice, trilinear between its points.
    lattice : ndarray of shape (4, 4)
        Lattice index to patient coordinates in mm.
    """

    affine: NDArray[np.float64]
    displacement: FloatArray
    lattice: NDArray[np.float64]

    def to_template(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Template coordinates of points of the patient, shape (n, 3) in mm."""
        return apply_affine(self.affine, points + self._displaced(points))

    def to_patient(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Patient coordinates of points of the template, shape (n, 3) in mm."""
        goal = apply_affine(np.linalg.inv(self.affine), points)
        found = goal
        for _ in range(10):
            found = goal - self._displaced(found)
        return found

    def _displaced(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return sample_points(self.displacement, self.lattice, points)


def random_deformation(
    rng: np.random.Generator, centre: NDArray[np.float64], half_size: NDArray[np.float64]
) -> Deformation:
    """Draw the shape and the pose of a head.

    Size and proportions vary by a few per cent, the course of the sulci by several mm, and no two
    sides are alike: left and right are warped independently.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    centre, half_size : ndarray of shape (3,)
        Box of the template's brain in mm.
    """
    shape = np.diag(rng.normal(SCALE, SCALE_SD, 3))
    shape += np.triu(rng.normal(0, SHEAR_SD, (3, 3)), 1)
    pose = rotation(rng.normal(0, TURN_SD_DEGREES, 3))
    to_patient = np.eye(4)
    to_patient[:3, :3] = pose @ shape
    to_patient[:3, 3] = centre + rng.normal(0, SHIFT_SD_MM, 3) - to_patient[:3, :3] @ centre
    reach = half_size * 1.15 + 40
    count = np.ceil(2 * reach / LATTICE_MM).astype(int) + 1
    lattice = np.diag([LATTICE_MM] * 3 + [1.0])
    lattice[:3, 3] = centre - LATTICE_MM * (count - 1) / 2
    displacement = np.zeros((*count, 3), np.float32)
    for rms, length in WARPS_MM:
        for axis in range(3):
            displacement[..., axis] += rms * smooth_noise(rng, tuple(count), length / LATTICE_MM)
    return Deformation(inverse_affine(to_patient), displacement, lattice)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> FloatArray:
    """Gaussian noise of unit variance, smooth over ``sigma`` voxels."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    smooth: FloatArray = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return smooth / np.float32(smooth.std())


def rotation(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def apply_affine(affine: NDArray[Any], points: NDArray[Any]) -> NDArray[np.float64]:
    """Points of shape (n, 3) under an affine map."""
    moved: NDArray[np.float64] = points @ affine[:3, :3].T + affine[:3, 3]
    return moved


def padded(
    volumes: Sequence[NDArray[Any]], affine: NDArray[np.float64]
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Stack of volumes within a border of zeros, so that they are zero beyond their faces."""
    stack = np.stack([np.pad(v.astype(np.float32), 1) for v in volumes], axis=3)
    moved = affine.copy()
    moved[:3, 3] -= affine[:3, :3].sum(axis=1)
    return stack, moved


def inverse_affine(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map back."""
    return np.asarray(np.linalg.inv(affine), dtype=np.float64)


def sample_points(
    stack: FloatArray, affine: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Trilinear values of each volume of a stack at points in mm, shape (n, volumes)."""
    sizes = np.array(stack.shape[:3])
    index = np.clip(apply_affine(np.linalg.inv(affine), points), 0, sizes - 1)
    low = index.astype(np.int64)
    high = np.minimum(low + 1, sizes - 1)
    part = index - low
    values = np.zeros((len(points), stack.shape[3]))
    for corner in np.ndindex(2, 2, 2):
        upper = np.array(corner, dtype=bool)
        x, y, z = np.where(upper, high, low).T
        weight = np.where(upper, part, 1 - part).prod(axis=1)
        values += weight[:, None] * stack[x, y, z]
    return values


def sample_grid(
    stack: FloatArray,
    affine: NDArray[np.float64],
    grid: NDArray[np.float64],
    shape: tuple[int, int, int],
    through: Deformation | None = None,
    nearest: bool = False,
    where: NDArray[np.bool_] | None = None,
) -> FloatArray:
    """Values of each volume of a stack at every voxel of a grid.

    Parameters
    ----------
    stack : ndarray of float32, shape (X, Y, Z, volumes)
        Continues beyond its faces as it is on them.
    affine : ndarray of shape (4, 4)
        Index of the stack to mm.
    grid : ndarray of shape (4, 4)
        Index of the wanted grid to mm in the patient.
    shape : tuple of int
        Of the wanted grid.
    through : Deformation, optional
        Where the stack lies in template space.
    nearest : bool
        Take the nearest voxel instead of the trilinear value.
    where : ndarray of bool, optional
        Voxels to sample; all others get 0.

    Returns
    -------
    ndarray of float32, shape (volumes, *shape)
    """
    inverse = inverse_affine(affine)
    displacement, lattice = np.zeros((1, 1, 1, 3), np.float32), np.eye(4)
    if through is not None:
        inverse = inverse @ through.affine
        displacement, lattice = through.displacement, inverse_affine(through.lattice)
    out = np.empty((stack.shape[3], *shape), np.float32)
    inverse, grid, lattice = (np.ascontiguousarray(a) for a in (inverse, grid, lattice))
    chosen = np.ones((1, 1, 1), np.bool_) if where is None else where
    data = np.ascontiguousarray(stack)
    _sample(data, inverse, grid, displacement, lattice, nearest, chosen, out)
    return out


@kernel(parallel=True, fastmath=True)
def _sample(
    stack: Any,
    inverse: Any,
    grid: Any,
    displacement: Any,
    lattice: Any,
    nearest: Any,
    chosen: Any,
    out: Any,
) -> None:
    count, nx, ny, nz = out.shape
    sizes = stack.shape[:3]
    cells = displacement.shape[:3]
    some = chosen.shape[0] == nx and chosen.shape[1] == ny
    for i in prange(nx):
        point = np.empty(3)
        moved = np.empty(3)
        low = np.empty(3, np.int64)
        high = np.empty(3, np.int64)
        part = np.empty(3, np.float32)
        one = np.float32(1)
        for j in range(ny):
            for k in range(nz):
                for c in range(count):
                    out[c, i, j, k] = 0
                if some and not chosen[i, j, k]:
                    continue
                for a in range(3):
                    point[a] = grid[a, 0] * i + grid[a, 1] * j + grid[a, 2] * k + grid[a, 3]
                    moved[a] = point[a]
                if cells[0] > 1:
                    for a in range(3):
                        at = lattice[a, 3]
                        for b in range(3):
                            at += lattice[a, b] * point[b]
                        at = min(max(at, 0.0), cells[a] - 1.0)
                        low[a] = int(at)
                        high[a] = min(low[a] + 1, cells[a] - 1)
                        part[a] = at - low[a]
                    for corner in range(8):
                        x = high[0] if corner & 4 else low[0]
                        y = high[1] if corner & 2 else low[1]
                        z = high[2] if corner & 1 else low[2]
                        weight = part[0] if corner & 4 else one - part[0]
                        weight *= part[1] if corner & 2 else one - part[1]
                        weight *= part[2] if corner & 1 else one - part[2]
                        for a in range(3):
                            moved[a] += weight * displacement[x, y, z, a]
                for a in range(3):
                    at = inverse[a, 3]
                    for b in range(3):
                        at += inverse[a, b] * moved[b]
                    at = min(max(at, 0.0), sizes[a] - 1.0)
                    if nearest:
                        at = np.floor(at + 0.5)
                    low[a] = int(at)
                    high[a] = min(low[a] + 1, sizes[a] - 1)
                    part[a] = at - low[a]
                for corner in range(8):
                    x = high[0] if corner & 4 else low[0]
                    y = high[1] if corner & 2 else low[1]
                    z = high[2] if corner & 1 else low[2]
                    weight = part[0] if corner & 4 else one - part[0]
                    weight *= part[1] if corner & 2 else one - part[1]
                    weight *= part[2] if corner & 1 else one - part[2]
                    if weight > 0:
                        for c in range(count):
                            out[c, i, j, k] += weight * stack[x, y, z, c]
