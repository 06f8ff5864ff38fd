"""Noise of the signal, from phase that differs between neighbours by more than anatomy explains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

MAD_TO_SD = 1.4826


def signal_noise(phase: NDArray[Any], magnitude: NDArray[Any], brain: NDArray[Any]) -> float:
    """Noise of the signal in units of the magnitude.

    From mixed differences of the phase of the first echo along all axes, which anatomy hardly
    enters: those of eight voxels, times the magnitude, whose median size tells the noise.

    Parameters
    ----------
    phase, magnitude : ndarray, shape (X, Y, Z, E)
        Phase in rad, unwrapped.
    brain : ndarray of uint8 or bool, shape (X, Y, Z)
        Where all eight voxels must lie.
    """
    values = np.full(brain.shape, np.nan, np.float32)
    first = [np.ascontiguousarray(a[..., 0], np.float32) for a in (phase, magnitude)]
    _mixed_differences(first[0], first[1], np.ascontiguousarray(brain) != 0, values)
    known = values[np.isfinite(values)]
    taps = 2.0 ** (sum(n > 1 for n in brain.shape) / 2)
    return MAD_TO_SD * float(np.median(known)) / taps if known.size else 0.0


@kernel(parallel=True)
def _mixed_differences(
    phase: FloatArray, magnitude: FloatArray, inside: NDArray[np.bool_], values: FloatArray
) -> None:
    nx, ny, nz = inside.shape
    dx, dy, dz = min(nx - 1, 1), min(ny - 1, 1), min(nz - 1, 1)
    for x in prange(nx - dx):
        for y in range(ny - dy):
            for z in range(nz - dz):
                if not inside[x, y, z]:
                    continue
                sum_, valid = 0.0, True
                for i in range(dx + 1):
                    for j in range(dy + 1):
                        for k in range(dz + 1):
                            valid &= inside[x + i, y + j, z + k]
                            sign = 1 - 2 * ((i + j + k) % 2)
                            sum_ += sign * phase[x + i, y + j, z + k]
                if valid:
                    values[x, y, z] = math.fabs(sum_ * magnitude[x, y, z])
