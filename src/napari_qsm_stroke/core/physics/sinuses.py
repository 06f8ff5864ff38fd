"""Dural sinuses: superior sagittal, straight, transverse and sigmoid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.deformation import Deformation, sample_points
from napari_qsm_stroke.core.physics.head import SPACING_MM
from napari_qsm_stroke.core.physics.veins import as_tubes, smooth_course

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.head import Surroundings
    from napari_qsm_stroke.core.physics.tubes import Tubes

SAGITTAL = (
    (0, 68, -12), (0, 74, 8), (0, 70, 30), (0, 56, 52), (0, 34, 70), (0, 6, 82), (0, -22, 84),
    (0, -50, 76), (0, -76, 58), (0, -96, 32), (0, -106, 4), (0, -100, -16),
)  # fmt: skip
STRAIGHT = ((0, -44, 8), (0, -58, 2), (0, -74, -5), (0, -90, -13), (0, -99, -17))
TRANSVERSE = (
    (0, -100, -17), (18, -96, -20), (36, -86, -23), (48, -72, -26), (56, -56, -29),
    (54, -44, -36), (44, -38, -48), (36, -38, -60), (34, -36, -78),
)  # fmt: skip
RADII_MM = {"sagittal": (1.2, 4.0), "straight": (2.0, 2.6), "transverse": (3.6, 3.0)}


def make_sinuses(rng: np.random.Generator, deformation: Deformation, around: Surroundings) -> Tubes:
    """Lay the sinuses of a patient into the dura, outside the brain.

    One transverse sinus is wider than the other, as in most people.
    """
    courses, radii = [], []
    dominant = 1.0 if rng.random() < 0.7 else -1.0
    for name, corners, sign in (
        ("sagittal", SAGITTAL, 1.0),
        ("straight", STRAIGHT, 1.0),
        ("transverse", TRANSVERSE, 1.0),
        ("transverse", TRANSVERSE, -1.0),
    ):
        course = deformation.to_patient(smooth_course(np.array(corners, float) * (sign, 1, 1)))
        first, last = RADII_MM[name]
        radius = np.linspace(first, last, len(course))
        if name == "transverse" and sign != dominant:
            radius = 0.65 * radius
        if name != "straight":
            course = _outside(course, radius, around)
        courses.append(course)
        radii.append(radius)
    return as_tubes(courses, radii)


def _outside(
    course: NDArray[np.float64], radius: NDArray[np.float64], around: Surroundings
) -> NDArray[np.float64]:
    """Move a course along the hull's gradient until it lies just outside the brain."""
    gradient = np.gradient(around.hull, SPACING_MM)
    stack = np.stack([around.hull, *gradient], axis=3).astype(np.float32)
    for _ in range(12):
        values = sample_points(stack, around.lattice.affine, course)
        short = 0.8 * radius + 0.3 - values[:, 0]
        outward = values[:, 1:] / np.maximum(np.linalg.norm(values[:, 1:], axis=1), 0.2)[:, None]
        course = course + 0.5 * np.clip(short, -6, 6)[:, None] * outward
    return course
