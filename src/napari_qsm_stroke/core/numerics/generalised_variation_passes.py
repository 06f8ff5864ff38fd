"""The two passes of a primal-dual step for total generalised variation under a wave equation.

Volumes are flat and carry a voxel of zeros on each side, so that a neighbour is an offset away;
vectors are rows of such volumes. Each loop writes to one array: with more, the compiler fears that
they overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import inner, kernel, prange, routine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

PAIRS = ((0, 1), (0, 2), (1, 2))
FACES = np.array(PAIRS)
OTHERS = np.array(((1, 2, 0, 1), (0, 2, 0, 2), (0, 1, 1, 2)))
"""For each axis the two others, and the faces that it makes with them."""
STEPS, BENDS, SHEARS, SOLVED = 0, 3, 6, 9
"""Rows of the masks: the step to the next voxel along X, Y, Z; both steps that meet in a voxel;
the four voxels towards XY, XZ, YZ; and where the equation is to hold."""


@inner
def _at(place: Any) -> Any:
    """Index that cannot be negative: numba then asks no questions, and loops run on vectors."""
    return np.uint64(place)


@inner
def _clip(value: Any, limit: Any) -> Any:
    return min(max(value, -limit), limit)


@routine
def _apply(a: Any, start: Any, count: Any, sx: Any, sy: Any, c: Any, out: Any) -> None:
    """A stencil on a row of a flat volume."""
    row = a[start - 1 : start + count + 1]
    xp, xm = a[start + sx - 1 :], a[start - sx - 1 :]
    yp, ym = a[start + sy - 1 :], a[start - sy - 1 :]
    pp, mm = a[start + sx + sy :], a[start - sx - sy :]
    pm, mp = a[start + sx - sy :], a[start - sx + sy :]
    for t in range(count):
        out[t] = (
            c[0] * row[t + 1]
            + c[1] * (xp[t + 1] + xm[t + 1])
            + c[2] * (yp[t + 1] + ym[t + 1])
            + c[3] * (row[t + 2] + row[t])
            + c[4] * (pp[t] + mm[t])
            + c[5] * (xp[t + 2] + xm[t])
            + c[6] * (yp[t + 2] + ym[t])
            + c[7] * (pm[t] + mp[t])
            + c[8] * (xp[t] + xm[t + 2])
            + c[9] * (yp[t] + ym[t + 2])
        )


@routine
def _raise_slope(
    p: Any, x: Any, v: Any, free: Any, own: Any, bit: Any, start: Any, count: Any, s: Any,
    limit: Any, rate: Any, h: Any,
) -> None:  # fmt: skip
    """Dual of the step along one axis; ``own`` and ``bit`` are where its volume and mask begin."""
    for t in range(start, start + count):
        n = _at(own + t)
        slope = (x[_at(t + s)] - x[_at(t)]) * h - v[n]
        p[n] = _clip(p[n] + rate * slope, limit * np.float32(free[_at(bit + t)]))


@routine
def _raise_bend(
    q: Any, v: Any, free: Any, own: Any, bit: Any, start: Any, count: Any, s: Any,
    limit: Any, rate: Any, h: Any,
) -> None:  # fmt: skip
    """Dual of the change of a gradient along its own axis."""
    for t in range(start, start + count):
        n = _at(own + t)
        bend = (v[n] - v[_at(own + t - s)]) * h
        q[n] = _clip(q[n] + rate * bend, limit * np.float32(free[_at(bit + t)]))


@routine
def _raise_shear(
    q: Any, v: Any, free: Any, own: Any, bit: Any, one: Any, two: Any, start: Any, count: Any,
    s: Any, o: Any, limit: Any, rate: Any, h: Any, g: Any,
) -> None:  # fmt: skip
    """Dual of the change of two gradients, each along the axis of the other."""
    for t in range(start, start + count):
        n = _at(own + t)
        shear = (v[_at(one + t + o)] - v[_at(one + t)]) * g
        shear += (v[_at(two + t + s)] - v[_at(two + t)]) * h
        q[n] = _clip(q[n] + rate * shear, limit * np.float32(free[_at(bit + t)]))


@routine
def _raise_equation(
    r: Any, left: Any, waved: Any, source: Any, free: Any, bit: Any, start: Any, rate: Any
) -> None:
    for t in range(left.size):
        n = _at(start + t)
        step = rate * (left[t] - waved[t] + source[n])
        r[n] = (r[n] + step) * np.float32(free[_at(bit + start + t)])


@kernel(parallel=True)
def raise_duals(
    x: FloatArray,
    u: FloatArray,
    v: FloatArray,
    p: FloatArray,
    q: FloatArray,
    r: FloatArray,
    source: FloatArray,
    masks: ByteArray,
    rows: NDArray[np.int64],
    strides: NDArray[np.int64],
    stencils: FloatArray,
    limits: FloatArray,
    rates: FloatArray,
    inverse: FloatArray,
) -> None:
    """Step up in the duals p, q and r from the extrapolated x, u and v, row by row.

    ``rows`` holds the first voxel and the number of voxels of each row, ``stencils`` those of the
    Laplacian and of the wave operator, ``inverse`` one over the voxel size.
    """
    size = x.size
    for index in prange(rows.shape[0]):
        start, count = rows[index, 0], rows[index, 1]
        for d in range(3):
            _raise_slope(
                p, x, v, masks, d * size, (STEPS + d) * size, start, count, strides[d],
                limits[0], rates[0], inverse[d],
            )  # fmt: skip
            _raise_bend(
                q, v, masks, d * size, (BENDS + d) * size, start, count, strides[d],
                limits[1], rates[1], inverse[d],
            )  # fmt: skip
        for m in range(3):
            d, e = FACES[m, 0], FACES[m, 1]
            _raise_shear(
                q, v, masks, (3 + m) * size, (SHEARS + m) * size, d * size, e * size, start,
                count, strides[d], strides[e], limits[1], rates[1], inverse[d], inverse[e],
            )  # fmt: skip
        left, waved = np.empty(count, np.float32), np.empty(count, np.float32)
        _apply(u, start, count, strides[0], strides[1], stencils[0], left)
        _apply(x, start, count, strides[0], strides[1], stencils[1], waved)
        _raise_equation(r, left, waved, source, masks, SOLVED * size, start, rates[2])


@routine
def _pull_slope(
    pull: Any, p: Any, q: Any, size: Any, d: Any, start: Any, strides: Any, h: Any
) -> None:
    """What the duals ask of the smooth gradient along axis d."""
    e, f = OTHERS[d, 0], OTHERS[d, 1]
    own, one, two = d * size, (3 + OTHERS[d, 2]) * size, (3 + OTHERS[d, 3]) * size
    s, se, sf = strides[d], strides[e], strides[f]
    hd, he, hf = h[d], h[e], h[f]
    for t in range(pull.size):
        n = _at(start + t)
        change = (q[_at(own + n)] - q[_at(own + n + s)]) * hd - p[_at(own + n)]
        change += (q[_at(one + n - se)] - q[_at(one + n)]) * he
        change += (q[_at(two + n - sf)] - q[_at(two + n)]) * hf
        pull[t] = change


@routine
def _pull_value(pull: Any, p: Any, size: Any, start: Any, strides: Any, h: Any) -> None:
    """What the duals ask of the susceptibility; ``pull`` holds the wave operator of the last."""
    sx, sy, sz = strides[0], strides[1], strides[2]
    hx, hy, hz = h[0], h[1], h[2]
    for t in range(pull.size):
        n = start + t
        change = (p[_at(n - sx)] - p[_at(n)]) * hx - pull[t]
        change += (p[_at(size + n - sy)] - p[_at(size + n)]) * hy
        pull[t] = change + (p[_at(2 * size + n - sz)] - p[_at(2 * size + n)]) * hz


@routine
def _go(value: Any, ahead: Any, pull: Any, kept: Any, own: Any, bit: Any, rate: Any) -> None:
    """Step down a row, and the same step once more ahead; no loop writes to two arrays."""
    two, half = np.float32(2), np.float32(0.5)
    for t in range(pull.size):
        n = _at(own + t)
        new = (value[n] - rate * pull[t]) * np.float32(kept[_at(bit + t)])
        ahead[n] = two * new - value[n]
    for t in range(pull.size):
        n = _at(own + t)
        value[n] = half * (value[n] + ahead[n])


@kernel(parallel=True)
def descend(
    x: FloatArray,
    u: FloatArray,
    v: FloatArray,
    ahead_x: FloatArray,
    ahead_u: FloatArray,
    ahead_v: FloatArray,
    p: FloatArray,
    q: FloatArray,
    r: FloatArray,
    inside: ByteArray,
    kept: FloatArray,
    masks: ByteArray,
    rows: NDArray[np.int64],
    strides: NDArray[np.int64],
    stencils: FloatArray,
    rates: FloatArray,
    inverse: FloatArray,
) -> None:
    """Step down in x, u and v, and extrapolate each by the same step once more.

    ``kept`` is the part of u that its weight leaves in such a step.
    """
    size = x.size
    for index in prange(rows.shape[0]):
        start, count = rows[index, 0], rows[index, 1]
        pull = np.empty(count, np.float32)
        _apply(r, start, count, strides[0], strides[1], stencils[0], pull)
        _go(u, ahead_u, pull, kept, start, start, rates[1])
        _apply(r, start, count, strides[0], strides[1], stencils[1], pull)
        _pull_value(pull, p, size, start, strides, inverse)
        _go(x, ahead_x, pull, inside, start, start, rates[0])
        for d in range(3):
            _pull_slope(pull, p, q, size, d, start, strides, inverse)
            _go(v, ahead_v, pull, masks, d * size + start, (STEPS + d) * size + start, rates[2])
