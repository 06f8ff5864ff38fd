"""The passes of one iteration of total variation, each over the volume once.

Two real volumes travel through one complex transform: into k-space go the field of the model as
real part and the pull of the penalties as imaginary part; back come the susceptibility and its
field (``dipole_solver``). The shrunken gradient is never stored: with ``v = grad x + s`` the new
dual is ``clip(v)`` and the shrunken gradient less the dual is ``v - 2 clip(v)``, so that ``v``
alone is kept. Differences are periodic; the frame's padding parts the sides.

The field and its weight are known in the mask alone, and there the change is looked at: of these
the lines of the mask are held (``MaskRows``).

A relaxation above 1 takes each step further than it asks for (Eckstein & Bertsekas, Math Program
1992;55:293, doi:10.1007/BF01581204): 1.7 halves the number of iterations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.numerics.fourier import Shape
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Step = tuple[float, float, float]
Penalties = tuple[float, float, float]
ALL_COSTLY = 7
INSIDE = 8
"""Bit of a voxel of the mask; bits 1, 2, 4: the step to the next voxel along X, Y, Z costs."""


def costly_edges(inside: NDArray[np.bool_]) -> ByteArray:
    """Bits of each voxel: the steps between two voxels of the mask, and the mask itself."""
    edges = inside.astype(np.uint8) * np.uint8(INSIDE)
    for axis in range(3):
        both = inside & np.roll(inside, -1, axis)
        edges += both.astype(np.uint8) << np.uint8(axis)
    return edges


def difference_power(
    shape: Shape, step: Step
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Squared size of the spectrum of the forward difference along each axis, in 1/mm^2."""
    x, y, z = (
        ((2 - 2 * np.cos(2 * math.pi * np.arange(n) / n)) / d**2).astype(np.float32)
        for n, d in zip(shape, step, strict=True)
    )
    return x, y, z


@routine
def _shrunk(value: Any, edge: Any, axis: Any, low: Any, rise: Any) -> Any:
    """Shrunken gradient less its dual; the limit of the dual without a look-up."""
    limit = low + rise * np.float32((edge >> axis) & 1)
    return value - np.float32(2) * min(max(value, -limit), limit)


@routine
def _relaxed(value: Any, edge: Any, axis: Any, low: Any, rise: Any, new: Any, more: Any) -> Any:
    limit = low + rise * np.float32((edge >> axis) & 1)
    clipped = min(max(value, -limit), limit)
    return clipped + more * new + (np.float32(1) - more) * (value - clipped)


@kernel(parallel=True, fastmath=True)
def step_duals(
    packed: NDArray[np.complex64],
    before: FloatArray,
    spans: NDArray[np.int64],
    gradient: FloatArray,
    edges: ByteArray,
    limits: FloatArray,
    step: Step,
    relaxation: float = 1.0,
) -> tuple[float, float]:
    """Add the gradient of the real part to the clipped duals; keep the real part in ``before``.

    ``before`` has the lines of the mask that ``spans`` tell, ``limits`` are those of the dual for
    free and for costly edges.

    Returns
    -------
    change, size : float
        Norms of the change since the last call and of the real part, in the mask.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    low, rise, more = limits[0], limits[1] - limits[0], np.float32(relaxation)
    changes, sizes = np.zeros(nx), np.zeros(nx)
    for i in prange(nx):
        # rows of real parts, the first voxel again at their end: loops over them are vectors
        here, ahead_x = np.empty(nz + 1, np.float32), np.empty(nz, np.float32)
        ahead_y = np.empty(nz, np.float32)
        for j in range(ny):
            here[:nz] = packed[i, j].real
            here[nz] = here[0]
            ahead_x[:] = packed[(i + 1) % nx, j].real
            ahead_y[:] = packed[i, (j + 1) % ny].real
            vx, vy, vz = gradient[0, i, j], gradient[1, i, j], gradient[2, i, j]
            row = edges[i, j]
            # one array written in each loop: with more, the compiler fears that they overlap
            for k in range(nz):
                slope = (ahead_x[k] - here[k]) * hx
                vx[k] = _relaxed(vx[k], row[k], 0, low, rise, slope, more)
            for k in range(nz):
                slope = (ahead_y[k] - here[k]) * hy
                vy[k] = _relaxed(vy[k], row[k], 1, low, rise, slope, more)
            for k in range(nz):
                slope = (here[k + 1] - here[k]) * hz
                vz[k] = _relaxed(vz[k], row[k], 2, low, rise, slope, more)
            first, stop, at = spans[i, j]
            own, now = row[first:stop], here[first:stop]
            old = before[at : at + stop - first]
            change, size = np.float32(0), np.float32(0)
            for k in range(stop - first):
                inside = np.float32(own[k] >> 3)
                change += inside * (now[k] - old[k]) * (now[k] - old[k])
                size += inside * now[k] * now[k]
            old[:] = now
            changes[i] += change
            sizes[i] += size
    return math.sqrt(changes.sum()), math.sqrt(sizes.sum())


@kernel(parallel=True, fastmath=True)
def descend(
    packed: NDArray[np.complex64],
    gradient: FloatArray,
    dual: FloatArray,
    support: FloatArray,
    field: FloatArray,
    weight: FloatArray,
    spans: NDArray[np.int64],
    edges: ByteArray,
    limits: FloatArray,
    step: Step,
    penalties: Penalties,
    relaxation: float = 1.0,
) -> None:
    """Make the next pair (model field, pull) in place of (susceptibility, its field).

    ``field`` and ``weight`` have the lines of the mask that ``spans`` tell. ``dual`` is that of the
    field; where the field has no weight, and so no dual, it holds the fitted field. With a penalty
    of the support the susceptibility is held at zero outside the mask, and ``support`` is the dual
    of that; without one it is not looked at.
    """
    nx, ny, nz = packed.shape
    hx, hy, hz = np.float32(1 / step[0]), np.float32(1 / step[1]), np.float32(1 / step[2])
    a, b, c = np.float32(penalties[0]), np.float32(penalties[1]), np.float32(penalties[2])
    low, rise, more = limits[0], limits[1] - limits[0], np.float32(relaxation)
    one, two, tiny = np.float32(1), np.float32(2), np.float32(1e-20)
    for i in prange(nx):
        pull, shrunk = np.empty(nz, np.float32), np.empty(nz + 1, np.float32)
        x, model = np.empty(nz, np.float32), np.empty(nz, np.float32)
        for j in range(ny):
            row, row_x, row_y = edges[i, j], edges[(i - 1) % nx, j], edges[i, (j - 1) % ny]
            vx, last_x = gradient[0, i, j], gradient[0, (i - 1) % nx, j]
            vy, last_y = gradient[1, i, j], gradient[1, i, (j - 1) % ny]
            vz = gradient[2, i, j]
            for k in range(nz):
                shrunk[k + 1] = _shrunk(vz[k], row[k], 2, low, rise)
            shrunk[0] = shrunk[nz]
            for k in range(nz):
                px = _shrunk(vx[k], row[k], 0, low, rise)
                py = _shrunk(vy[k], row[k], 1, low, rise)
                qx = _shrunk(last_x[k], row_x[k], 0, low, rise)
                qy = _shrunk(last_y[k], row_y[k], 1, low, rise)
                qz = shrunk[k] - shrunk[k + 1]
                pull[k] = a * ((qx - px) * hx + (qy - py) * hy + qz * hz)
            if c > 0:
                held = support[i, j]
                x[:] = packed[i, j].real
                for k in range(nz):
                    inside = np.float32(row[k] >> 3)
                    outside = (one - inside) * (x[k] + held[k])
                    pull[k] += c * (inside * x[k] - outside)
                    held[k] = inside * held[k] + outside
            model[:] = packed[i, j].imag
            first, stop, at = spans[i, j]
            whole, pair = dual[i, j], packed[i, j]
            for part in ((0, first), (stop, nz)):
                for k in range(part[0], part[1]):
                    y = more * model[k] + (one - more) * whole[k]
                    whole[k] = y
                    pair[k] = complex(y, pull[k])
            pair, d, m, p = pair[first:stop], whole[first:stop], model[first:stop], pull[first:stop]
            w, f = weight[at : at + stop - first], field[at : at + stop - first]
            for k in range(stop - first):
                known = w[k] > 0
                last = f[k] + d[k] * b / max(w[k], tiny) if known else d[k]
                y = more * m[k] + (one - more) * last + (d[k] if known else np.float32(0))
                fitted = (w[k] * f[k] + b * y) / (w[k] + b)
                d[k] = y - fitted if known else y
                pair[k] = complex(two * fitted - y, p[k])
