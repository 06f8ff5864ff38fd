"""The box that heavy work is done in: cut to the mask, padded to a fast length, put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.fourier import Shape, fast_shape
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """A box of a full grid, with zeros behind its far faces.

    The padding lies on one side only: for periodic transforms that parts both sides.

    Attributes
    ----------
    full : tuple of int
        Shape of the grid that the box was cut from.
    box : tuple of slice
        Where the box lies in it.
    shape : tuple of int
        Shape of the padded box.
    """

    full: Shape
    box: tuple[slice, slice, slice]
    shape: Shape

    @classmethod
    def around(cls, mask: NDArray[Any], margin: Sequence[int] = (0, 0, 0)) -> Frame:
        """Box of all voxels of ``mask`` with at least ``margin`` voxels of zeros behind it.

        Raises
        ------
        InputError
            The mask is empty.
        """
        filled = mask != 0
        planes = filled.any(axis=0)
        spans = []
        for line in (filled.any(axis=(1, 2)), planes.any(axis=1), planes.any(axis=0)):
            places = np.flatnonzero(line)
            if places.size == 0:
                raise InputError(
                    "Mask", "it is empty: expected at least one voxel, found 0.", "Draw the mask."
                )
            spans.append(slice(int(places[0]), int(places[-1]) + 1))
        x, y, z = spans
        size = [s.stop - s.start for s in spans]
        full = (mask.shape[0], mask.shape[1], mask.shape[2])
        return cls(full, (x, y, z), fast_shape(size, margin))

    @property
    def core(self) -> tuple[slice, slice, slice]:
        """Where the box lies in its padded self."""
        x, y, z = (slice(s.stop - s.start) for s in self.box)
        return (x, y, z)

    def cut(
        self, array: NDArray[Any], mask: NDArray[Any] | None = None, dtype: Any = np.float32
    ) -> NDArray[Any]:
        """Padded copy of the box; zero outside ``mask`` and wherever a value is not finite."""
        padded = np.zeros(self.shape, dtype)
        view = padded[self.core]
        source = array[self.box]
        keep = np.isfinite(source)
        if mask is not None:
            keep &= mask[self.box] != 0
        np.copyto(view, source, where=keep, casting="unsafe")
        return padded

    def paste(self, padded: NDArray[Any]) -> NDArray[Any]:
        """Full grid with the box in its place and zeros around it."""
        whole = np.zeros(self.full, padded.dtype)
        whole[self.box] = padded[self.core]
        return whole


def millimetres(distance: float, voxel_size: Sequence[float]) -> tuple[int, int, int]:
    """Distance in mm as whole voxels along each axis, rounded up."""
    x, y, z = (int(np.ceil(distance / d - 1e-6)) for d in voxel_size)
    return (x, y, z)
