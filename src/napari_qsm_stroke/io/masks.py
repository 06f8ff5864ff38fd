"""Masks and labels from files: binary, not empty, on the grid that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import finite, read_volume

if TYPE_CHECKING:
    from pathlib import Path

    from napari_qsm_stroke.case.grid import Grid


def read_mask(path: str | Path, grid: Grid) -> Volume:
    """Read a mask as uint8, 0 or 1.

    Raises
    ------
    InputError
        It is empty, holds more than one value besides 0, or lies on another grid.
    """
    volume = _on_grid(path, grid)
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
    return Volume((volume.data > 0).astype(np.uint8), volume.grid, "", str(path))


def read_territories(path: str | Path, grid: Grid) -> Volume:
    """Read arterial territories as uint8 labels (``core.quantities.LABELS``).

    Raises
    ------
    InputError
        There are other labels, none at all, or it lies on another grid.
    """
    volume = _on_grid(path, grid)
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
    return Volume(volume.data.astype(np.uint8), volume.grid, "", str(path))


def _on_grid(path: str | Path, grid: Grid) -> Volume:
    volume = finite(read_volume(path))
    problem = grid.difference(volume.grid)
    if volume.data.ndim != 3:
        problem = "it has four dimensions"
    if problem:
        raise InputError(
            str(path),
            f"does not lie on the grid of the gradient echo: {problem}.",
            "Resample it to that grid.",
        )
    return volume
