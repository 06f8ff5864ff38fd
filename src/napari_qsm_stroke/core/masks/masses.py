"""What is wider or brighter than veins, where none is sought: nuclei, sinuses, haemorrhage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.masks.morphology import (
    Bools,
    Size,
    close,
    dilate,
    erode,
    without_small_parts,
)
from napari_qsm_stroke.core.masks.smoothing import smooth
from napari_qsm_stroke.core.numerics.rank import opening

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

INSIDE, AT_EDGE, BRIGHT, HOLE, STREAK = 1, 2, 3, 4, 5
"""Labels of ``excluded``."""
EDGE_DEPTH_MM = 10.0
BACKGROUND_MM = 10.0
OF_RADIUS = 0.8
EDGE_MM = 3.0
HOLE_MM3 = 65.0
NOTCH_MM, DEEP_MM = 8.0, 5.0
TOO_BRIGHT = 1.7
"""Over the contrast of most veins: blood without any oxygen has 2.5 times that of veins."""
NO_VEIN = 3.0
"""Over that contrast: too bright for a vein, however narrow: a small bleed."""


def masses(
    whole: FloatArray,
    calm: FloatArray,
    inside: Bools,
    levels: tuple[float, float],
    radius: float,
    size: Size,
) -> ByteArray:
    """Tell what is wider than a vein and brighter than its surroundings by one of two levels.

    Parameters
    ----------
    whole, calm : ndarray of float32, shape (X, Y, Z)
        Susceptibility continued beyond the mask, and the same less its noise.
    inside : ndarray of bool, shape (X, Y, Z)
        Where it is known.
    levels : tuple of float
        Of a mass, and of one that is brighter than veins: this one with its edge and its arms.
    radius : float
        In mm, of the widest veins.
    size : tuple of float
        Of a voxel in mm.

    Returns
    -------
    ndarray of uint8, shape (X, Y, Z)
        Wide and deep in the brain 1, wide at its edge 2, brighter than veins 3. Holes of the map
        4: their phase was too wild to be used.
    """
    around = smooth(whole, BACKGROUND_MM, size)
    wide = opening(calm, OF_RADIUS * radius, size)
    wide -= around
    mass, strong = inside & (wide > levels[0]), inside & (wide > levels[1])
    strong |= inside & (calm - around > NO_VEIN * levels[1])
    strong |= dilate(strong, EDGE_MM, size) & (calm - around > levels[1])
    strong = touching(strong | (inside & (calm - around > TOO_BRIGHT * levels[1])), strong)
    found = np.zeros(inside.shape, np.uint8)
    found[mass] = AT_EDGE
    found[mass & erode(inside, EDGE_DEPTH_MM, size)] = INSIDE
    found[strong] = BRIGHT
    del around, wide, mass, strong
    deep = erode(close(inside, NOTCH_MM, size), DEEP_MM, size)
    found[without_small_parts(deep & ~inside, HOLE_MM3, size)] = HOLE
    return found


def touching(mask: Bools, seeds: Bools) -> Bools:
    """Parts of the mask that hold a seed."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    keep = np.zeros(count + 1, dtype=bool)
    keep[labels[seeds]] = True
    return np.asarray(keep[labels])


def room(found: ByteArray, margin: float, streaks: float, size: Size) -> Bools:
    """All that is further than ``margin`` from masses, ``streaks`` from bright ones and holes."""
    torn = (found == BRIGHT) | (found == HOLE)
    return ~dilate((found > 0) & ~torn, margin, size) & ~dilate(torn, streaks, size)
