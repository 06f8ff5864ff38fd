"""Diffusion images from files: the b0 image and the mean of the weighted ones, ADC in mm2/s."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import finite, read_volume
from napari_qsm_stroke.io.sidecar import read_bvalues

if TYPE_CHECKING:
    from pathlib import Path

    from napari_qsm_stroke.case.volume import Volume

B0_LIMIT = 50.0
"""Images with a smaller b value (s/mm2) count as not weighted."""
STROKE_B = 1000.0
"""The b value (s/mm2) of clinical stroke imaging."""
ADC_SCALES = ((1e-5, 1e-2, 1.0), (1e-2, 10.0, 1e-3), (10.0, 1e4, 1e-6))
"""Median of the positive values from, to, and the factor to mm2/s."""


def read_dwi(path: str | Path) -> tuple[Volume, Volume | None]:
    """Read a diffusion-weighted image and, where the series holds it, the b0 image.

    A series (four dimensions) is parted by the b values beside it: the mean of the images at the
    b value nearest to 1000 s/mm2, and the mean of those below 50 s/mm2.

    Raises
    ------
    InputError
        A series without b values, or whose b values do not fit.
    """
    volume = finite(read_volume(path, "a.u."))
    if volume.data.ndim == 3:
        return volume, None
    values = np.array(read_bvalues(path))
    if values.size != volume.data.shape[3] or not (values >= B0_LIMIT).any():
        raise InputError(
            str(path),
            f"is a series of {volume.data.shape[3]} images with {values.size} b values.",
            "Put the .bval file beside it, or give the one diffusion-weighted image.",
        )
    weighted = values[values >= B0_LIMIT]
    nearest = weighted[np.abs(weighted - STROKE_B).argmin()]
    dwi = _mean(volume, np.abs(values - nearest) <= 0.05 * nearest)
    plain = values < B0_LIMIT
    return dwi, _mean(volume, plain) if plain.any() else None


def read_adc(path: str | Path) -> Volume:
    """Read an ADC map in mm2/s, whatever power of ten the file uses.

    Raises
    ------
    InputError
        The values fit no unit of ADC.
    """
    volume = _single(finite(read_volume(path, "mm2/s")))
    positive = volume.data[volume.data > 0]
    middle = float(np.median(positive)) if positive.size else 0.0
    for low, high, scale in ADC_SCALES:
        if low <= middle < high:
            return volume if scale == 1 else volume.with_data(volume.data * np.float32(scale))
    raise InputError(
        str(path),
        f"the ADC is in unknown units: the median of its positive values is {middle:g}.",
        "Give it in mm2/s, 1e-3 mm2/s or 1e-6 mm2/s.",
    )


def read_b0(path: str | Path) -> Volume:
    """Read a b0 image."""
    return _single(finite(read_volume(path, "a.u.")))


def _single(volume: Volume) -> Volume:
    if volume.data.ndim != 3:
        raise InputError(
            volume.source,
            f"expected three dimensions, found {volume.data.shape}.",
            "Give one image, not a series.",
        )
    return volume


def _mean(volume: Volume, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Volume:
    mean = volume.data[..., chosen].mean(axis=3, dtype=np.float64)
    return volume.with_data(mean.astype(np.float32))
