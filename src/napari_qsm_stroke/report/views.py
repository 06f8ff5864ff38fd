"""Slices of a case as a radiologist looks at them: the patient's right on the left of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.measure.regions import region_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.core.measure.side import Side

MARGIN_MM = 6.0
SLAB_MM = 8.0
SHOWN_REGIONS = ("infarct_core", "ipsilateral_mca", "contralateral_mca")
OTHER_VEINS = len(SHOWN_REGIONS) + 1
Reduction = Literal["slice", "minimum", "maximum"]


@dataclass(frozen=True)
class Plane:
    """One slice: ``axis`` 2 is axial, 1 coronal."""

    axis: Literal[1, 2]
    index: int
    title: str


@dataclass(frozen=True)
class Frame:
    """The part of the head that all images show, and how to cut it.

    Images have rows from inferior or posterior upwards and columns from the patient's right to
    the left.
    """

    grid: Grid
    crop: tuple[slice, slice, slice]

    def image(
        self, data: NDArray[np.generic], plane: Plane, reduction: Reduction = "slice"
    ) -> NDArray[np.generic]:
        """Cut one image, through a slab of 8 mm where it is reduced."""
        half = 0
        if reduction != "slice":
            half = int(SLAB_MM / 2 // self.grid.voxel_size[plane.axis])
        low = max(plane.index - half, 0)
        slab = np.moveaxis(data, plane.axis, 2)[..., low : plane.index + half + 1]
        flat: NDArray[np.generic] = slab.min(axis=2) if reduction == "minimum" else slab.max(axis=2)
        x, other = (self.crop[a] for a in (0, 3 - plane.axis))
        return flat[x, other][::-1].T

    def extent(self, plane: Plane) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the image in mm."""
        other = 3 - plane.axis
        width, height = (
            (self.crop[a].stop - self.crop[a].start) * self.grid.voxel_size[a] for a in (0, other)
        )
        return 0.0, width, 0.0, height


def frame_of(case: Case) -> Frame:
    """Return a frame round the brain, or round what there is to see."""
    grid = case.grid
    for name in ("brain", "territories", "susceptibility"):
        if name in case.maps and np.any(case.maps[name].data):
            boxes = ndimage.find_objects((case.maps[name].data != 0).astype(np.uint8))
            break
    else:
        boxes = [tuple(slice(0, n) for n in grid.shape)]
    x, y, z = (
        slice(max(part.start - int(MARGIN_MM / size), 0), min(part.stop + int(MARGIN_MM / size), n))
        for part, size, n in zip(boxes[0], grid.voxel_size, grid.shape, strict=True)
    )
    return Frame(grid, (x, y, z))


def planes_of(case: Case) -> list[Plane]:
    """Choose three axial slices and a coronal one through the infarct, or through the brain."""
    for name in ("infarct", "territories", "brain", "susceptibility"):
        if name in case.maps and np.any(case.maps[name].data):
            inside = case.maps[name].data != 0
            break
    else:
        inside = np.ones(case.grid.shape, bool)
    axial = _quantiles(inside.sum(axis=(0, 1)), (0.85, 0.5, 0.15))
    coronal = _quantiles(inside.sum(axis=(0, 2)), (0.5,))
    axial.sort(reverse=True)
    return [
        *(Plane(2, k, f"axial, {_height(case.grid, k)}") for k in axial),
        *(Plane(1, j, "coronal") for j in coronal),
    ]


def vein_regions(case: Case, side: Side | None, guard: float) -> NDArray[np.uint8]:
    """Label veins by region: 1 to 3 as in ``SHOWN_REGIONS``, 4 elsewhere.

    Parameters
    ----------
    case : Case
        With a vein mask, or nothing is labelled.
    side : {"left", "right"} or None
        Side of the stroke.
    guard : float
        As the table was made with, in mm.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)
    """
    labels = np.zeros(case.grid.shape, np.uint8)
    if "veins" not in case.maps:
        return labels
    veins = case.maps["veins"].data != 0
    labels[veins] = OTHER_VEINS
    if side is None or "territories" not in case.maps:
        return labels
    empty = np.zeros(case.grid.shape, np.uint8)
    masks = region_masks(
        case.maps["infarct"].data if "infarct" in case.maps else empty,
        case.maps["territories"].data,
        side,
        voxel_size=case.grid.voxel_size,
        affine=case.grid.affine,
        guard=guard,
    )
    for label, name in enumerate(SHOWN_REGIONS, start=1):
        labels[veins & masks[name]] = label
    return labels


def _quantiles(counts: NDArray[np.int_], fractions: tuple[float, ...]) -> list[int]:
    """Slices at these fractions of the mass, all different where there are enough."""
    cumulative = np.cumsum(counts) / counts.sum()
    found: list[int] = []
    for fraction in fractions:
        wanted = int(np.searchsorted(cumulative, fraction))
        free = (i for i in range(len(counts)) if i not in found)
        found.append(min(free, key=lambda i: abs(i - wanted), default=wanted))
    return found


def _height(grid: Grid, k: int) -> str:
    centre = np.array([(grid.shape[0] - 1) / 2, (grid.shape[1] - 1) / 2, k, 1.0])
    z = float((grid.affine @ centre)[2])
    return f"z = {z:+.0f} mm".replace("-", "\N{MINUS SIGN}")
