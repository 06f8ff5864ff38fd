"""Which side the stroke is on."""

from __future__ import annotations

from typing import Literal

import numpy as np

from napari_qsm_stroke.core.quantities import LABELS, ByteArray
from napari_qsm_stroke.errors import InputError

Side = Literal["left", "right"]
ASK = "Say on which side the stroke is, or correct the infarct mask."


def find_side(infarct: ByteArray, territories: ByteArray) -> Side:
    """Find the side of the stroke: the one that holds more of the infarct.

    Parameters
    ----------
    infarct : ndarray of uint8, shape (X, Y, Z)
        Infarct core, 0 or 1.
    territories : ndarray of uint8, shape (X, Y, Z)
        Arterial territories; odd labels are left, even ones right.

    Returns
    -------
    {"left", "right"}

    Raises
    ------
    InputError
        The mask is empty, lies outside all territories, or is the same size on both sides.
    """
    volumes = side_voxels(infarct, territories)
    left, right = volumes["left"], volumes["right"]
    if not np.any(infarct):
        raise InputError("Infarct core", "the mask is empty, so it shows no side.", ASK)
    if left == right:
        what = (
            f"{left} voxels lie on each side, so the side cannot be told."
            if left
            else "no part of it lies in an arterial territory, so it shows no side."
        )
        raise InputError("Infarct core", what, ASK)
    return "left" if left > right else "right"


def side_voxels(mask: ByteArray, territories: ByteArray) -> dict[Side, int]:
    """Count the voxels of a mask in the territories of each side.

    Parameters
    ----------
    mask : ndarray, shape (X, Y, Z)
        Non-zero inside.
    territories : ndarray of uint8, shape (X, Y, Z)
        Arterial territories.

    Returns
    -------
    dict
        Number of voxels by side.
    """
    labels = territories[mask != 0]
    counts = np.bincount(labels, minlength=max(LABELS) + 1)
    found: dict[Side, int] = {"left": 0, "right": 0}
    for label, (_artery, side) in LABELS.items():
        found["left" if side == "left" else "right"] += int(counts[label])
    return found
