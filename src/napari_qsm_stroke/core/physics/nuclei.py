"""Deep grey nuclei: where they lie in template space and what iron makes of them.

Susceptibilities follow the head phantom of the second reconstruction challenge (Marques et al.,
Magn Reson Med 2021;86:526, doi:10.1002/mrm.28716), raised in caudate nucleus and putamen to the
age of stroke patients, with the subthalamic nucleus as bright as the
substantia nigra (Deistung et al., NeuroImage 2013;65:299, doi:10.1016/j.neuroimage.2012.09.055).
Positions are those of the ICBM template, rounded to the millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.deformation import apply_affine, rotation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

EDGE_MM = 0.8
IRON_R2STAR = 160.0
"""R2* in 1/s that 1 ppm of susceptibility of a nucleus adds at 3 T."""


@dataclass(frozen=True)
class Ellipsoid:
    """Part of a nucleus of the right side; the left one is its mirror image."""

    name: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    degrees: tuple[float, float, float]
    ppm: float


NUCLEI = (
    Ellipsoid("caudate", (11, 17, 0), (4.5, 7, 7), (0, 0, 0), 0.056),
    Ellipsoid("caudate", (13, 12, 10), (4, 8, 6), (-30, 0, -10), 0.056),
    Ellipsoid("caudate", (14, -1, 18), (3, 9, 4.5), (-10, 0, -10), 0.056),
    Ellipsoid("caudate", (18, -17, 20), (2.5, 8, 3), (15, 0, -15), 0.056),
    Ellipsoid("putamen", (26, 6, 1), (4.6, 15, 9), (0, 0, 16), 0.066),
    Ellipsoid("pallidum", (19, -3, -1), (3.8, 9, 5.5), (0, 15, 22), 0.131),
    Ellipsoid("thalamus", (11, -18, 8), (7.5, 13, 7.5), (-15, 0, 25), 0.020),
    Ellipsoid("pulvinar", (15, -28, 6), (6, 5, 5), (0, 0, 0), 0.035),
    Ellipsoid("subthalamic nucleus", (11, -13, -7), (3.5, 4, 2), (0, 30, 0), 0.111),
    Ellipsoid("red nucleus", (5, -20, -8), (2.9, 2.9, 3.8), (0, 0, 0), 0.100),
    Ellipsoid("substantia nigra", (10, -17, -13), (2.4, 6.5, 3), (-25, 25, 30), 0.111),
    Ellipsoid("dentate nucleus", (15, -57, -36), (4, 7, 5), (20, 0, -25), 0.110),
)
NAMES = tuple(dict.fromkeys(nucleus.name for nucleus in NUCLEI))
"""Of the nuclei, each once; label ``n`` of a label map is ``NAMES[n - 1]``."""


def nuclei_maps(
    shape: tuple[int, int, int], affine: NDArray[np.float64], scatter: NDArray[np.float64]
) -> tuple[FloatArray, FloatArray]:
    """Fraction of each voxel that is nucleus, and its susceptibility times that fraction.

    Parameters
    ----------
    shape : tuple of int
        Of the template.
    affine : ndarray of shape (4, 4)
        Voxel index to template coordinates in mm.
    scatter : ndarray of shape (2, len(NUCLEI))
        Factor on the susceptibility of each nucleus, left and right.
    """
    fraction, weighted = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for number, side, box, part in _parts(shape, affine):
        new = np.maximum(part - fraction[box], 0)
        fraction[box] += new
        weighted[box] += new * np.float32(NUCLEI[number].ppm * scatter[side, number])
    return fraction, weighted


def nuclei_labels(shape: tuple[int, int, int], affine: NDArray[np.float64]) -> ByteArray:
    """Which nucleus fills more than half of each voxel: 1 + its place in ``NAMES``, else 0.

    Parameters
    ----------
    shape : tuple of int
        Of the template.
    affine : ndarray of shape (4, 4)
        Voxel index to template coordinates in mm.
    """
    labels = np.zeros(shape, np.uint8)
    for number, _side, box, part in _parts(shape, affine):
        label = 1 + NAMES.index(NUCLEI[number].name)
        np.copyto(labels[box], np.uint8(label), where=(part > 0.5) & (labels[box] == 0))
    return labels


def _parts(
    shape: tuple[int, int, int], affine: NDArray[np.float64]
) -> Iterator[tuple[int, int, tuple[slice, slice, slice], FloatArray]]:
    """Number and side of each nucleus, the box that it lies in, and its part of each voxel."""
    for side, sign in enumerate((-1.0, 1.0)):
        for number, nucleus in enumerate(NUCLEI):
            mirror = np.diag([sign, 1.0, 1.0])
            axes = mirror @ rotation(np.array(nucleus.degrees, dtype=np.float64)) @ mirror
            centre = mirror @ np.array(nucleus.centre, dtype=np.float64)
            box = _box(shape, affine, centre, max(nucleus.radii) + 3)
            if box is None:
                continue
            points = np.stack(
                np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij")
            )
            offset = apply_affine(affine, points.reshape(3, -1).T.astype(np.float64)) - centre
            scaled = np.linalg.norm(offset @ axes / nucleus.radii, axis=1)
            level = (scaled - 1) * min(nucleus.radii) / EDGE_MM
            part = np.clip(0.5 - 0.5 * level, 0, 1).reshape(points.shape[1:])
            yield number, side, box, part.astype(np.float32)


def _box(
    shape: tuple[int, int, int],
    affine: NDArray[np.float64],
    centre: NDArray[np.float64],
    reach: float,
) -> tuple[slice, slice, slice] | None:
    middle = apply_affine(np.linalg.inv(affine), centre[None])[0]
    steps = reach / np.linalg.norm(affine[:3, :3], axis=0)
    low = np.maximum(np.floor(middle - steps), 0).astype(int)
    high = np.minimum(np.ceil(middle + steps) + 1, shape).astype(int)
    if (low >= high).any():
        return None
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return x, y, z
