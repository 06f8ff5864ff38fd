"""Diffusion images from files: the b0 image and the mean of the weighted ones, ADC in mm2/s."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.faults import Faults, Note
from napari_qsm_stroke.io.nifti import finite, read_nifti
from napari_qsm_stroke.io.sidecar import read_bvalues, read_sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from napari_qsm_stroke.io.files import CaseFiles

B0_LIMIT = 50.0
"""Images with a smaller b value (s/mm2) count as not weighted."""
STROKE_B = 1000.0
"""The b value (s/mm2) of clinical stroke imaging."""
NEAR = 0.3
"""A b value this far from it, as a share, is near enough to be taken as it is."""
ADC_NAMES = {"mm2/s": 1.0, "mm^2/s": 1.0, "10^-3mm2/s": 1e-3, "10^-6mm2/s": 1e-6, "um2/s": 1e-6,
             "um2/ms": 1e-3, "1e-3mm2/s": 1e-3, "1e-6mm2/s": 1e-6}  # fmt: skip
"""Units that a sidecar may name, without spaces, in mm2/s."""
ADC_SCALES = ((1e-5, 1e-2, 1.0), (1e-2, 10.0, 1e-3), (10.0, 1e4, 1e-6))
"""Median of the positive values from, to, and the factor to mm2/s."""
DIFFUSION = ("dwi", "b0", "adc")


def read_diffusion(files: CaseFiles, faults: Faults) -> tuple[dict[str, Volume], list[Note]]:
    """Read the diffusion images of an examination, each on its own grid, and what is odd.

    A weighted image that was not given is computed from b0 and ADC.
    """
    maps: dict[str, Volume] = {}
    notes: list[Note] = []
    if files.dwi is not None:
        with faults:
            maps["dwi"], plain, odd = read_dwi(files.dwi)
            notes += odd
            if plain is not None:
                maps["b0"] = plain
    if files.b0 is not None:
        with faults:
            maps["b0"], odd = read_image(files.b0)
            notes += odd
    if files.adc is not None:
        with faults:
            maps["adc"], odd = read_adc(files.adc)
            notes += odd
    if files.dwi is None and {"b0", "adc"} <= set(maps) and maps["b0"].grid == maps["adc"].grid:
        maps["dwi"] = weighted(maps["b0"], maps["adc"])
        notes.append(Note(str(files.adc), "DWI of b = 1000 s/mm2 was computed from b0 and ADC."))
    return maps, notes


def read_dwi(path: str | Path) -> tuple[Volume, Volume | None, tuple[Note, ...]]:
    """Read a diffusion-weighted image and, where the series holds it, the b0 image.

    A series (four dimensions) is parted by the b values beside it: the mean of the images at the
    b value nearest to 1000 s/mm2, and the mean of those below 50 s/mm2. A b value far from
    1000 s/mm2 is brought to it by the decay between the two.

    Raises
    ------
    InputError
        A series without b values, or whose b values do not fit.
    """
    file = read_nifti(path, "a.u.")
    volume = finite(file.volume)
    if volume.data.ndim == 3:
        return volume, None, file.notes
    values = np.array(read_bvalues(path))
    if values.size != volume.data.shape[3] or not (values >= B0_LIMIT).any():
        raise InputError(
            str(path),
            f"is a series of {volume.data.shape[3]} images with {values.size} b values"
            + (", none of them weighted." if values.size == volume.data.shape[3] else "."),
            "Put the .bval file beside it, or give the one diffusion-weighted image.",
        )
    of_weighted = values[values >= B0_LIMIT]
    nearest = float(of_weighted[np.abs(of_weighted - STROKE_B).argmin()])
    dwi = _mean(volume, np.abs(values - nearest) <= 0.05 * nearest)
    plain = _mean(volume, values < B0_LIMIT) if (values < B0_LIMIT).any() else None
    if abs(nearest / STROKE_B - 1) <= NEAR:
        return dwi, plain, file.notes
    what = f"The b value nearest to 1000 s/mm2 is {nearest:g} s/mm2"
    if plain is None:
        note = Note(str(path), f"{what}.", "The contrast of the infarct is another one.")
        return dwi, None, (*file.notes, note)
    s0, sb = np.maximum(plain.data, 0), np.clip(dwi.data, 0, np.maximum(plain.data, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        at_1000 = s0 * np.nan_to_num(sb / s0) ** np.float32(STROKE_B / nearest)
    note = Note(str(path), f"{what}: the image at 1000 s/mm2 was computed from it and b0.")
    return dwi.with_data(at_1000.astype(np.float32)), plain, (*file.notes, note)


def weighted(b0: Volume, adc: Volume) -> Volume:
    """Image at 1000 s/mm2 from the image without weighting and the ADC (mm2/s), on one grid."""
    decay = np.exp(-STROKE_B * np.maximum(adc.data.astype(np.float64), 0))
    return Volume((b0.data * decay).astype(np.float32), b0.grid, "a.u.", b0.source)


def read_adc(path: str | Path) -> tuple[Volume, tuple[Note, ...]]:
    """Read an ADC map in mm2/s: in the unit of its sidecar, else whatever power of ten it has.

    Raises
    ------
    InputError
        The values fit no unit of ADC, or not the one that the sidecar names.
    """
    volume, notes = read_image(path)
    positive = volume.data[volume.data > 0]
    middle = float(np.median(positive)) if positive.size else 0.0
    found = next((scale for low, high, scale in ADC_SCALES if low <= middle < high), None)
    if found is None:
        raise InputError(
            str(path),
            f"the ADC is in unknown units: the median of its positive values is {middle:g}.",
            "Give it in mm2/s, 1e-3 mm2/s or 1e-6 mm2/s.",
        )
    said = str(read_sidecar(path).get("Units") or "")
    named = ADC_NAMES.get(said.lower().replace(" ", "").replace("µ", "u").replace("²", "2"))
    if named is not None and named != found:
        raise InputError(
            str(path),
            f"the sidecar says {said}, but the median of its positive values is {middle:g}.",
            "Correct Units in the sidecar.",
        )
    scaled = volume.data if found == 1 else volume.data * np.float32(found)
    return Volume(scaled, volume.grid, "mm2/s", volume.source), notes


def read_image(path: str | Path) -> tuple[Volume, tuple[Note, ...]]:
    """Read one image in arbitrary units, on its own grid.

    Raises
    ------
    InputError
        It is a series.
    """
    file = read_nifti(path, "a.u.")
    volume = finite(file.volume)
    if volume.data.ndim != 3:
        raise InputError(
            volume.source,
            f"expected three dimensions, found {volume.data.shape}.",
            "Give one image, not a series.",
        )
    return volume, file.notes


def _mean(volume: Volume, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Volume:
    mean = volume.data[..., chosen].mean(axis=3, dtype=np.float64)
    return volume.with_data(mean.astype(np.float32))
