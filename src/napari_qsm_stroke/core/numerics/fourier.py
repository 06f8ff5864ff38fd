"""Transforms in single precision on all cores, and the smoothing that is done with them.

scipy keeps float32 as it comes. The half grid of ``rfftn`` has shape (X, Y, Z // 2 + 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

Shape = tuple[int, int, int]
ALL_CORES = -1


def fast_shape(shape: Sequence[int], margin: Sequence[int] = (0, 0, 0)) -> Shape:
    """Smallest shape, at least ``shape`` plus ``margin``, whose transforms are fast.

    All axes follow one rule, that of the real transform: else the shape, and with it the result,
    would depend on the order of the axes.
    """
    x, y, z = (
        int(scipy.fft.next_fast_len(n + m, real=True)) for n, m in zip(shape, margin, strict=True)
    )
    return (x, y, z)


def forward(volume: FloatArray) -> NDArray[np.complex64]:
    """Half-grid spectrum of a real volume."""
    spectrum: NDArray[np.complex64] = scipy.fft.rfftn(volume, workers=ALL_CORES)
    return spectrum


def backward(spectrum: NDArray[np.complex64], shape: Shape) -> FloatArray:
    """Real volume of that shape from its half-grid spectrum, which is used up."""
    volume: FloatArray = scipy.fft.irfftn(spectrum, shape, workers=ALL_CORES, overwrite_x=True)
    return volume


def forward_packed(packed: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Spectrum of a complex volume, made in its place: two real volumes at the price of one."""
    spectrum: NDArray[np.complex64] = scipy.fft.fftn(packed, workers=ALL_CORES, overwrite_x=True)
    return spectrum


def backward_packed(spectrum: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Complex volume from its spectrum, made in its place."""
    packed: NDArray[np.complex64] = scipy.fft.ifftn(spectrum, workers=ALL_CORES, overwrite_x=True)
    return packed


def spectral_mean(half: NDArray[np.floating[Any]], shape: Shape) -> float:
    """Mean over the whole spectrum of what is even in k and given on the half grid.

    The mean over the half grid itself would count the plane of k_z = 0 twice, and so depend on
    the order of the axes.
    """
    planes = half.sum(axis=(0, 1), dtype=np.float64)
    alone = planes[0] + (planes[-1] if shape[2] % 2 == 0 else 0.0)
    return float((2 * planes.sum() - alone) / np.prod(shape))


def gaussian_axes(
    shape: Shape, voxel_size: Sequence[float], sigma: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Spectrum of a Gaussian of ``sigma`` mm as three factors that multiply by broadcasting."""
    factors = []
    for axis, (n, d) in enumerate(zip(shape, voxel_size, strict=True)):
        view = [1, 1, 1]
        view[axis] = n
        k = np.fft.fftfreq(n, d)
        factors.append(np.exp(-2 * (np.pi * sigma * k) ** 2).astype(np.float32).reshape(view))
    x, y, z = factors
    return x, y, z


def smooth_complex(
    packed: NDArray[np.complex64], voxel_size: Sequence[float], sigma: float
) -> NDArray[np.complex64]:
    """Convolve a complex volume with a Gaussian of ``sigma`` mm, zero outside the volume.

    Two real volumes are smoothed at once as real and imaginary part.
    """
    shape = (packed.shape[0], packed.shape[1], packed.shape[2])
    margin = [int(np.ceil(3 * sigma / d)) for d in voxel_size]
    padded = fast_shape(shape, margin)
    buffer = np.zeros(padded, np.complex64)
    inside = tuple(slice(n) for n in shape)
    buffer[inside] = packed
    buffer = forward_packed(buffer)
    for factor in gaussian_axes(padded, voxel_size, sigma):
        buffer *= factor
    return np.ascontiguousarray(backward_packed(buffer)[inside])
