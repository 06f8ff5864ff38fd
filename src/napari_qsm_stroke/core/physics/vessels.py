"""All vessels of a patient: veins with their regions and blood, and the sinuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.blood import (
    EXTRACTION,
    draw_radii,
    r2star_of_blood,
    susceptibility_of_blood,
    vein_extraction,
)
from napari_qsm_stroke.core.physics.deformation import sample_points
from napari_qsm_stroke.core.physics.head import SPACING_MM
from napari_qsm_stroke.core.physics.lesion import labels_of
from napari_qsm_stroke.core.physics.sinuses import make_sinuses
from napari_qsm_stroke.core.physics.tubes import Tubes, paint
from napari_qsm_stroke.core.physics.veins import (
    MEDULLARY_RADIUS_MM,
    RADIUS_MM,
    REGIONS,
    as_tubes,
    cortical_courses,
    cortical_seeds,
    deep_courses,
    make_guide,
    medullary_courses,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.veins import Host
    from napari_qsm_stroke.core.quantities import FloatArray

DEEP_RADIUS_MM = (0.7, 1.2)
SINUS_EXTRACTION = 0.30
"""Oxygen extraction fraction of the blood in the sinuses, from the whole brain."""


@dataclass(frozen=True, eq=False)
class Vessels:
    """Veins within the brain, and the sinuses of the dura.

    ``region`` of each piece of vein is an index into ``veins.REGIONS``, ``extraction`` its oxygen
    extraction fraction.
    """

    veins: Tubes
    region: NDArray[np.int64]
    extraction: NDArray[np.float64]
    sinuses: Tubes

    def on(
        self, affine: NDArray[np.float64], shape: tuple[int, int, int]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Part of each voxel that is vein, that part times susceptibility, part that is sinus."""
        chi = np.asarray(susceptibility_of_blood(self.extraction))
        fraction, weighted = paint(self.veins, chi, affine, shape)
        sinus, _ = paint(self.sinuses, np.ones(len(self.sinuses.radius)), affine, shape)
        return fraction, weighted, sinus


SINUS_PPM = float(susceptibility_of_blood(SINUS_EXTRACTION))
VEIN_R2STAR = float(r2star_of_blood(np.array(EXTRACTION)))


def make_vessels(
    rngs: tuple[np.random.Generator, np.random.Generator, np.random.Generator],
    host: Host,
    core_ratio: float,
) -> Vessels:
    """Grow the vessels of a patient.

    Parameters
    ----------
    rngs : tuple of numpy.random.Generator
        Sources of chance for courses, blood and sinuses: a changed oxygenation leaves the courses
        as they are.
    host : Host
        The patient.
    core_ratio : float
        Susceptibility of veins in the core over that of the other side.
    """
    courses_rng, blood_rng, sinus_rng = rngs
    guide = make_guide(host)
    seeds = cortical_seeds(courses_rng, host, guide)
    cortical = cortical_courses(courses_rng, seeds, host.deformation, guide)
    fine = medullary_courses(courses_rng, host.deformation)
    deep = deep_courses(courses_rng, host.deformation)
    courses = cortical + fine + deep
    bare = as_tubes(courses, [np.ones(len(c)) for c in courses])
    regions = _regions(bare.middle, host)
    length = np.zeros((len(courses), len(REGIONS)))
    np.add.at(length, (bare.vessel, regions), bare.length)
    radii = [
        *draw_radii(blood_rng, length[: len(cortical)], RADIUS_MM),
        *blood_rng.uniform(*MEDULLARY_RADIUS_MM, len(fine)),
        *np.linspace(*DEEP_RADIUS_MM, len(deep)),
    ]
    tapered = [r * np.linspace(0.9, 1.08, len(c)) for r, c in zip(radii, courses, strict=True)]
    veins = as_tubes(courses, tapered)
    inside = guide.depth_at(veins.middle) > veins.radius
    veins, regions = veins.select(inside), regions[inside]
    extraction = vein_extraction(blood_rng, veins, regions, core_ratio)
    sinuses = make_sinuses(sinus_rng, host.deformation, host.around)
    return Vessels(veins, regions, extraction, sinuses)


def _regions(points: NDArray[np.float64], host: Host) -> NDArray[np.int64]:
    """Index into ``REGIONS`` of points in mm."""
    other = "left" if host.side == "right" else "right"
    lattice = host.around.lattice
    index = np.rint((points - lattice.affine[:3, 3]) / SPACING_MM).astype(int)
    i, j, k = np.clip(index, 0, np.array(lattice.shape) - 1).T
    there = host.territories[i, j, k]
    region = np.zeros(len(points), np.int64)
    region[there == labels_of("MCA", host.side)] = REGIONS.index("ipsilateral_mca")
    region[there == labels_of("MCA", other)] = REGIONS.index("contralateral_mca")
    core = sample_points(host.lesion.infarct[..., None], lattice.affine, points)[:, 0] > 0
    region[core] = REGIONS.index("infarct_core")
    return region
