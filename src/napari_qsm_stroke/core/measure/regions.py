"""The six regions in which veins are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.measure.side import Side
from napari_qsm_stroke.core.numerics.midplane import midsagittal_plane
from napari_qsm_stroke.core.numerics.mirror import HeadCoordinates, mirror_mask
from napari_qsm_stroke.core.quantities import LABELS, ByteArray
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

REGIONS: dict[str, str] = {
    "infarct_core": "Infarct core",
    "ipsilateral_mca": "Ipsilateral MCA, not ischemic",
    "contralateral_mca": "Contralateral MCA",
    "mirrored_core": "Mirrored core, other side",
    "peri_infarct_0_5mm": "Around infarct, 0 to 5 mm",
    "peri_infarct_5_10mm": "Around infarct, 5 to 10 mm",
}
"""Name and title of each region, in the order of the table."""

RINGS = {"peri_infarct_0_5mm": (0.0, 5.0), "peri_infarct_5_10mm": (5.0, 10.0)}
OPPOSITE: dict[Side, Side] = {"left": "right", "right": "left"}


def region_masks(
    infarct: ByteArray,
    territories: ByteArray,
    side: Side,
    *,
    voxel_size: tuple[float, float, float],
    affine: NDArray[np.float64],
    guard: float = 3.0,
    head: HeadCoordinates | None = None,
) -> dict[str, NDArray[np.bool_]]:
    """Build the regions of the study from the infarct and the arterial territories.

    Parameters
    ----------
    infarct : ndarray of uint8, shape (X, Y, Z)
        Infarct core, 0 or 1; may be empty.
    territories : ndarray of uint8, shape (X, Y, Z)
        Arterial territories in canonical order.
    side : {"left", "right"}
        Side of the stroke.
    voxel_size : tuple of float
        In mm.
    affine : ndarray of shape (4, 4)
        Voxel index to scanner coordinates in mm.
    guard : float
        Width in mm of the band around the infarct that the non-ischemic territory leaves out.
    head : HeadCoordinates, optional
        Say which places lie opposite each other; without them the plane between the left and the
        right territories does.

    Returns
    -------
    dict of str to ndarray of bool, shape (X, Y, Z)
        ``infarct_core`` is the infarct within the ipsilateral MCA territory. ``ipsilateral_mca``
        leaves out the whole infarct and the guard. ``mirrored_core`` is the core mirrored to the
        other side, within the contralateral MCA territory; empty where there is no ``head`` and
        the territories show no plane. The two rings lie in any territory of the ipsilateral side
        and outside the infarct. The core and the two territories do not overlap each other.

    Raises
    ------
    InputError
        The two maps differ in shape, or the guard is negative.
    """
    if infarct.shape != territories.shape:
        raise InputError(
            "Infarct core",
            f"shape {infarct.shape} against {territories.shape} of the territories.",
            "Bring both to the grid of the gradient echo.",
        )
    if side not in get_args(Side) or not guard >= 0:
        raise InputError(
            "Regions", f"side {side!r}, guard {guard} mm.", "Give left or right and a guard >= 0."
        )
    ischemic = np.asarray(infarct) != 0
    ipsilateral = _labels(territories, side)
    mca = _labels(territories, side, "MCA")
    contralateral_mca = _labels(territories, OPPOSITE[side], "MCA")
    core = ischemic & mca
    crop, distance = _distance(ischemic, voxel_size, max(guard, 10.0))
    rest = mca & ~ischemic
    rest[crop] &= distance > guard
    masks = {"infarct_core": core, "ipsilateral_mca": rest, "contralateral_mca": contralateral_mca}
    if head is None and core.any():
        plane = midsagittal_plane(territories, affine)
        head = None if plane is None else HeadCoordinates.of_plane(plane)
    masks["mirrored_core"] = (
        np.zeros_like(core) if head is None else mirror_mask(core, head, affine) & contralateral_mca
    )
    for name, (inner, outer) in RINGS.items():
        ring = np.zeros_like(core)
        ring[crop] = ipsilateral[crop] & (distance > inner) & (distance <= outer)
        masks[name] = ring
    return masks


def region_side(region: str, side: Side) -> Side:
    """Side of the head that a region lies on, for a stroke on ``side``."""
    return OPPOSITE[side] if region in {"contralateral_mca", "mirrored_core"} else side


def _labels(territories: ByteArray, side: Side, artery: str | None = None) -> NDArray[np.bool_]:
    wanted = np.zeros(256, dtype=bool)
    for label, (name, where) in LABELS.items():
        wanted[label] = where == side and artery in (None, name)
    found: NDArray[np.bool_] = wanted[territories]
    return found


def _distance(
    ischemic: NDArray[np.bool_], voxel_size: tuple[float, float, float], reach: float
) -> tuple[tuple[slice, ...], NDArray[np.float64]]:
    """Distance to the infarct in mm, on the box within ``reach`` of it."""
    boxes = ndimage.find_objects(ischemic.astype(np.uint8))
    if not boxes:
        nothing = (slice(0, 0),) * ischemic.ndim
        return nothing, np.zeros((0, 0, 0))
    crop = tuple(
        slice(max(part.start - margin, 0), part.stop + margin)
        for part, margin in zip(
            boxes[0], (int(np.ceil(reach / d)) + 1 for d in voxel_size), strict=True
        )
    )
    distance = ndimage.distance_transform_edt(~ischemic[crop], sampling=voxel_size)
    return crop, np.asarray(distance)
