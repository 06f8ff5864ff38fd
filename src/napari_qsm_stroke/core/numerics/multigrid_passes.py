"""The passes of one multigrid cycle for a screened Poisson equation, each over a grid once.

Arrays carry one voxel of zeros on each side. Each pass is written for one plane: large grids share
their planes among threads, small ones are done by one thread, since many would only wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_qsm_stroke.core.numerics.compiled import kernel, prange, routine

if TYPE_CHECKING:
    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

Spans = NDArray[np.int32]
"""Of each line along the last axis two parts that hold all voxels inside: their first voxels and
the first behind each. The second part is empty unless there is a wide gap."""
Factors = tuple[int, int, int]
"""Cells along each axis that make one of the next coarser grid: 1 or 2."""
Weights = tuple[np.float32, np.float32]
"""Of two Jacobi steps that follow each other."""


@routine
def _start_plane(
    i: Any,
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    first: Any,
    second: Any,
    u: FloatArray,
) -> None:
    """Two Jacobi steps from zero in one."""
    ny = u.shape[1]
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    inverse = np.float32(1) / (np.float32(2) * (wx + wy + wz) + couplings[3])
    own = inverse * (first + second - first * second)
    near = inverse * inverse * first * second
    wx, wy, wz = near * wx, near * wy, near * wz
    for j in range(1, ny - 1):
        for part in range(0, 4, 2):
            for k in range(spans[i, j, part], spans[i, j, part + 1]):
                u[i, j, k] = np.float32(inside[i, j, k]) * (
                    own * source[i, j, k]
                    + wx * (source[i - 1, j, k] + source[i + 1, j, k])
                    + wy * (source[i, j - 1, k] + source[i, j + 1, k])
                    + wz * (source[i, j, k - 1] + source[i, j, k + 1])
                )


@kernel(parallel=True)
def start(
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    first: Any,
    second: Any,
    u: FloatArray,
) -> None:
    """Two Jacobi steps from zero in one."""
    for i in prange(1, u.shape[0] - 1):
        _start_plane(i, source, inside, spans, couplings, first, second, u)


@routine
def _relax_plane(
    i: Any,
    u: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    weight: Any,
    out: FloatArray,
) -> None:
    """One Jacobi step from u into ``out``."""
    ny = u.shape[1]
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    scale = weight / (np.float32(2) * (wx + wy + wz) + couplings[3])
    wx, wy, wz = scale * wx, scale * wy, scale * wz
    keep = np.float32(1) - weight
    for j in range(1, ny - 1):
        for part in range(0, 4, 2):
            for k in range(spans[i, j, part], spans[i, j, part + 1]):
                out[i, j, k] = np.float32(inside[i, j, k]) * (
                    keep * u[i, j, k]
                    + scale * source[i, j, k]
                    + wx * (u[i - 1, j, k] + u[i + 1, j, k])
                    + wy * (u[i, j - 1, k] + u[i, j + 1, k])
                    + wz * (u[i, j, k - 1] + u[i, j, k + 1])
                )


@kernel(parallel=True)
def relax(
    u: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    weight: Any,
    out: FloatArray,
) -> None:
    """Take one Jacobi step from u into ``out``."""
    for i in prange(1, u.shape[0] - 1):
        _relax_plane(i, u, source, inside, spans, couplings, weight, out)


@routine
def _restrict_plane(
    i: Any,
    u: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    factors: Factors,
    coarse_inside: ByteArray,
    coarse: FloatArray,
) -> None:
    """Mean of what the solution leaves of the source over the cells of each coarser one."""
    ny, nz = coarse.shape[1:]
    fx, fy, fz = factors
    mx, my = u.shape[:2]
    wx, wy, wz = couplings[0], couplings[1], couplings[2]
    centre = np.float32(2) * (wx + wy + wz) + couplings[3]
    share = np.float32(1.0 / (fx * fy * fz))
    line = np.empty(fz * nz, np.float32)
    for j in range(1, ny - 1):
        line[:] = 0
        for a in range(fx * (i - 1) + 1, min(fx * i + 1, mx - 1)):
            for b in range(fy * (j - 1) + 1, min(fy * j + 1, my - 1)):
                for part in range(0, 4, 2):
                    for c in range(spans[a, b, part], spans[a, b, part + 1]):
                        line[c] += np.float32(inside[a, b, c]) * (
                            source[a, b, c]
                            - centre * u[a, b, c]
                            + wx * (u[a - 1, b, c] + u[a + 1, b, c])
                            + wy * (u[a, b - 1, c] + u[a, b + 1, c])
                            + wz * (u[a, b, c - 1] + u[a, b, c + 1])
                        )
        for k in range(1, nz - 1):
            total = line[fz * (k - 1) + 1]
            if fz == 2:
                total += line[fz * (k - 1) + 2]
            coarse[i, j, k] = share * total * np.float32(coarse_inside[i, j, k])


@kernel(parallel=True)
def restrict(
    u: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    factors: Factors,
    coarse_inside: ByteArray,
    coarse: FloatArray,
) -> None:
    """Write the mean of what u leaves of the source, over the fine cells of each coarse one."""
    for i in prange(1, coarse.shape[0] - 1):
        _restrict_plane(i, u, source, inside, spans, couplings, factors, coarse_inside, coarse)


@routine
def _prolong_plane(
    i: Any, coarse: FloatArray, inside: ByteArray, spans: Spans, factors: Factors, u: FloatArray
) -> None:
    """Add the coarser solution, interpolated linearly between the centres of its cells."""
    ny = u.shape[1]
    fx, fy, fz = factors
    near, far = np.float32(0.75), np.float32(0.25)
    line = np.zeros(coarse.shape[2], np.float32)
    a = (i - 1) // fx + 1
    # the voxel lies between the centre of this cell and that of the other
    other_a = a if fx == 1 else (a - 1 if (i - 1) % 2 == 0 else a + 1)
    for j in range(1, ny - 1):
        b = (j - 1) // fy + 1
        other_b = b if fy == 1 else (b - 1 if (j - 1) % 2 == 0 else b + 1)
        for c in range(coarse.shape[2]):
            line[c] = near * (near * coarse[a, b, c] + far * coarse[a, other_b, c]) + far * (
                near * coarse[other_a, b, c] + far * coarse[other_a, other_b, c]
            )
        if fz == 1:
            for part in range(0, 4, 2):
                for k in range(spans[i, j, part], spans[i, j, part + 1]):
                    u[i, j, k] += np.float32(inside[i, j, k]) * line[k]
        else:
            for part in range(0, 4, 2):
                for k in range(spans[i, j, part], spans[i, j, part + 1]):
                    c = (k + 1) // 2
                    other_c = c - 1 if k % 2 == 1 else c + 1
                    u[i, j, k] += np.float32(inside[i, j, k]) * (
                        near * line[c] + far * line[other_c]
                    )


@kernel(parallel=True)
def prolong(
    coarse: FloatArray, inside: ByteArray, spans: Spans, factors: Factors, u: FloatArray
) -> None:
    """Add the coarse solution to u, interpolated linearly between the centres of its cells."""
    for i in prange(1, u.shape[0] - 1):
        _prolong_plane(i, coarse, inside, spans, factors, u)


@kernel()
def go_down(
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    weights: Weights,
    u: FloatArray,
    factors: Factors,
    coarse_inside: ByteArray,
    coarse: FloatArray,
) -> None:
    """Smooth from zero and restrict, by one thread: on small grids many only wait."""
    for i in range(1, u.shape[0] - 1):
        _start_plane(i, source, inside, spans, couplings, weights[0], weights[1], u)
    for i in range(1, coarse.shape[0] - 1):
        _restrict_plane(i, u, source, inside, spans, couplings, factors, coarse_inside, coarse)


@kernel()
def come_up(
    coarse: FloatArray,
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    weights: Weights,
    factors: Factors,
    spare: FloatArray,
    u: FloatArray,
) -> None:
    """Interpolate and smooth, by one thread."""
    for i in range(1, u.shape[0] - 1):
        _prolong_plane(i, coarse, inside, spans, factors, u)
    for i in range(1, u.shape[0] - 1):
        _relax_plane(i, u, source, inside, spans, couplings, weights[0], spare)
    for i in range(1, u.shape[0] - 1):
        _relax_plane(i, spare, source, inside, spans, couplings, weights[1], u)


@kernel()
def settle(
    source: FloatArray,
    inside: ByteArray,
    spans: Spans,
    couplings: FloatArray,
    weights: Weights,
    spare: FloatArray,
    u: FloatArray,
    count: int,
) -> None:
    """Smooth from zero so often that it solves the coarsest grid."""
    for i in range(1, u.shape[0] - 1):
        _start_plane(i, source, inside, spans, couplings, weights[0], weights[1], u)
    for _ in range(count):
        for i in range(1, u.shape[0] - 1):
            _relax_plane(i, u, source, inside, spans, couplings, weights[0], spare)
        for i in range(1, u.shape[0] - 1):
            _relax_plane(i, spare, source, inside, spans, couplings, weights[1], u)
