"""What surrounds the brain: skull, scalp, face, neck and the air in and around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.physics.deformation import (
    Deformation,
    apply_affine,
    padded,
    sample_grid,
    smooth_noise,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import FloatArray

SPACING_MM = 2.0
MENINGES_MM = 2.5
SCALP_MM = 5.0
FAR_MM = 60.0

FACE = ((0.0, 38.0, -52.0), (58.0, 48.0, 62.0))
NECK = ((0.0, -30.0, -110.0), (58.0, 66.0, 90.0))
CAVITIES = (
    ("frontal sinus", (9, 81, 0), (10, 6, 10), 1.0),
    ("frontal sinus", (-8, 82, 2), (9, 5, 12), 1.0),
    ("ethmoid cells", (7, 50, -34), (6, 18, 9), 0.85),
    ("ethmoid cells", (-7, 50, -34), (6, 18, 9), 0.85),
    ("sphenoid sinus", (5, 18, -40), (9, 11, 9), 1.0),
    ("sphenoid sinus", (-6, 17, -40), (8, 10, 9), 1.0),
    ("nasal cavity", (0, 58, -58), (13, 24, 14), 0.8),
    ("maxillary sinus", (28, 50, -60), (12, 14, 14), 1.0),
    ("maxillary sinus", (-28, 50, -60), (12, 14, 14), 1.0),
    ("mastoid cells", (52, -38, -46), (8, 11, 13), 0.6),
    ("mastoid cells", (-52, -38, -46), (8, 11, 13), 0.6),
    ("ear canal", (62, -18, -46), (14, 3.5, 3.5), 1.0),
    ("ear canal", (-62, -18, -46), (14, 3.5, 3.5), 1.0),
    ("pharynx", (0, 20, -80), (11, 8, 30), 1.0),
)
"""Name, centre and radii in template space (mm), and which part of the inside is air."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Points of the patient, every 2 mm along the scanner's axes: where smooth maps are kept."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """Coordinates in mm, shape (n, 3)."""
        index = np.indices(self.shape).reshape(3, -1).T.astype(np.float64)
        return apply_affine(self.affine, index)

    def distance(self, middle: NDArray[np.float64], radii: NDArray[np.float64]) -> FloatArray:
        """Distance from a point over the radii along x, y and z."""
        square = np.zeros(self.shape, np.float32)
        for axis in range(3):
            view = [1, 1, 1]
            view[axis] = -1
            at = self.affine[axis, 3] + SPACING_MM * np.arange(self.shape[axis])
            scaled = ((at - middle[axis]) / radii[axis]).astype(np.float32)
            square += (scaled**2).reshape(view)
        return np.sqrt(square)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Maps on the lattice of a patient.

    ``depth`` is the distance in mm from the edge of the brain mask, positive inside; ``hull`` the
    distance from the smooth sac that holds the brain, positive outside; ``skull`` the thickness of
    the bone and ``skin`` the distance from the skin (positive outside), in mm; ``air`` the part
    of the space that is an air cavity.
    """

    lattice: Lattice
    depth: FloatArray
    hull: FloatArray
    skull: FloatArray
    skin: FloatArray
    air: FloatArray


def make_lattice(template: HeadTemplate, deformation: Deformation) -> Lattice:
    """Lattice that holds the patient's head with room around it."""
    index = np.argwhere(template.brain > 0)[::501].astype(np.float64)
    points = deformation.to_patient(apply_affine(template.affine, index))
    low, high = points.min(0) - 40, points.max(0) + 40
    count = np.ceil((high - low) / SPACING_MM).astype(int) + 1
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = low
    return Lattice((int(count[0]), int(count[1]), int(count[2])), affine)


def make_surroundings(
    rng: np.random.Generator,
    template: HeadTemplate,
    deformation: Deformation,
    lattice: Lattice,
) -> Surroundings:
    """Grow skull, scalp, face, neck and cavities around the brain of a patient."""
    mask, affine = padded((template.brain,), template.affine)
    brain = sample_grid(mask, affine, lattice.affine, lattice.shape, deformation)[0] > 0.5
    outside = _distance(~brain)
    depth = _distance(brain) - outside
    hull = _hull(outside)
    thickness = 6.5 + 1.0 * smooth_noise(rng, lattice.shape, 12)
    skull: FloatArray = np.clip(thickness, 4, 9)
    there = _in_template(deformation, lattice)
    skin = hull - MENINGES_MM - skull - SCALP_MM - 0.7 * smooth_noise(rng, lattice.shape, 8)
    for centre, radii in (FACE, NECK):
        level = _ellipsoid(there, centre, radii)
        skin = np.minimum(skin, level)
    air = np.zeros(lattice.shape, np.float32)
    for _name, centre, radii, part in CAVITIES:
        size = rng.uniform(0.85, 1.1)
        level = _ellipsoid(there, centre, tuple(size * r for r in radii))
        np.maximum(air, part * np.clip(0.5 - level / SPACING_MM, 0, 1), out=air)
    air *= np.clip((hull - MENINGES_MM) / SPACING_MM, 0, 1)
    return Surroundings(
        lattice, depth, hull, skull, skin.astype(np.float32), air.astype(np.float32)
    )


def _hull(outside: FloatArray) -> FloatArray:
    """Signed distance from the brain closed over its fissures."""
    reach = 9.0
    wide = outside <= reach
    inside = _distance(wide) - reach
    closed = inside > 0
    signed = _distance(~closed) - _distance(closed)
    smooth: FloatArray = ndimage.gaussian_filter(signed, 1.0)
    return smooth


def _distance(mask: NDArray[np.bool_]) -> FloatArray:
    """Distance in mm to the nearest point outside the mask."""
    distance: FloatArray = ndimage.distance_transform_edt(mask, SPACING_MM).astype(np.float32)
    return distance


def _in_template(deformation: Deformation, lattice: Lattice) -> FloatArray:
    """Template coordinates of the lattice's points, shape (3, X, Y, Z) in mm."""
    moved = sample_grid(
        deformation.displacement, deformation.lattice, lattice.affine, lattice.shape
    )
    points = lattice.points.T.reshape(moved.shape).astype(np.float32) + moved
    turn, shift = deformation.affine[:3, :3], deformation.affine[:3, 3]
    there = np.tensordot(turn.astype(np.float32), points, 1)
    return there + shift.astype(np.float32)[:, None, None, None]


def _ellipsoid(
    points: FloatArray,
    centre: tuple[float, float, float],
    radii: tuple[float, ...],
) -> FloatArray:
    """Roughly the signed distance from an ellipsoid in mm, negative inside."""
    square = np.zeros(points.shape[1:], np.float32)
    for along, middle, radius in zip(points, centre, radii, strict=True):
        square += ((along - np.float32(middle)) / np.float32(radius)) ** 2
    return (np.sqrt(square) - 1) * np.float32(min(radii))
