"""Masks and labels from files: binary, not empty, brought to the grid of the case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.faults import Note
from napari_qsm_stroke.io.nifti import finite, read_nifti
from napari_qsm_stroke.io.regrid import onto

if TYPE_CHECKING:
    from pathlib import Path

    from napari_qsm_stroke.case.grid import Grid

Read = tuple[Volume, tuple[Note, ...]]


def read_mask(path: str | Path, grid: Grid | None) -> Read:
    """Read a mask as uint8, 0 or 1, and what is odd about it.

    Parameters
    ----------
    path : path
        On any grid; what lies on another one is brought to ``grid`` by its scanner coordinates.
    grid : Grid, optional
        That of the case; the mask stays on its own where there is none.

    Raises
    ------
    InputError
        It is empty, holds more than one value besides 0, or lies elsewhere.
    """
    volume, notes = _read(path)
    values = np.unique(volume.data)
    if values.size > 2 or (values.size == 2 and values[0] != 0):
        raise InputError(
            str(path),
            f"expected a mask of 0 and 1, found {values.size} values "
            f"from {values[0]:g} to {values[-1]:g}.",
            "Threshold it, e.g. at 0.5.",
        )
    if values[-1] <= 0:
        raise InputError(
            str(path), "the mask is empty.", "Draw the mask, or leave it out to have it made."
        )
    place = volume.grid if grid is None else grid
    data, moved = onto(volume, place, "labels")
    return Volume((data > 0).astype(np.uint8), _ordered(volume, place), "", str(path)), (
        *notes,
        *moved,
    )


def read_territories(path: str | Path, grid: Grid | None) -> Read:
    """Read arterial territories as uint8 labels (``core.quantities.LABELS``), and what is odd.

    Raises
    ------
    InputError
        There are other labels, none at all, or it lies elsewhere.
    """
    volume, notes = _read(path)
    values = np.unique(volume.data)
    odd = [float(v) for v in values if v != 0 and v not in LABELS]
    if odd:
        known = ", ".join(f"{n} {artery} {side}" for n, (artery, side) in LABELS.items())
        raise InputError(
            str(path), f"unknown territory label {odd[0]:g}.", f"Use 0 (none), {known}."
        )
    if values.size == 1 and values[0] == 0:
        raise InputError(
            str(path), "there is no territory in it.", "Leave it out to have territories made."
        )
    place = volume.grid if grid is None else grid
    data, moved = onto(volume, place, "labels")
    return Volume(data.astype(np.uint8), _ordered(volume, place), "", str(path)), (*notes, *moved)


def _ordered(volume: Volume, grid: Grid) -> Grid:
    """The grid with the order of axes of the mask's own file where it lies on it."""
    return volume.grid if volume.grid == grid else grid


def _read(path: str | Path) -> Read:
    file = read_nifti(path)
    volume = finite(file.volume)
    if volume.data.ndim != 3:
        raise InputError(
            str(path),
            f"expected three dimensions, found {volume.data.shape}.",
            "Give one image, not a series.",
        )
    return volume, file.notes
