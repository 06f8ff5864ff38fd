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
from napari_qsm_stroke.core.physics.lesion import labels_of, territories_on
from napari_qsm_stroke.core.physics.tubes import Tubes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.head import Lattice, Surroundings
    from napari_qsm_stroke.core.physics.lesion import Lesion
    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import FloatArray

STEP_MM = 0.75
CORTICAL_PER_SIDE = {"MCA": 120, "ACA": 14, "PCA": 12, "VB": 8}
LEAST_IN_CORE = 20
LENGTH_MM = (18.0, 48.0)
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
class Guide:
    """What steers a vein, on the lattice of the patient."""

    lattice: Lattice
    depth: FloatArray
    maps: FloatArray
    """Gradient of the depth and gradient of the tissue's brightness, shape (6, X, Y, Z)."""

    def depth_at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance inside the brain in mm."""
        return sample_points(self.depth[None], self.lattice.affine, points)[:, 0]

    def steer(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Directions inwards and towards white matter, each of length about 1."""
        values = sample_points(self.maps, self.lattice.affine, points)
        return values[:, :3], values[:, 3:]


def make_guide(template: HeadTemplate, deformation: Deformation, around: Surroundings) -> Guide:
    """Prepare the maps that steer the veins of a patient."""
    lattice = around.lattice
    stack, place = padded((template.wm, template.gm), template.affine)
    wm, gm = sample_grid(stack, place, lattice.affine, lattice.shape, deformation)
    bright = ndimage.gaussian_filter(wm + np.float32(0.5) * gm, 0.7)
    smooth = ndimage.gaussian_filter(around.depth, 1.0)
    spacing = float(lattice.affine[0, 0])
    inward = np.stack(np.gradient(smooth, spacing))
    white = np.stack(np.gradient(bright, spacing)) * 4.0
    return Guide(lattice, around.depth, np.concatenate([inward, white]).astype(np.float32))


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors of shape (n, 3) with length 1."""
    result: NDArray[np.float64] = vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9
    )
    return result


def cortical_seeds(
    rng: np.random.Generator,
    template: HeadTemplate,
    deformation: Deformation,
    lesion: Lesion,
    guide: Guide,
) -> NDArray[np.float64]:
    """Points in the sulci where cortical veins begin, as dense on the left as on the right.

    The core gets at least 20; whatever is added there is added at the mirrored place too, so that
    no side has more veins than the other.
    """
    lattice = guide.lattice
    labels = territories_on(template, deformation, lattice.affine, lattice.shape)
    cortex = (guide.depth > 4) & (guide.depth < 20)
    stack, place = padded((template.wm,), template.affine)
    white = sample_grid(stack, place, lattice.affine, lattice.shape, deformation)[0]
    cortex &= white < 0.45
    seeds = []
    for artery, count in CORTICAL_PER_SIDE.items():
        right = _spread(rng, lattice, cortex & (labels == labels_of(artery, "right")), count)
        seeds += [right, mirrored(rng, right, deformation)]
    core = cortex & (lesion.infarct > 0)
    inside = sum(int((_level(lesion, guide, s) > 0).sum()) for s in seeds)
    if inside < LEAST_IN_CORE and core.any():
        extra = _spread(rng, lattice, core, LEAST_IN_CORE - inside)
        seeds += [extra, mirrored(rng, extra, deformation)]
    found = np.concatenate(seeds)
    return found[guide.depth_at(found) > 3]


def mirrored(
    rng: np.random.Generator, points: NDArray[np.float64], deformation: Deformation
) -> NDArray[np.float64]:
    """Points at about the same place of the other side."""
    there = deformation.to_template(points) * (-1, 1, 1)
    return deformation.to_patient(there + rng.normal(0, 2.0, there.shape))


def _level(lesion: Lesion, guide: Guide, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return sample_points(lesion.infarct[None], guide.lattice.affine, points)[:, 0]


def _spread(
    rng: np.random.Generator, lattice: Lattice, mask: NDArray[np.bool_], count: int
) -> NDArray[np.float64]:
    """Points of a mask, none close to another: each new one is the farthest of some candidates."""
    candidates = lattice.points[mask.ravel()]
    if not len(candidates) or count < 1:
        return np.empty((0, 3))
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
        depth = guide.depth_at(point)
        inward, white = guide.steer(point)
        wanted = np.where(penetrating, first + 12 * done, first + (last - first) * done)
        off = np.clip((wanted - depth) / 3, -1, 1)
        swerve = 0.8 * swerve + 0.6 * rng.normal(0, 0.5, (count, 3))
        pull = (
            0.5 * unit(goals - point)
            + 0.8 * off[:, None] * inward
            - np.where(penetrating, 0.2, 1.0)[:, None] * white
            + 0.9 * swerve
        )
        pull += np.maximum(3.0 - depth, 0)[:, None] * inward
        heading = unit(0.72 * heading + 0.28 * pull)
        point = point + STEP_MM * heading
        course[step] = point
    keep = np.maximum((length / STEP_MM).astype(int), 8)
    return [course[: keep[v] + 1, v] for v in range(count)]


def _goals(
    rng: np.random.Generator, seeds: NDArray[np.float64], deformation: Deformation
) -> NDArray[np.float64]:
    """Where each vein drains to: the sagittal sinus above, the Sylvian vein or the transverse."""
    there = deformation.to_template(seeds)
    sign = np.sign(there[:, 0])
    goal = np.stack(
        [4 * sign, there[:, 1] + rng.normal(8, 8, len(seeds)), np.full(len(seeds), 85.0)], 1
    )
    low = there[:, 2] < rng.normal(15, 8, len(seeds))
    front = there[:, 1] > -25
    sylvian = np.stack([44 * sign, np.full(len(seeds), 2.0), np.full(len(seeds), -6.0)], 1)
    transverse = np.stack([52 * sign, np.full(len(seeds), -62.0), np.full(len(seeds), -26.0)], 1)
    goal = np.where((low & front)[:, None], sylvian, goal)
    goal = np.where((low & ~front)[:, None], transverse, goal)
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
            courses.append(deformation.to_patient(wall + parts * away + bend))
    return courses


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
