"""Fields that are known without any transform: of a ball, a cylinder and a point."""

from __future__ import annotations

import numpy as np

from contract_suite.scene import RADIANS, TIMES, Scene, Shape, Size


def axes(shape: Shape, size: Size) -> np.ndarray:
    """Coordinates in mm from the centre of the grid, shape (3, X, Y, Z)."""
    return np.stack(
        [(i - (n - 1) / 2) * d for i, n, d in zip(np.indices(shape), shape, size, strict=True)]
    )


def unit(b0: Size) -> np.ndarray:
    """Direction of the main field, of length 1, to multiply coordinates with."""
    vector = np.array(b0, dtype=np.float64)
    return (vector / np.linalg.norm(vector)).reshape(3, 1, 1, 1)


def point_field(position: np.ndarray, where: Size, b0: Size) -> np.ndarray:
    """Field of a point dipole of moment 1 ppm mm^3: harmonic but for its place."""
    r = position - np.reshape(where, (3, 1, 1, 1))
    square = (r**2).sum(0)
    along = (r * unit(b0)).sum(0) ** 2
    return (3 * along - square) / np.maximum(square, 1e-3) ** 2.5


def ball_field(position: np.ndarray, centre: Size, radius: float, b0: Size) -> np.ndarray:
    """Field of a ball of 1 ppm, with the correction of Lorentz: none inside."""
    away = position - np.reshape(centre, (3, 1, 1, 1))
    outside = (away**2).sum(0) > radius**2
    return radius**3 / 3 * point_field(position, centre, b0) * outside


def cylinder_field(shape: Shape, size: Size, axis: int, radius: float, b0: Size) -> np.ndarray:
    """Field of an endless cylinder of 1 ppm through the centre of the grid along one axis.

    Inside it is ``(3 cos^2 - 1) / 6``; outside ``sin^2 cos(2 phi) radius^2 / (2 distance^2)``.
    Each voxel holds the mean over itself.
    """
    fine, across = 5, [a for a in range(3) if a != axis]
    lines = [
        (np.arange(shape[a] * fine) - (shape[a] * fine - 1) / 2) * size[a] / fine for a in across
    ]
    u, v = np.meshgrid(*lines, indexing="ij")
    b = unit(b0).ravel()
    p, q = b[across[0]], b[across[1]]
    square = np.maximum(u**2 + v**2, 1e-6)
    cosine = ((u * p + v * q) ** 2 - (v * p - u * q) ** 2) / square  # sin^2 of the tilt included
    field = np.where(
        square < radius**2, (3 * b[axis] ** 2 - 1) / 6, cosine * radius**2 / (2 * square)
    )
    n, m = shape[across[0]], shape[across[1]]
    plane = field.reshape(n, fine, m, fine).mean((1, 3))
    return np.broadcast_to(np.expand_dims(plane, axis), shape).copy()


def scene_of(field: np.ndarray, mask: np.ndarray, size: Size, b0: Size) -> Scene:
    """Return everything that a scan of this field would give, in ppm, rad and arbitrary units."""
    phase = RADIANS * field[..., None] * np.array(TIMES)
    signal = 100 * np.exp(1j * phase)
    inside = mask.astype(np.float32)
    maps = {
        "total_field": field * inside,
        "local_field": field * inside,
        "field_noise": 1e-3 * inside,
        "unwrapped_phase": phase * inside[..., None],
        "phase": np.angle(signal),
        "magnitude": np.abs(signal),
        "phase_offset": np.zeros((*field.shape, 1)),
        "phase_quality": inside,
    }
    return Scene({}, size, b0).with_maps(
        **{k: v.astype(np.float32) for k, v in maps.items()},
        brain=mask.astype(np.uint8),
        field_mask=mask.astype(np.uint8),
    )
