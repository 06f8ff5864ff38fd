"""Values in a mask, line by line: of each line along the last axis those that the mask spans.

A volume that matters in a mask alone takes a quarter of its memory so, and a loop over a line is
still one over neighbours in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import FloatArray


@dataclass(frozen=True)
class MaskRows:
    """Which values of a volume are kept, and where.

    Attributes
    ----------
    shape : tuple of int
        Shape of the volume, (X, Y, Z).
    spans : ndarray of int64, shape (X, Y, 3)
        Of each line its first voxel in the mask, the one behind its last, and where the line
        begins among the values.
    size : int
        How many values there are: those of the mask and of the gaps in its lines.
    """

    shape: Shape
    spans: NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> MaskRows:
        """Lines of a mask, which may be empty."""
        nz = mask.shape[2]
        filled = mask.any(axis=2)
        first = np.where(filled, mask.argmax(axis=2), 0)
        stop = np.where(filled, nz - mask[:, :, ::-1].argmax(axis=2), 0)
        ends = np.cumsum(stop - first).reshape(first.shape)
        spans = np.stack([first, stop, ends - (stop - first)], axis=2).astype(np.int64)
        return cls((mask.shape[0], mask.shape[1], nz), spans, int(ends[-1, -1]))

    @classmethod
    def whole(cls, shape: Shape) -> MaskRows:
        """All lines from end to end: the values are those of the flat volume."""
        return cls.of(np.ones(shape, np.bool_))

    def zeros(self) -> FloatArray:
        """As many zeros as there are values."""
        return np.zeros(self.size, np.float32)

    def pack(self, volume: NDArray[Any]) -> FloatArray:
        """Values of a volume of shape (X, Y, Z)."""
        values = np.empty(self.size, np.float32)
        _pack(np.ascontiguousarray(volume, np.float32), self.spans, values)
        return values

    def unpack(self, values: FloatArray) -> FloatArray:
        """Volume with these values in its lines and zero elsewhere."""
        volume = np.zeros(self.shape, np.float32)
        _unpack(values, self.spans, volume)
        return volume


@kernel(parallel=True)
def _pack(volume: FloatArray, spans: NDArray[np.int64], values: FloatArray) -> None:
    for i in prange(volume.shape[0]):
        for j in range(volume.shape[1]):
            first, stop, at = spans[i, j]
            values[at : at + stop - first] = volume[i, j, first:stop]


@kernel(parallel=True)
def _unpack(values: FloatArray, spans: NDArray[np.int64], volume: FloatArray) -> None:
    for i in prange(volume.shape[0]):
        for j in range(volume.shape[1]):
            first, stop, at = spans[i, j]
            volume[i, j, first:stop] = values[at : at + stop - first]
