"""Sine, cosine and arctangent in single precision, as polynomials that compile to vector code.

The functions of the C library are called number by number; these are inlined into the kernels that
call them and worked out eight or sixteen at a time. Fitted for the least largest error; that of the
results is below 3e-7.
"""

from __future__ import annotations

import math

import numpy as np

from napari_qsm_stroke.core.numerics.compiled import inner

ZERO, HALF, ONE, TWO = (np.float32(v) for v in (0, 0.5, 1, 2))
PI = np.float32(math.pi)
QUARTERS = np.float32(2 / math.pi)
# a quarter turn in two parts, the first with so few bits that its small multiples are exact
QUARTER_HIGH = np.float32(1.5703125)
QUARTER_LOW = np.float32(math.pi / 2 - 1.5703125)
TURN_HIGH = np.float32(6.28125)
TURN_LOW = np.float32(2 * math.pi - 6.28125)
TURNS = np.float32(0.5 / math.pi)
S1, S2, S3 = (np.float32(v) for v in (-0.16666665, 0.00833273, -0.00019583))
C1, C2, C3 = (np.float32(v) for v in (4.16666645e-02, -1.38882801e-03, 2.45430003e-05))
T1, T2, T3 = (np.float32(v) for v in (-0.33333332, 0.1999979, -0.14279616))
T4, T5, T6 = (np.float32(v) for v in (0.11042037, -0.08689048, 0.06318226))
T7, T8, T9 = (np.float32(v) for v in (-0.03667035, 0.01399652, -0.00250858))
TINY = np.float32(1e-37)


@inner
def cosine_sine(angle: np.float32) -> tuple[np.float32, np.float32]:
    """Cosine and sine of an angle in rad, up to some thousand turns."""
    quarter = np.floor(angle * QUARTERS + HALF)
    rest = (angle - quarter * QUARTER_HIGH) - quarter * QUARTER_LOW
    square = rest * rest
    sine = rest + rest * square * (S1 + square * (S2 + square * S3))
    cosine = ONE - HALF * square + square * square * (C1 + square * (C2 + square * C3))
    half = np.floor(quarter * HALF)
    odd = quarter - TWO * half > HALF
    sign = ONE - TWO * (half - TWO * np.floor(half * HALF))
    first, second = (-sine, cosine) if odd else (cosine, sine)
    return sign * first, sign * second


@inner
def angle_of(real: np.float32, imaginary: np.float32) -> np.float32:
    """Angle of a complex number in rad, from -pi to pi; 0 for zero."""
    a, b = abs(real), abs(imaginary)
    low, high = min(a, b), max(a, b)
    ratio = low / max(high, TINY)
    s = ratio * ratio
    tail = T6 + s * (T7 + s * (T8 + s * T9))
    angle: np.float32 = ratio + ratio * s * (
        T1 + s * (T2 + s * (T3 + s * (T4 + s * (T5 + s * tail))))
    )
    angle = HALF * PI - angle if b > a else angle
    angle = PI - angle if real < ZERO else angle
    return -angle if imaginary < ZERO else angle


@inner
def wrapped(angle: np.float32) -> np.float32:
    """Angle less whole turns, from -pi to pi."""
    turns: np.float32 = np.floor(angle * TURNS + HALF)
    return (angle - turns * TURN_HIGH) - turns * TURN_LOW
