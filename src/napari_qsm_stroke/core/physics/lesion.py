"""The infarct of an MCA branch, and blood that leaked into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.physics.deformation import (
    Deformation,
    padded,
    sample_grid,
    smooth_noise,
)
from napari_qsm_stroke.core.physics.head import SPACING_MM, Lattice
from napari_qsm_stroke.core.quantities import LABELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

VOLUME_ML = (25.0, 110.0)
BLEED_SHARE = (0.03, 0.10)
BRANCHES = (
    ("M1", (40.0, -2.0, 12.0), (18.0, 26.0, 24.0)),
    ("M2 superior", (45.0, 4.0, 32.0), (17.0, 26.0, 22.0)),
    ("M2 inferior", (50.0, -38.0, 12.0), (17.0, 26.0, 20.0)),
)
"""Branch, centre of its territory on the right side and half axes of the shape, in mm."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """Maps on the lattice of a patient: distance-like levels in mm, positive inside."""

    infarct: FloatArray
    bleed: FloatArray | None


def labels_of(artery: str, side: str) -> int:
    """Label of a territory."""
    return next(label for label, name in LABELS.items() if name == (artery, side))


def territories_on(
    template: HeadTemplate,
    deformation: Deformation,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> ByteArray:
    """Arterial territories of the patient on a grid."""
    return labels_on(template.territories, template, deformation, affine, shape)


def labels_on(
    labels: ByteArray,
    template: HeadTemplate,
    deformation: Deformation,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> ByteArray:
    """Bring labels of the template's grid to a grid of the patient."""
    stack, place = padded((labels,), template.affine)
    found = sample_grid(stack, place, affine, shape, deformation, nearest=True)[0]
    result: ByteArray = found.astype(np.uint8)
    return result


def make_lesion(
    rng: np.random.Generator,
    template: HeadTemplate,
    deformation: Deformation,
    lattice: Lattice,
    territories: ByteArray,
    depth: FloatArray,
    side: Literal["left", "right"],
    haemorrhage: bool,
) -> Lesion:
    """Draw an infarct of 25 to 110 ml within the territory of the middle cerebral artery.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    template, deformation, lattice
        The patient.
    territories : ndarray of uint8
        Arterial territories on the lattice.
    depth : ndarray of float32
        Distance inside the brain on the lattice, in mm.
    side : {"left", "right"}
        Of the stroke.
    haemorrhage : bool
        Whether blood leaks into the core.
    """
    mca = (territories == labels_of("MCA", side)) & (depth > 0)
    allowed = np.minimum(_edge(mca), -_edge(_ventricles(template, deformation, lattice)))
    volume = np.exp(rng.uniform(*np.log(VOLUME_ML)))
    score = _branch(rng, deformation, lattice, side)
    inside = allowed > 0
    wanted = min(int(volume * 1000 / SPACING_MM**3), int(0.7 * inside.sum()))
    threshold = np.partition(score[inside], -wanted)[-wanted] if wanted else np.inf
    level = np.minimum((score - threshold) * 20, allowed)
    pieces, count = ndimage.label(level > 0)
    if count > 1:
        largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
        level = np.where((pieces == largest) | (level <= 0), level, np.float32(-1))
    infarct: FloatArray = level.astype(np.float32)
    bleed = _bleed(rng, lattice, infarct) if haemorrhage else None
    return Lesion(infarct, bleed)


def _branch(
    rng: np.random.Generator, deformation: Deformation, lattice: Lattice, side: str
) -> FloatArray:
    """Highest at the middle of a branch's territory, falling off raggedly."""
    _name, centre, radii = BRANCHES[rng.integers(len(BRANCHES))]
    sign = 1.0 if side == "right" else -1.0
    middle = (np.array(centre) + rng.normal(0, 4, 3)) * (sign, 1, 1)
    core = deformation.to_patient(middle[None])[0]
    distance = lattice.distance(core, np.array(radii) * rng.uniform(0.85, 1.15, 3))
    ragged = 0.16 * smooth_noise(rng, lattice.shape, 3.5) + 0.06 * smooth_noise(
        rng, lattice.shape, 1.5
    )
    score: FloatArray = (ragged - distance).astype(np.float32)
    return score


def _bleed(rng: np.random.Generator, lattice: Lattice, infarct: FloatArray) -> FloatArray:
    """Confluent petechiae around a point deep in the core."""
    deep = lattice.points[(infarct >= np.quantile(infarct[infarct > 0], 0.7)).ravel()]
    distance = lattice.distance(deep[rng.integers(len(deep))], rng.uniform(0.8, 1.3, 3))
    score = 4.0 * smooth_noise(rng, infarct.shape, 1.2) - distance
    inside = infarct > 0.5
    wanted = max(1, int(rng.uniform(*BLEED_SHARE) * inside.sum()))
    threshold = np.partition(score[inside], -wanted)[-wanted]
    level: FloatArray = np.minimum(score - threshold, infarct).astype(np.float32)
    return level


def _ventricles(
    template: HeadTemplate, deformation: Deformation, lattice: Lattice
) -> NDArray[np.bool_]:
    """Broad spaces of cerebrospinal fluid inside the brain."""
    fluid = np.clip(1 - template.gm - template.wm, 0, 1) * (template.brain > 0)
    stack, place = padded((fluid,), template.affine)
    on_lattice = sample_grid(stack, place, lattice.affine, lattice.shape, deformation)[0]
    broad: NDArray[np.bool_] = ndimage.gaussian_filter(on_lattice, 1.0) > 0.6
    return broad


def _edge(mask: NDArray[np.bool_]) -> FloatArray:
    """Roughly the distance to a mask's edge near it in mm, positive inside."""
    smooth: FloatArray = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
    return (smooth - np.float32(0.5)) * np.float32(2.5 * SPACING_MM)
