"""Bipolar readout: the phase by which odd and even echoes differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.numerics.compiled import kernel, prange
from napari_qsm_stroke.core.numerics.wrapped_phase import check_echoes
from napari_qsm_stroke.core.quantities import EchoTimes, Magnitude, Phase, PhaseOffset
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import FloatArray

UNEVEN = 0.02
ROUNDS = 3


@method(cite="10.1002/mrm.26963", revision=2, memory=3)
def bipolar(
    magnitude: Magnitude,
    phase: Phase,
    phase_offset: PhaseOffset | None = None,
    *,
    echo_times: EchoTimes,
) -> PhaseOffset:
    """Find the linear phase that changes its sign from echo to echo.

    Where echoes are read out in alternating directions, delays and eddy currents add a phase ramp
    to odd echoes and take it from even ones. In three echoes at equal distances the field cancels
    from the sum of the outer phases less twice the middle one, and four times the ramp is left.
    Without a bipolar readout hardly anything changes.

    Parameters
    ----------
    magnitude : ndarray of shape (X, Y, Z, E)
        At least three echoes, in any unit.
    phase : ndarray of shape (X, Y, Z, E)
        In rad, wrapped.
    phase_offset : ndarray of shape (X, Y, Z, 1) or (X, Y, Z, E), optional
        In rad; the ramps are added to it.
    echo_times : tuple of float
        In s, at equal distances.

    Returns
    -------
    ndarray of float32, shape (X, Y, Z, E)
        In rad, to be taken from the phase of each echo.

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
    check_echoes(magnitude, phase, phase_offset)
    if count < 3 or phase.shape[3] != count:
        raise InputError(
            "Echoes",
            f"bipolar needs at least 3 echoes and their times, found {phase.shape[3]}.",
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
    size, angle = (np.ascontiguousarray(a, np.float32) for a in (magnitude, phase))
    fourfold = np.empty(phase.shape[:3], np.complex64)
    _second_differences(size, angle, fourfold)
    ramp = _ramp(fourfold) / 4
    x, y, z = np.ogrid[: phase.shape[0], : phase.shape[1], : phase.shape[2]]
    plane = ramp[0] + ramp[1] * x + ramp[2] * y + ramp[3] * z
    offset = np.zeros(phase.shape, np.float32)
    if phase_offset is not None:
        offset += np.nan_to_num(phase_offset, posinf=0, neginf=0)
    offset[..., 0::2] += plane.astype(np.float32)[..., None]
    offset[..., 1::2] -= plane.astype(np.float32)[..., None]
    return offset


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
def _second_differences(
    magnitude: FloatArray, phase: FloatArray, fourfold: NDArray[np.complex64]
) -> None:
    """Four times the alternating phase; as large as the magnitude."""
    nx, ny, nz, echoes = phase.shape
    for x in prange(nx):
        for y in range(ny):
            for z in range(nz):
                total = complex(0, 0)
                for e in range(1, echoes - 1):
                    m, p = magnitude[x, y, z], phase[x, y, z]
                    size = float(m[e - 1]) * float(m[e + 1]) * float(m[e]) ** 2
                    angle = float(p[e - 1]) + float(p[e + 1]) - 2 * float(p[e])
                    sign = 1 if e % 2 == 1 else -1
                    total += size * complex(np.cos(angle), sign * np.sin(angle))
                length = abs(total)
                good = length > 0 and length - length == 0
                fourfold[x, y, z] = total * length**-0.75 if good else complex(0, 0)


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
