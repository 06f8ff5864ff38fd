"""Bipolar readout: the phase by which odd and even echoes differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.quantities import EchoTimes, Signal
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNEVEN = 0.02
ROUNDS = 3


@method(cite="10.1002/mrm.26963", memory=3)
def bipolar(signal: Signal, *, echo_times: EchoTimes) -> Signal:
    """Take out the linear phase that changes its sign from echo to echo.

    Where echoes are read out in alternating directions, delays and eddy currents add a phase ramp
    to odd echoes and take it from even ones. In three echoes at equal distances the field cancels
    from the sum of the outer phases less twice the middle one, and four times the ramp is left.
    Without a bipolar readout hardly anything changes.

    Parameters
    ----------
    signal : ndarray of complex64, shape (X, Y, Z, E)
        At least three echoes.
    echo_times : tuple of float
        In s, at equal distances.

    Returns
    -------
    ndarray of complex64, shape (X, Y, Z, E)
        Zero where the signal is not finite.

    Raises
    ------
    InputError
        There are less than three echoes, or they are not at equal distances.

    Notes
    -----
    The ramp's value in the middle of the head is known up to an eighth of a turn: a quarter turn
    between odd and even echoes is the same as none in all that is measured.

    References
    ----------
    Eckstein et al., Magn Reson Med 2018;79:2996, doi:10.1002/mrm.26963.
    """
    count = len(echo_times)
    if count < 3 or signal.shape[3] != count:
        raise InputError(
            "Echoes",
            f"bipolar needs at least 3 echoes and their times, found {signal.shape[3]}.",
            "Leave the step out.",
        )
    steps = np.diff(echo_times)
    if np.ptp(steps) > UNEVEN * steps.mean():
        raise InputError(
            "Echo times",
            f"bipolar needs equal distances, found {1000 * steps.min():.2f} to "
            f"{1000 * steps.max():.2f} ms.",
            "Leave the step out.",
        )
    signal = np.ascontiguousarray(signal, np.complex64)
    fourfold = np.empty(signal.shape[:3], np.complex64)
    _second_differences(signal, fourfold)
    ramp = _ramp(fourfold) / 4
    corrected = np.empty_like(signal)
    _turn(signal, ramp, corrected)
    return corrected


def _ramp(fourfold: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Phase at the first voxel in rad and its steps along the axes in rad/voxel."""
    gradient = np.zeros(3)
    for axis, n in enumerate(fourfold.shape):
        if n > 1:
            ahead = np.moveaxis(fourfold, axis, 0)
            gradient[axis] = np.angle(np.vdot(ahead[:-1], ahead[1:]))
    ramp = np.concatenate([[0.0], gradient])
    sums = np.empty(fourfold.shape[0], np.complex128)
    _demodulated(fourfold, ramp, sums)
    ramp[0] = np.angle(sums.sum())
    for _ in range(ROUNDS):
        normal = np.zeros((fourfold.shape[0], 4, 5))
        _normal_equations(fourfold, ramp, normal)
        total = normal.sum(axis=0)
        ramp += np.linalg.lstsq(total[:, :4], total[:, 4], rcond=1e-9)[0]
    middle = ramp[0] + ramp[1:] @ ((np.array(fourfold.shape) - 1) / 2)
    ramp[0] -= 2 * np.pi * np.round(middle / (2 * np.pi))
    return ramp


@kernel(parallel=True)
def _second_differences(signal: NDArray[np.complex64], fourfold: NDArray[np.complex64]) -> None:
    """Four times the alternating phase; as large as the magnitude."""
    nx, ny, nz, echoes = signal.shape
    for x in prange(nx):
        for y in range(ny):
            for z in range(nz):
                total = complex(0, 0)
                for e in range(1, echoes - 1):
                    a, b, c = signal[x, y, z, e - 1], signal[x, y, z, e], signal[x, y, z, e + 1]
                    product = complex(a) * complex(c) * complex(b).conjugate() ** 2
                    total += product if e % 2 == 1 else product.conjugate()
                size = abs(total)
                good = size > 0 and size - size == 0
                fourfold[x, y, z] = total * size**-0.75 if good else complex(0, 0)


@kernel(parallel=True)
def _demodulated(
    fourfold: NDArray[np.complex64], ramp: NDArray[np.float64], sums: NDArray[np.complex128]
) -> None:
    nx, ny, nz = fourfold.shape
    for x in prange(nx):
        total = complex(0, 0)
        for y in range(ny):
            for z in range(nz):
                angle = ramp[0] + ramp[1] * x + ramp[2] * y + ramp[3] * z
                total += fourfold[x, y, z] * complex(np.cos(angle), -np.sin(angle))
        sums[x] = total


@kernel(parallel=True)
def _normal_equations(
    fourfold: NDArray[np.complex64], ramp: NDArray[np.float64], normal: NDArray[np.float64]
) -> None:
    """Least squares of the angle that the ramp leaves over, plane by plane."""
    nx, ny, nz = fourfold.shape
    for x in prange(nx):
        row = np.empty(5)
        for y in range(ny):
            for z in range(nz):
                angle = ramp[0] + ramp[1] * x + ramp[2] * y + ramp[3] * z
                left = fourfold[x, y, z] * complex(np.cos(angle), -np.sin(angle))
                row[0], row[1], row[2], row[3] = 1.0, x, y, z
                row[4] = np.arctan2(left.imag, left.real)
                for i in range(4):
                    for j in range(5):
                        normal[x, i, j] += abs(left) * row[i] * row[j]


@kernel(parallel=True)
def _turn(
    signal: NDArray[np.complex64], ramp: NDArray[np.float64], corrected: NDArray[np.complex64]
) -> None:
    nx, ny, nz, echoes = signal.shape
    for x in prange(nx):
        for y in range(ny):
            for z in range(nz):
                angle = ramp[0] + ramp[1] * x + ramp[2] * y + ramp[3] * z
                back = complex(np.cos(angle), -np.sin(angle))
                for e in range(echoes):
                    value = signal[x, y, z, e]
                    turned = value * (back if e % 2 == 0 else back.conjugate())
                    good = abs(value) - abs(value) == 0
                    corrected[x, y, z, e] = turned if good else complex(0, 0)
