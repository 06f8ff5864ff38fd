"""Stored values to float32 in canonical order, in one pass and with no copy in between.

A NIfTI file holds X fastest, arrays in memory hold Z fastest, or the echo: a few planes at a time,
of all echoes one after the other, what is written stays near the processor until it is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCK = 16
"""Voxels along X and Z that are taken together: as many float32 as are fetched at once."""
PLANES = 16
"""Planes of Y that are filled for one echo before the next one."""
QUICK = {np.dtype(kind) for kind in (np.int16, np.uint16, np.float32)}
"""Kinds of numbers that are taken as they are; others are made float64 before."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Values as a file holds them.

    Attributes
    ----------
    values : ndarray, shape (X, Y, Z) or (X, Y, Z, E)
        A view in canonical order, whatever the order in memory.
    slope, intercept : float
        What they are multiplied by and added to; 1 and 0 leave them as they are.
    """

    values: NDArray[Any]
    slope: float = 1.0
    intercept: float = 0.0


def fill(images: Sequence[Stored], out: NDArray[np.float32]) -> list[int]:
    """Write images side by side into ``out``.

    Parameters
    ----------
    images : sequence of Stored
        One of the shape of ``out``, or echoes of shape (X, Y, Z).
    out : ndarray of float32, shape (X, Y, Z) or (X, Y, Z, E)
        Is filled.

    Returns
    -------
    list of int
        How many values of each image are NaN or infinite.
    """
    if out.ndim == 3:
        out = out[..., None]
    # the place of each plane of echoes: which image, and its values there
    volumes = [
        (n, image, image.values if image.values.ndim == 3 else image.values[..., echo])
        for n, image in enumerate(images)
        for echo in range(1 if image.values.ndim == 3 else image.values.shape[3])
    ]
    bad = [0] * len(images)
    for first in range(0, out.shape[1], PLANES):
        planes = slice(first, first + PLANES)
        for echo, (n, image, values) in enumerate(volumes):
            part = values[:, planes]
            if part.dtype not in QUICK:
                part = part.astype(np.float64)
            bad[n] += _fill(part, image.slope, image.intercept, out[:, planes, :, echo])
    return bad


@kernel(parallel=True)
def _fill(stored: NDArray[Any], slope: float, intercept: float, out: NDArray[np.float32]) -> int:
    nx, ny, nz = out.shape
    plain = slope == 1 and intercept == 0
    bad = 0
    for j in prange(ny):
        for x in range(0, nx, BLOCK):
            for z in range(0, nz, BLOCK):
                for i in range(x, min(x + BLOCK, nx)):
                    for k in range(z, min(z + BLOCK, nz)):
                        if plain:
                            value = np.float32(stored[i, j, k])
                        else:
                            value = np.float32(np.float64(stored[i, j, k]) * slope + intercept)
                        out[i, j, k] = value
                        bad += not np.isfinite(value)
    return bad
