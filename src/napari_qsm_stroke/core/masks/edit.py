"""Editing a mask by hand: what a click or a button does to it.

Masks come and go as uint8 arrays of shape (X, Y, Z) with values 0 and 1; none is changed in place.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.masks import morphology
from napari_qsm_stroke.core.numerics.distance import distance_to
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from napari_qsm_stroke.core.masks.morphology import Bools, Size
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Voxel = tuple[int, int, int]


def grow(mask: ByteArray, distance: float, *, voxel_size: Size) -> ByteArray:
    """Add all within ``distance`` mm."""
    return _bytes(morphology.dilate(mask != 0, distance, voxel_size))


def shrink(mask: ByteArray, distance: float, *, voxel_size: Size) -> ByteArray:
    """Take away all within ``distance`` mm of the outside."""
    return _bytes(morphology.erode(mask != 0, distance, voxel_size))


def keep_component(mask: ByteArray, voxel: Voxel) -> ByteArray:
    """Keep only the part that the voxel belongs to.

    Raises
    ------
    InputError
        The voxel is not in the mask.
    """
    return _bytes(_component(mask, voxel))


def remove_component(mask: ByteArray, voxel: Voxel) -> ByteArray:
    """Take away the part that the voxel belongs to.

    Raises
    ------
    InputError
        The voxel is not in the mask.
    """
    return _bytes((mask != 0) & ~_component(mask, voxel))


def fill_holes(mask: ByteArray) -> ByteArray:
    """Fill what the mask shuts in on all sides."""
    return _bytes(morphology.fill_holes(mask != 0))


def remove_small(mask: ByteArray, volume: float, *, voxel_size: Size) -> ByteArray:
    """Take away every part smaller than ``volume`` in mm3."""
    return _bytes(morphology.without_small_parts(mask != 0, volume, voxel_size))


def fill_between(mask: ByteArray, axis: int, *, voxel_size: Size) -> ByteArray:
    """Fill the empty slices between drawn ones.

    Parameters
    ----------
    mask : ndarray of uint8, shape (X, Y, Z)
        Drawn on some slices.
    axis : int
        Axis that the slices lie across.
    voxel_size : tuple of float
        In mm.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)
        Drawn slices are unchanged; between two of them the outline passes over from one to the
        other (Raya and Udupa 1990, doi:10.1109/42.52980).
    """
    slices = np.moveaxis(mask != 0, axis, 0)
    sizes = [v for i, v in enumerate(voxel_size) if i != axis]
    flat: Size = (1e3, sizes[0], sizes[1])
    filled = slices.copy()
    drawn = np.flatnonzero(slices.any(axis=(1, 2)))
    for low, high in itertools.pairwise(drawn):
        if high - low < 2:
            continue
        below, above = (_signed_distance(slices[i], flat) for i in (low, high))
        for index in range(low + 1, high):
            share = (index - low) / (high - low)
            filled[index] = (1 - share) * below + share * above > 0
    return _bytes(np.moveaxis(filled, 0, axis))


def _signed_distance(flat_mask: Bools, size: Size) -> FloatArray:
    whole = flat_mask[None]
    signed: FloatArray = np.squeeze(distance_to(~whole, size) - distance_to(whole, size), axis=0)
    return signed


def _component(mask: ByteArray, voxel: Voxel) -> Bools:
    inside = mask != 0
    if not all(0 <= v < n for v, n in zip(voxel, mask.shape, strict=True)) or not inside[voxel]:
        raise InputError(
            "Mask", f"voxel {voxel} is not part of it.", "Click on a voxel of the mask."
        )
    labels, _ = ndimage.label(inside, structure=np.ones((3, 3, 3)))
    return np.asarray(labels == labels[voxel])


def _bytes(mask: Bools) -> ByteArray:
    return np.ascontiguousarray(mask, dtype=np.uint8)
