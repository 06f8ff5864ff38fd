"""What spherical means start from and end with: the centred field, the deep part, the rim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_qsm_stroke.core.background.rim import extend_to_rim
from napari_qsm_stroke.core.background.spherical_means import TOUCHING, room_in
from napari_qsm_stroke.core.numerics.frame import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Rim = Literal["extended", "lost"]
Size = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class BrainBox:
    """The total field in the frame of the brain, less its mean there.

    Attributes
    ----------
    frame : Frame
        Of the brain.
    field : ndarray of float32, shape ``frame.shape``
        In ppm; zero outside the brain. A constant is harmonic: no local field goes with it.
    inside : ndarray of uint8, shape ``frame.shape``
        Where the brain is and its field is finite.
    voxel_size : tuple of float
        In mm.
    """

    frame: Frame
    field: FloatArray
    inside: ByteArray
    voxel_size: Size

    @classmethod
    def of(
        cls,
        total_field: FloatArray,
        brain: ByteArray,
        voxel_size: Size,
        margin: tuple[int, int, int] = (0, 0, 0),
    ) -> BrainBox:
        """Cut the box out, with at least ``margin`` voxels of zeros behind it.

        Raises
        ------
        InputError
            The brain is empty.
        """
        frame = Frame.around(brain, margin)
        field = frame.cut(total_field, brain)
        inside = np.zeros(frame.shape, np.uint8)
        inside[frame.core] = (brain[frame.box] != 0) & np.isfinite(total_field[frame.box])
        count = max(int(inside.sum(dtype=np.int64)), 1)
        field -= np.float32(field.sum(dtype=np.float64) / count) * inside
        return cls(frame, field, inside, voxel_size)

    def room(self, most: float) -> FloatArray:
        """Distance in mm to the nearest voxel outside the brain, in the box alone, to ``most``."""
        return room_in(self.inside[self.frame.core], self.voxel_size, most)

    def deeper_than(self, radius: float) -> NDArray[np.bool_]:
        """Voxels about which a ball of that radius fits into the brain."""
        deep = np.zeros(self.frame.shape, bool)
        deep[self.frame.core] = self.room(radius) > radius + TOUCHING
        return deep

    def finish(
        self, local: FloatArray, known: NDArray[np.bool_], rim: Rim
    ) -> tuple[FloatArray, ByteArray]:
        """Local field and field mask on the full grid, with the rim or without it.

        Parameters
        ----------
        local : ndarray of float32, shape ``frame.shape``
            In ppm, where it is known.
        known : ndarray of bool, shape ``frame.shape``
            Where that is.
        rim : {"extended", "lost"}
            What becomes of the rest of the brain. Where nothing is known, nothing is extended.
        """
        core = self.frame.core
        inside, deep = self.inside[core], known[core]
        result = np.where(deep, local[core], np.float32(0))
        if rim == "extended" and deep.any():
            result = extend_to_rim(
                np.ascontiguousarray(self.field[core]), result, deep, inside, self.voxel_size
            )
            deep = inside != 0
        field = np.zeros(self.frame.full, np.float32)
        mask = np.zeros(self.frame.full, np.uint8)
        field[self.frame.box], mask[self.frame.box] = result, deep
        return field, mask


def radius_of_ball(radius: float, voxel_size: Size) -> float:
    """Radius in mm, at least one voxel along each axis: a ball within a slice is no ball."""
    return max(radius, *voxel_size)
