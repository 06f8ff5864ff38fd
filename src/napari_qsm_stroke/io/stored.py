"""Stored values to float32 in canonical order, in one pass and with no copy in between.

A NIfTI file holds X fastest, arrays in memory hold Z (or the echo) fastest: in blocks of X both
stay near the processor.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 16
"""Voxels along X that are taken together: as many float32 as the processor fetches at once."""


class Shelf:
    """One array for the echoes of several files, each written into its place as it is read.

    Parameters
    ----------
    count : int
        Number of files. Threads may ask for their places at the same time.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._all: NDArray[np.float32] | None = None

    def place(self, index: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Array for the image of a file; one of its own where it does not go with the first."""
        alone = len(shape) == 4
        with self._lock:
            if self._all is None and (not alone or self._count == 1):
                self._all = np.empty(shape if alone else (*shape, self._count), np.float32)
        whole = self._all
        if whole is None or whole.shape[:3] != shape[:3] or (alone and self._count > 1):
            return np.empty(shape, np.float32)
        return whole if alone else whole[..., index]

    def holding(self, images: list[NDArray[Any]]) -> NDArray[np.float32] | None:
        """Array of all echoes if these images are what stands on it, else None."""
        whole = self._all
        if whole is None or len(images) != self._count:
            return None
        parts = [whole] if images[0].ndim == 4 else np.moveaxis(whole, 3, 0)
        same = all(
            a.shape == b.shape and a.ctypes.data == b.ctypes.data
            for a, b in zip(parts, images, strict=True)
        )
        return whole if same else None


def fill(stored: NDArray[Any], slope: float, intercept: float, out: NDArray[np.float32]) -> None:
    """Write ``stored * slope + intercept`` into ``out``.

    Parameters
    ----------
    stored : ndarray
        A view in the order of ``out``, whatever the order in memory.
    slope, intercept : float
        1 and 0 leave the values as they are.
    out : ndarray of float32
        Of the same shape: (X, Y, Z), or (X, Y, Z, E).
    """
    quick = {np.dtype(kind) for kind in (np.int16, np.uint16, np.float32)}
    if stored.dtype not in quick:
        stored = stored.astype(np.float64)
    if stored.ndim == 3:
        stored, out = stored[..., None], out[..., None]
    for echo in range(stored.shape[3]):
        _fill(stored[..., echo], slope, intercept, out[..., echo])


@kernel()
def _fill(stored: NDArray[Any], slope: float, intercept: float, out: NDArray[np.float32]) -> None:
    nx, ny, nz = out.shape
    plain = slope == 1 and intercept == 0
    for j in range(ny):
        for first in range(0, nx, BLOCK):
            last = min(first + BLOCK, nx)
            for k in range(nz):
                if plain:
                    for i in range(first, last):
                        out[i, j, k] = stored[i, j, k]
                else:
                    for i in range(first, last):
                        out[i, j, k] = np.float64(stored[i, j, k]) * slope + intercept
