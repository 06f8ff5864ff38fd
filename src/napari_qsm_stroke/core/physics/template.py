"""A head in template space: what anatomy is made from and brought to the subject from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray


@dataclass(frozen=True, eq=False)
class HeadTemplate:
    """Images of one head in RAS+ order, shape (X, Y, Z) each.

    Parameters
    ----------
    t1 : ndarray of float32
        T1-weighted image of the brain, in arbitrary units; 0 outside.
    gm, wm : ndarray of float32
        Probability of grey and of white matter, 0 to 1.
    brain : ndarray of uint8
        Brain mask.
    territories : ndarray of uint8
        Arterial territories, labels of ``core.quantities.LABELS``.
    affine : ndarray of float64, shape (4, 4)
        Voxel index to template coordinates in mm.
    """

    t1: FloatArray
    gm: FloatArray
    wm: FloatArray
    brain: ByteArray
    territories: ByteArray
    affine: NDArray[np.float64]
