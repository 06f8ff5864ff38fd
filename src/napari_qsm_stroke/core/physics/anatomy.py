"""One patient: which tissue lies where, at any point and on any grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.deformation import (
    Deformation,
    padded,
    sample_grid,
    smooth_noise,
)
from napari_qsm_stroke.core.physics.head import MENINGES_MM
from napari_qsm_stroke.core.physics.nuclei import NUCLEI, nuclei_maps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.head import Surroundings
    from napari_qsm_stroke.core.physics.lesion import Lesion
    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import FloatArray

NEAR_MM = 8.0
"""No brain lies farther than this from the smooth sac that holds it."""
TISSUES = ("white", "grey", "fluid", "nucleus", "bone", "soft")


@dataclass(frozen=True, eq=False)
class Tissue:
    """Part of each voxel that each tissue takes, float32 maps of one grid.

    The six tissues and ``air`` sum to 1. ``iron`` is the susceptibility of nuclei times their
    part; ``brain`` (the part inside the brain), ``infarct`` and ``bleed`` lie across the tissues;
    ``texture`` is noise of unit variance.
    """

    white: FloatArray
    grey: FloatArray
    fluid: FloatArray
    nucleus: FloatArray
    bone: FloatArray
    soft: FloatArray
    air: FloatArray
    iron: FloatArray
    brain: FloatArray
    infarct: FloatArray
    bleed: FloatArray
    texture: FloatArray

    def mix(self, values: dict[str, float]) -> FloatArray:
        """Mean over the tissues of a property, 0 for air."""
        total = np.zeros_like(self.white)
        for tissue in TISSUES:
            total += getattr(self, tissue) * np.float32(values[tissue])
        return total


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The tissues of a patient, without vessels."""

    inside: FloatArray
    place: NDArray[np.float64]
    deformation: Deformation
    around: FloatArray
    lattice: NDArray[np.float64]

    def on(self, affine: NDArray[np.float64], shape: tuple[int, int, int]) -> Tissue:
        """Tissues on a grid of the patient's space."""
        hull, skull, skin, cavity, infarct, bleed, texture = sample_grid(
            self.around, self.lattice, affine, shape
        )
        gm, wm, brain, nucleus, iron = sample_grid(
            self.inside, self.place, affine, shape, self.deformation, where=hull < NEAR_MM
        )
        width = np.float32(np.linalg.norm(affine[:3, 0]))
        brain = np.clip(brain * 2 - 0.5, 0, 1)
        nucleus = np.minimum(nucleus, brain)
        matter = brain - nucleus
        total = np.maximum(gm + wm, 1)
        grey, white = matter * gm / total, matter * wm / total
        outer = 1 - brain
        head = outer * _part(-skin, width)
        cavity = np.minimum(cavity, 1)
        solid = head * (1 - cavity)
        meninges = solid * _part(MENINGES_MM - hull, width)
        bone = (solid - meninges) * _part(MENINGES_MM + skull - hull, width)
        return Tissue(
            white=white,
            grey=grey,
            fluid=matter - grey - white + meninges,
            nucleus=nucleus,
            bone=bone,
            soft=solid - meninges - bone,
            air=outer - solid,
            iron=iron,
            brain=brain,
            infarct=_part(infarct, width) * brain,
            bleed=_part(bleed, width) * brain,
            texture=texture,
        )


def make_anatomy(
    rng: np.random.Generator,
    template: HeadTemplate,
    deformation: Deformation,
    around: Surroundings,
    lesion: Lesion,
) -> Anatomy:
    """Put a patient together."""
    scatter = np.exp(rng.normal(0, 0.12, (1, len(NUCLEI))) + rng.normal(0, 0.04, (2, len(NUCLEI))))
    shape = (template.gm.shape[0], template.gm.shape[1], template.gm.shape[2])
    nucleus, iron = nuclei_maps(shape, template.affine, scatter)
    inside, place = padded(
        (template.gm, template.wm, template.brain, nucleus, iron), template.affine
    )
    lattice = around.lattice
    texture = 0.8 * smooth_noise(rng, lattice.shape, 0.8) + 0.6 * smooth_noise(
        rng, lattice.shape, 3.0
    )
    none = np.full(lattice.shape, -100, np.float32)
    bleed = none if lesion.bleed is None else lesion.bleed
    maps = (around.hull, around.skull, around.skin, around.air, lesion.infarct, bleed, texture)
    return Anatomy(
        inside, place, deformation, np.stack(maps, axis=3).astype(np.float32), lattice.affine
    )


def _part(level: FloatArray, width: np.float32) -> FloatArray:
    """Part of a voxel inside a surface at signed distance ``level`` mm from its middle."""
    part: FloatArray = np.clip(level / width + np.float32(0.5), 0, 1)
    return part
