"""Growing, shrinking and cleaning of masks by distances in mm.

Masks are boolean arrays here. Beyond the field of view a mask goes on as it is at the border: a
brain that touches it is not eroded there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.numerics.distance import distance_to, within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Size = tuple[float, float, float]


def box_around(mask: Bools, margin: int) -> tuple[slice, slice, slice]:
    """Box of a mask that is not empty, with a margin in voxels as far as the array goes."""
    lines = np.any(mask, axis=2)
    x, y = np.flatnonzero(np.any(lines, axis=1)), np.flatnonzero(np.any(lines, axis=0))
    z = np.flatnonzero(np.any(mask, axis=(0, 1)))
    i, j, k = (slice(max(int(n[0]) - margin, 0), int(n[-1]) + 1 + margin) for n in (x, y, z))
    return (i, j, k)


def dilate(mask: Bools, radius: float, voxel_size: Size) -> Bools:
    """All voxels within ``radius`` mm of the mask."""
    return within(mask, radius, voxel_size)


def depth(mask: Bools, voxel_size: Size) -> FloatArray:
    """Distance in mm of each voxel to the nearest one outside the mask."""
    return distance_to(~mask, voxel_size)


def erode(mask: Bools, radius: float, voxel_size: Size) -> Bools:
    """Voxels that are further than ``radius`` mm from all outside the mask."""
    return ~within(~mask, radius, voxel_size)


def close(mask: Bools, radius: float, voxel_size: Size) -> Bools:
    """Fill notches narrower than twice ``radius`` mm."""
    if radius <= 0 or not mask.any():
        return mask
    pad = [int(np.ceil(radius / size)) + 1 for size in voxel_size]
    grown = dilate(np.pad(mask, [(p, p) for p in pad]), radius, voxel_size)
    inner = tuple(slice(p, -p) for p in pad)
    return mask | erode(grown, radius, voxel_size)[inner]


def fill_holes(mask: Bools, largest_ml: float = np.inf, voxel_size: Size = (1, 1, 1)) -> Bools:
    """Fill what the mask shuts in on all sides, each hole up to a volume in ml."""
    holes, count = ndimage.label(np.pad(~mask, 1, constant_values=True))
    small = np.bincount(holes.ravel(), minlength=count + 1) * np.prod(voxel_size) / 1000
    fill = small <= largest_ml
    fill[holes[0, 0, 0]] = False
    fill[0] = True
    return np.asarray(fill[holes])[1:-1, 1:-1, 1:-1]


def components(mask: Bools) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Parts that touch at a face, edge or corner: labels from 1 and their voxel counts."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return labels, np.bincount(labels.ravel())[1:]


def largest(mask: Bools) -> Bools:
    """The largest part of the mask."""
    labels, counts = ndimage.label(mask)
    if counts == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def without_small_parts(mask: Bools, volume: float, voxel_size: Size) -> Bools:
    """Keep the parts of at least ``volume`` in mm3."""
    labels, counts = components(mask)
    keep = np.concatenate([[False], counts * np.prod(voxel_size) >= volume])
    return np.asarray(keep[labels])
