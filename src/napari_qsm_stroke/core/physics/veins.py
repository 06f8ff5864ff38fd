"""Cerebral veins: their courses, calibres and oxygenation.

Cortical veins start in the depth of a sulcus, follow it and then the convexity towards the sinus
that they drain to; medullary veins run straight to the wall of the lateral ventricle, which the
deep veins leave for the vein of Galen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.physics.deformation import (
    Deformation,
    padded,
    sample_grid,
    sample_points,
)
from napari_qsm_stroke.core.physics.head import SPACING_MM
from napari_qsm_stroke.core.physics.lesion import labels_of
from napari_qsm_stroke.core.physics.tubes import Tubes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.head import Lattice, Surroundings
    from napari_qsm_stroke.core.physics.lesion import Lesion
    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

STEP_MM = 0.75
CORTICAL_PER_SIDE = {"MCA": 120, "ACA": 14, "PCA": 12, "VB": 8}
LEAST_IN_CORE = 24
LENGTH_MM = (18.0, 48.0)
ARRIVED_MM = 12.0
RADIUS_MM = (0.4, 1.6)
MEDULLARY_PER_SIDE = 26
MEDULLARY_RADIUS_MM = (0.3, 0.5)
REGIONS = ("elsewhere", "infarct_core", "ipsilateral_mca", "contralateral_mca")

DEEP = (
    ((19, 18, 16), (10, 8, 14), (3, 6, 8), (2.5, -8, 13), (2, -24, 14), (1, -38, 12), (0, -44, 8)),
    ((22, -2, -18), (14, -12, -14), (16, -24, -8), (9, -34, 2), (2, -41, 7), (0, -44, 8)),
    ((26, -34, 14), (18, -33, 18), (8, -36, 15), (1, -41, 10), (0, -44, 8)),
)
"""Internal cerebral, basal and atrial vein of the right side in template space."""


@dataclass(frozen=True, eq=False)
class Host:
    """The patient that veins grow in."""

    template: HeadTemplate
    deformation: Deformation
    around: Surroundings
    territories: ByteArray
    """On the lattice."""
    lesion: Lesion
    side: str


@dataclass(frozen=True, eq=False)
class Guide:
    """What steers a vein, on the lattice of the patient.

    ``maps`` holds the depth in the brain (mm), its gradient, the gradient of the tissue's
    brightness, and the part that is white matter; shape (X, Y, Z, 8).
    """

    affine: NDArray[np.float64]
    maps: FloatArray

    def depth_at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance inside the brain in mm."""
        return sample_points(self.maps[..., :1], self.affine, points)[:, 0]

    def steer(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Depth in mm, and directions inwards and towards white matter of length about 1."""
        values = sample_points(self.maps, self.affine, points)
        return values[:, 0], values[:, 1:4], values[:, 4:7]


def make_guide(host: Host) -> Guide:
    """Prepare the maps that steer the veins of a patient."""
    lattice, depth = host.around.lattice, host.around.depth
    stack, place = padded((host.template.wm, host.template.gm), host.template.affine)
    wm, gm = sample_grid(stack, place, lattice.affine, lattice.shape, host.deformation)
    bright = ndimage.gaussian_filter(4 * wm + 2 * gm, 0.7)
    inward = np.gradient(ndimage.gaussian_filter(depth, 1.0), SPACING_MM)
    white = np.gradient(bright, SPACING_MM)
    maps = np.stack([depth, *inward, *white, wm], axis=3).astype(np.float32)
    return Guide(lattice.affine, maps)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors of shape (n, 3) with length 1."""
    result: NDArray[np.float64] = vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9
    )
    return result


def cortical_seeds(rng: np.random.Generator, host: Host, guide: Guide) -> NDArray[np.float64]:
    """Points in the sulci where cortical veins begin, as dense on the left as on the right.

    The core gets at least 24; whatever is added there is added at the mirrored place too, so that
    no side has more veins than the other.
    """
    lattice = host.around.lattice
    depth = host.around.depth
    cortex = (depth > 4) & (depth < 20) & (guide.maps[..., 7] < 0.45)
    seeds = []
    for artery, count in CORTICAL_PER_SIDE.items():
        here = cortex & (host.territories == labels_of(artery, "right"))
        right = _spread(rng, lattice, here, count)
        seeds += [right, mirrored(rng, right, host.deformation)]
    core = cortex & (host.lesion.infarct > 0)
    level = sample_points(host.lesion.infarct[..., None], lattice.affine, np.concatenate(seeds))
    inside = int((level > 0).sum())
    if inside < LEAST_IN_CORE and core.any():
        extra = _spread(rng, lattice, core, LEAST_IN_CORE - inside)
        seeds += [extra, mirrored(rng, extra, host.deformation)]
    found = np.concatenate(seeds)
    return found[guide.depth_at(found) > 3]


def mirrored(
    rng: np.random.Generator, points: NDArray[np.float64], deformation: Deformation
) -> NDArray[np.float64]:
    """Points at about the same place of the other side."""
    there = deformation.to_template(points) * (-1, 1, 1)
    return deformation.to_patient(there + rng.normal(0, 2.0, there.shape))


def _spread(
    rng: np.random.Generator, lattice: Lattice, mask: NDArray[np.bool_], count: int
) -> NDArray[np.float64]:
    """Points of a mask, none close to another: each new one is the farthest of some candidates."""
    candidates = lattice.points[mask.ravel()]
    if not len(candidates) or count < 1:
        return np.empty((0, 3))
    candidates = rng.permutation(candidates)[:4000]
    chosen = [candidates[rng.integers(len(candidates))]]
    nearest = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((candidates - chosen[-1]) ** 2).sum(1))
        some = rng.integers(len(candidates), size=12)
        chosen.append(candidates[some[np.argmax(nearest[some])]])
    return np.array(chosen) + rng.uniform(-1, 1, (count, 3))


def cortical_courses(
    rng: np.random.Generator, seeds: NDArray[np.float64], deformation: Deformation, guide: Guide
) -> list[NDArray[np.float64]]:
    """Course of a tortuous vein from each seed, points every 0.75 mm."""
    count = len(seeds)
    length = rng.uniform(*LENGTH_MM, count)
    penetrating = rng.random(count) < 0.2
    length = np.where(penetrating, 0.5 * length, length)
    steps = int(LENGTH_MM[1] / STEP_MM)
    last = rng.uniform(2.5, 7.0, count)
    first = guide.depth_at(seeds)
    goals = _goals(rng, seeds, deformation)
    point, heading = seeds.copy(), unit(rng.normal(size=(count, 3)))
    swerve = np.zeros((count, 3))
    course = np.empty((steps + 1, count, 3))
    course[0] = point
    for step in range(1, steps + 1):
        done = np.minimum(step * STEP_MM / length, 1)
        depth, inward, white = guide.steer(point)
        wanted = np.where(penetrating, first + 12 * done, first + (last - first) * done)
        off = np.clip((wanted - depth) / 3, -1, 1)
        swerve = 0.85 * swerve + 0.2 * rng.normal(size=(count, 3))
        pull = (
            0.4 * unit(goals - point)
            + 0.8 * off[:, None] * inward
            - np.where(penetrating, 0.2, 1.0)[:, None] * white
            + 0.9 * swerve
        )
        pull += np.maximum(3.0 - depth, 0)[:, None] * inward
        heading = unit(0.78 * heading + 0.22 * pull)
        point = point + STEP_MM * heading
        course[step] = point
    arrived = np.linalg.norm(course - goals, axis=2) < ARRIVED_MM
    first_there = np.where(arrived.any(0), arrived.argmax(0), steps)
    keep = np.maximum(np.minimum((length / STEP_MM).astype(int), first_there), 8)
    return [course[: keep[v] + 1, v] for v in range(count)]


def _goals(
    rng: np.random.Generator, seeds: NDArray[np.float64], deformation: Deformation
) -> NDArray[np.float64]:
    """Where each vein drains to: the sagittal sinus above, the Sylvian vein or the transverse."""
    there = deformation.to_template(seeds)
    x, y, z = there.T
    sign, count = np.sign(x), len(seeds)
    along = rng.normal(0, 8, count)
    above = np.stack([4 * sign, y + 8 + along, np.full(count, 85.0)], 1)
    sylvian = np.stack([56 * sign, np.clip(y + along, -35, 15), -6 - 0.25 * (y + along)], 1)
    below = np.stack([52 * sign, np.clip(y + along, -85, -40), np.full(count, -26.0)], 1)
    low = z < rng.normal(18, 8, count)
    goal = np.where(low[:, None], np.where((y > -30)[:, None], sylvian, below), above)
    return deformation.to_patient(goal)


def medullary_courses(
    rng: np.random.Generator, deformation: Deformation
) -> list[NDArray[np.float64]]:
    """Fine straight veins through the white matter to the walls of the lateral ventricles."""
    courses = []
    for sign in (-1.0, 1.0):
        for _ in range(MEDULLARY_PER_SIDE):
            along = rng.uniform(-28, 22)
            wall = np.array([sign * rng.uniform(16, 20), along, rng.uniform(20, 24)])
            angle = rng.uniform(0.1, 1.2)
            length = rng.uniform(10, 20)
            away = length * np.array([sign * np.cos(angle), rng.normal(0, 0.15), np.sin(angle)])
            parts = np.linspace(1, 0, max(2, int(length / 1.5)))[:, None]
            bend = rng.normal(0, 0.5, 3) * np.sin(np.pi * parts)
            courses.append(wall + parts * away + bend)
    moved = deformation.to_patient(np.concatenate(courses))
    return np.split(moved, np.cumsum([len(course) for course in courses])[:-1])


def deep_courses(rng: np.random.Generator, deformation: Deformation) -> list[NDArray[np.float64]]:
    """Internal cerebral, basal and atrial veins of both sides."""
    courses = []
    for sign in (-1.0, 1.0):
        for corners in DEEP:
            points = np.array(corners, dtype=np.float64) * (sign, 1, 1)
            points[1:-1] += rng.normal(0, 0.7, points[1:-1].shape)
            courses.append(deformation.to_patient(smooth_course(points)))
    return courses


def smooth_course(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points every 1 mm along a smooth curve near the corners."""
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    at = np.linspace(0, steps[-1], max(2, int(steps[-1])))
    curve = np.stack([np.interp(at, steps, c) for c in corners.T], axis=1)
    smooth: NDArray[np.float64] = ndimage.gaussian_filter1d(curve, 2.5, axis=0, mode="nearest")
    return smooth


def as_tubes(
    courses: list[NDArray[np.float64]], radius: list[NDArray[np.float64]], first: int = 0
) -> Tubes:
    """Straight pieces between the points of each course; radii are given at the points."""
    return Tubes(
        np.concatenate([c[:-1] for c in courses]),
        np.concatenate([c[1:] for c in courses]),
        np.concatenate([(r[:-1] + r[1:]) / 2 for r in radius]),
        np.concatenate([np.full(len(c) - 1, first + v) for v, c in enumerate(courses)]),
    )
