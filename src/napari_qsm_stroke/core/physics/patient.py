"""Who lies in the scanner: a head of its own, its vessels and its stroke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_qsm_stroke.core.physics.anatomy import Anatomy, make_anatomy
from napari_qsm_stroke.core.physics.deformation import (
    Deformation,
    apply_affine,
    random_deformation,
)
from napari_qsm_stroke.core.physics.head import make_lattice, make_surroundings
from napari_qsm_stroke.core.physics.lesion import make_lesion, territories_on
from napari_qsm_stroke.core.physics.veins import Host
from napari_qsm_stroke.core.physics.vessels import Vessels, make_vessels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.template import HeadTemplate

Side = Literal["left", "right"]
STREAMS = 6
"""Sources of chance that a patient needs."""


@dataclass(frozen=True, eq=False)
class Patient:
    """A head, its vessels and points all over its brain in mm."""

    anatomy: Anatomy
    vessels: Vessels
    deformation: Deformation
    brain: NDArray[np.float64]
    side: Side


def make_patient(
    template: HeadTemplate,
    streams: Sequence[np.random.Generator],
    side: Side,
    core_ratio: float,
    haemorrhage: bool,
) -> Patient:
    """Draw a patient.

    Parameters
    ----------
    template : HeadTemplate
        Head that the patient is a deformed copy of.
    streams : sequence of numpy.random.Generator
        Six sources of chance: shape, head and tissue, lesion, courses of vessels, blood, sinuses.
        A changed lesion or oxygenation leaves the rest of the patient as it is.
    side : {"left", "right"}
        Of the stroke.
    core_ratio : float
        Susceptibility of veins in the core over that of the other side.
    haemorrhage : bool
        Blood leaks into the core.
    """
    shape_rng, head_rng, lesion_rng, *vessel_rngs = streams
    index = np.argwhere(template.brain > 0)[::101].astype(np.float64)
    points = apply_affine(template.affine, index)
    low, high = points.min(0), points.max(0)
    deformation = random_deformation(shape_rng, (low + high) / 2, (high - low) / 2)
    lattice = make_lattice(template, deformation)
    around = make_surroundings(head_rng, template, deformation, lattice)
    territories = territories_on(template, deformation, lattice.affine, lattice.shape)
    lesion = make_lesion(
        lesion_rng, template, deformation, lattice, territories, around.depth, side, haemorrhage
    )
    courses, blood, sinuses = vessel_rngs
    host = Host(template, deformation, around, territories, lesion, side)
    vessels = make_vessels((courses, blood, sinuses), host, core_ratio)
    anatomy = make_anatomy(head_rng, template, deformation, around, lesion)
    brain = lattice.points[(around.depth > 0).ravel()]
    return Patient(anatomy, vessels, deformation, brain, side)
