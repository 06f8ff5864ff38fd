"""From susceptibility to the measured signal.

The field is a convolution with the unit dipole on a padded grid; the signal of an acquired voxel
is the mean of the complex signals of the fine voxels in it, each with its own field: what is lost
to dephasing within a voxel is lost as in the scanner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.fourier import backward, fast_shape, forward
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second

MARGIN_MM = 32.0

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray


def field_of(
    susceptibility: FloatArray,
    *,
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    b0_dir: tuple[float, float, float] = (0.0, 0.0, 1.0),
    margin: float = MARGIN_MM,
) -> FloatArray:
    """Field of a susceptibility distribution in empty space.

    Parameters
    ----------
    susceptibility : ndarray of float32
        In ppm against what lies outside the array.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    margin : float
        Empty space in mm added behind each axis against the periodicity of the transform.

    Returns
    -------
    ndarray of float32
        Field offset in ppm, with the sphere of Lorentz taken out.
    """
    space = Space(susceptibility.shape, voxel_size, b0_dir, margin)
    return space.field_of(susceptibility)


class Space:
    """Room for several distributions of one shape: the dipole kernel is made once.

    Parameters
    ----------
    shape : tuple of int
        Of the distributions.
    voxel_size, b0_dir, margin
        As for ``field_of``.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        voxel_size: tuple[float, float, float],
        b0_dir: tuple[float, float, float],
        margin: float = MARGIN_MM,
    ) -> None:
        self.padded = fast_shape(shape, [int(np.ceil(margin / d)) for d in voxel_size])
        self.kernel = dipole_kernel(self.padded, voxel_size, b0_dir)

    def field_of(self, susceptibility: FloatArray) -> FloatArray:
        """Field offset in ppm of a distribution in ppm."""
        inside = tuple(slice(n) for n in susceptibility.shape)
        buffer = np.zeros(self.padded, np.float32)
        buffer[inside] = susceptibility
        spectrum = forward(buffer)
        del buffer
        spectrum *= self.kernel
        return backward(spectrum, self.padded)[inside]


def solid_harmonics(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fields that shim coils of first and second order make, at points of shape (n, 3).

    Returns
    -------
    ndarray of float64, shape (n, 9)
    """
    x, y, z = points.T
    one = np.ones_like(x)
    return np.stack(
        [one, x, y, z, x * y, y * z, z * x, x * x - y * y, 2 * z * z - x * x - y * y], axis=1
    )


def shim(
    field: FloatArray, mask: NDArray[np.bool_], affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Coefficients of ``solid_harmonics`` that come nearest to a field within a mask."""
    index = np.argwhere(mask)[::7]
    points = index @ affine[:3, :3].T + affine[:3, 3]
    values = field[tuple(index.T)].astype(np.float64)
    coefficients: NDArray[np.float64] = np.linalg.lstsq(
        solid_harmonics(points / 100), values, rcond=None
    )[0]
    return coefficients


def harmonic_field(
    coefficients: NDArray[np.float64], affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> FloatArray:
    """Sum of ``solid_harmonics`` on a grid."""
    out = np.empty(shape, np.float32)
    _harmonics(np.ascontiguousarray(coefficients), np.ascontiguousarray(affine), out)
    return out


def echo_signals(
    field: FloatArray,
    signal: FloatArray,
    r2star: FloatArray,
    *,
    parts: tuple[int, int, int],
    echo_times: tuple[float, ...],
    field_strength: float,
) -> NDArray[np.complex64]:
    """Mean complex signal of the fine voxels within each acquired voxel, at each echo.

    Parameters
    ----------
    field : ndarray of float32
        Field offset in ppm on the fine grid.
    signal : ndarray of float32
        Signal at TE 0 on the fine grid.
    r2star : ndarray of float32
        Decay in 1/s on the fine grid.
    parts : tuple of int
        Fine voxels per acquired voxel along each axis.
    echo_times : tuple of float
        In s.
    field_strength : float
        In T.

    Returns
    -------
    ndarray of complex64, shape (X, Y, Z, echo)
    """
    coarse = [n // p for n, p in zip(field.shape, parts, strict=True)]
    out = np.empty((*coarse, len(echo_times)), np.complex64)
    speed = radians_per_ppm_second(field_strength)
    times = np.array(echo_times, dtype=np.float32)
    _echoes(field, signal, r2star, np.array(parts), times, np.float32(speed), out)
    return out


@kernel(parallel=True)
def _harmonics(coefficients: Any, affine: Any, out: Any) -> None:
    nx, ny, nz = out.shape
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                x = (affine[0, 0] * i + affine[0, 1] * j + affine[0, 2] * k + affine[0, 3]) / 100
                y = (affine[1, 0] * i + affine[1, 1] * j + affine[1, 2] * k + affine[1, 3]) / 100
                z = (affine[2, 0] * i + affine[2, 1] * j + affine[2, 2] * k + affine[2, 3]) / 100
                out[i, j, k] = (
                    coefficients[0]
                    + coefficients[1] * x
                    + coefficients[2] * y
                    + coefficients[3] * z
                    + coefficients[4] * x * y
                    + coefficients[5] * y * z
                    + coefficients[6] * z * x
                    + coefficients[7] * (x * x - y * y)
                    + coefficients[8] * (2 * z * z - x * x - y * y)
                )


@kernel(parallel=True, fastmath=True)
def _echoes(
    field: Any, signal: Any, r2star: Any, parts: Any, times: Any, speed: Any, out: Any
) -> None:
    nx, ny, nz, count = out.shape
    px, py, pz = parts
    share = np.float32(1.0 / (px * py * pz))
    for i in prange(nx):
        for j in range(ny):
            for k in range(nz):
                for e in range(count):
                    real = np.float32(0)
                    imaginary = np.float32(0)
                    for a in range(px):
                        for b in range(py):
                            for c in range(pz):
                                u, v, w = i * px + a, j * py + b, k * pz + c
                                if signal[u, v, w] > 0:
                                    size = signal[u, v, w] * np.exp(-r2star[u, v, w] * times[e])
                                    angle = speed * field[u, v, w] * times[e]
                                    real += size * np.cos(angle)
                                    imaginary += size * np.sin(angle)
                    out[i, j, k, e] = complex(real * share, imaginary * share)
