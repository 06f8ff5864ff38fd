"""Masks and maps of another grid, brought to that of the case by their scanner coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.faults import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.case.volume import Volume

Kind = Literal["labels", "map"]
LOST = 0.02
"""Share of a mask that may lie outside before it is worth saying."""
SAME_PLACE = 5
"""Decimals of a voxel to which places are rounded: voxels that coincide keep their values."""


def onto(volume: Volume, grid: Grid, kind: Kind) -> tuple[NDArray[np.float32], tuple[Note, ...]]:
    """Return data on a grid, and what the user should know; nothing changes on the same grid.

    Parameters
    ----------
    volume : Volume
        Three-dimensional.
    grid : Grid
        Where it is wanted.
    kind : {"labels", "map"}
        Masks and labels are those of the nearest voxel, which keeps their volume (half of a voxel
        as the limit makes a lesion of thick slices 7 % smaller); a map is interpolated by cubic
        splines. Outside of the volume it is 0.

    Raises
    ------
    InputError
        Nothing of the volume lies on the grid.
    """
    if volume.grid == grid:
        return volume.data, ()
    place = np.round(np.linalg.inv(volume.grid.affine) @ grid.affine, SAME_PLACE)
    found = ndimage.affine_transform(
        volume.data.astype(np.float32),
        place[:3, :3],
        place[:3, 3],
        output_shape=grid.shape,
        order=3 if kind == "map" else 0,
        mode="constant",
    ).astype(np.float32)
    if not found.any():
        raise InputError(
            volume.source,
            "nothing of it lies where the gradient echo was taken.",
            "Give an image of the same examination.",
        )
    return found, (_note(volume, grid, kind, found),)


def _note(volume: Volume, grid: Grid, kind: Kind, found: NDArray[np.float32]) -> Note:
    what = f"is on a grid of its own ({grid.difference(volume.grid)}): brought to that of the case"
    if kind == "map":
        return Note(
            volume.source,
            f"{what} by interpolation, which lowers the values of narrow veins.",
            "Give the map on the grid of the gradient echo where you can.",
        )
    before = np.count_nonzero(volume.data) * volume.grid.voxel_volume_ml
    after = np.count_nonzero(found) * grid.voxel_volume_ml
    lost = f", {before:.1f} ml became {after:.1f} ml" if abs(after / before - 1) > LOST else ""
    return Note(volume.source, f"{what} by scanner coordinates{lost}.", "Check it by eye.")
