"""Converted stacks to the images of a data set: phase in rad with the right sign, ADC in mm2/s.

An image whose values need no change keeps the integers and the scaling that dcm2niix wrote; texts
and times of its header are left behind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.complex_parts import to_polar
from napari_qsm_stroke.io.dicom.convert import where
from napari_qsm_stroke.io.diffusion import read_adc
from napari_qsm_stroke.io.phase import to_radians
from napari_qsm_stroke.io.phase_sign import is_ge, sign_of
from napari_qsm_stroke.io.sidecar import PHASE_SIGN_CORRECTED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_qsm_stroke.case.volume import Volume
    from napari_qsm_stroke.io.dicom.acquisitions import GradientEcho
    from napari_qsm_stroke.io.dicom.convert import Converted
    from napari_qsm_stroke.io.dicom.stacks import Stack
    from napari_qsm_stroke.io.phase_sign import PhaseSign

    FloatArray = NDArray[np.float32]

MHZ_PER_TESLA = 42.577
GE_MRAD = 3143
GEOMETRY = (
    *("dim", "datatype", "bitpix", "pixdim", "scl_slope", "scl_inter", "xyzt_units", "dim_info"),
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)
"""Fields of a NIfTI header that are kept: none holds a text or a time."""
NUMBERS = (
    *("EchoTrainLength", "PartialFourier", "ParallelReductionFactorInPlane", "TotalReadoutTime"),
    *("EffectiveEchoSpacing", "InversionTime", "MultibandAccelerationFactor"),
)
DIRECTIONS = {"PhaseEncodingDirection": ("i", "i-", "j", "j-", "k", "k-")}


@dataclass(frozen=True)
class Image:
    """An image of the data set: its name without subject, how it was made, and its sidecar.

    ``content`` is a volume to write, or a converted file to keep as it is but for its texts.
    """

    name: str
    content: Volume | Path
    facts: dict[str, Any]
    bvalues: tuple[float, ...] = ()
    bvectors: tuple[tuple[float, ...], ...] = ()


def gradient_echo_images(
    acquisition: GradientEcho,
    converted: Sequence[Converted],
    *,
    echo_times: Sequence[float] | None,
    phase_sign: PhaseSign,
    run: str,
) -> list[Image]:
    """Make magnitude and phase of each echo.

    Parameters
    ----------
    acquisition : GradientEcho
        Its stacks.
    converted : sequence of Converted
        The images of all these stacks.
    echo_times : sequence of float, optional
        In seconds, instead of those of the headers.
    phase_sign : {"auto", "keep", "negate"}
        ``"auto"`` goes by the maker of the scanner.
    run : str
        Entity of the name, e.g. ``"run-1_"``, or empty.

    Raises
    ------
    InputError
        Echo times are missing or equal, or the unit of the phase is unknown.
    """
    by_stack = {id(image.stack): image for image in converted}
    parts = {
        name: [by_stack[id(stack)] for stack in getattr(acquisition, name)]
        for name in ("magnitude", "phase", "real", "imaginary")
    }
    times = _echo_times(acquisition, echo_times)
    first = acquisition.echoes[0].first
    if parts["phase"]:
        magnitude = None
        phase, said = _phase_of(parts["phase"], parts["magnitude"], first.maker)
    else:
        magnitude, phase, said = _polar_of(parts["real"], parts["imaginary"])
        magnitude = None if parts["magnitude"] else magnitude
    sign = sign_of(phase_sign, first.maker, ())
    if sign.factor < 0:
        phase = -phase
    images = []
    for index, (stack, time) in enumerate(zip(acquisition.echoes, times, strict=True)):
        source = (parts["phase"] or parts["real"])[index]
        facts = {**facts_of(source), "EchoTime": time}
        marks: dict[str, Any] = {"Units": "rad", "PhaseImport": f"{said}; {sign.words}"}
        if is_ge(first.maker) or sign.factor < 0:
            marks[PHASE_SIGN_CORRECTED] = True
        several = len(times) > 1
        start = f"anat/{{key}}_{run}" + (f"echo-{index + 1}_" if several else "")
        end = "MEGRE" if several else "T2starw"
        unchanged = stack.component == "phase" and np.array_equal(
            phase[..., index], source.file.volume.data
        )
        own = source.path if unchanged else source.file.volume.with_data(phase[..., index])
        if magnitude is None:
            half: Volume | Path = parts["magnitude"][index].path
        else:
            half = source.file.volume.with_data(magnitude[..., index])
        images.append(Image(f"{start}part-mag_{end}", half, {**facts, "Units": "arbitrary"}))
        images.append(Image(f"{start}part-phase_{end}", own, {**facts, **marks}))
    return images


def _echo_times(acquisition: GradientEcho, given: Sequence[float] | None) -> list[float]:
    """Echo times (s) in the order of the echoes."""
    stacks = acquisition.echoes
    if given is not None:
        if len(given) != len(stacks):
            raise InputError(
                "Echo times", f"{len(given)} given for {len(stacks)} echoes.", "Give one for each."
            )
        return [float(t) for t in given]
    times = [round(stack.echo_time or 0.0, 6) / 1000 for stack in stacks]
    if min(times) <= 0 or len(set(times)) < len(times):
        shown = ", ".join(f"{1000 * t:g}" for t in times)
        raise InputError(
            where(stacks[0]),
            f"the headers give echo times of {shown} ms for {len(times)} echoes.",
            "Give them in seconds with --echo-times.",
        )
    return times


def _phase_of(
    phase: Sequence[Converted], magnitude: Sequence[Converted], maker: str
) -> tuple[FloatArray, str]:
    """Phase (rad) of all echoes, and how its unit was found."""
    stored, other = _stacked(phase), _stacked(magnitude)
    units, scaling = _units(phase[0], stored)
    place = where(phase[0].stack)
    radians = to_radians(stored, other, units, place, scaling, maker)
    said = radians.unit
    if is_ge(maker):
        _, smooth, odd = to_polar(
            other * np.cos(radians.radians), other * np.sin(radians.radians), place
        )
        if odd:
            return smooth, f"{said}; {odd}"
    return radians.radians, said


def _polar_of(
    real: Sequence[Converted], imaginary: Sequence[Converted]
) -> tuple[FloatArray, FloatArray, str]:
    place = where(real[0].stack)
    magnitude, phase, odd = to_polar(_stacked(real), _stacked(imaginary), place)
    return magnitude, phase, f"rad, from real and imaginary images. {odd}".strip(". ")


def _stacked(converted: Sequence[Converted]) -> FloatArray:
    first = converted[0].file.volume
    for image in converted[1:]:
        problem = first.grid.difference(image.file.volume.grid)
        if problem:
            raise InputError(
                where(image.stack), f"its echoes differ: {problem}.", "Export the series again."
            )
    return np.stack([image.file.volume.data for image in converted], axis=3)


def _units(phase: Converted, values: FloatArray) -> tuple[str, tuple[float, float] | None]:
    """Unit that the header says, and the scaling of the integers that the scanner stored."""
    file, frame, scaling = phase.stack.first, phase.stack.frame, phase.file.scaling
    slope, intercept = frame.slope or 1.0, frame.intercept or 0.0
    as_header = scaling is None or math.isclose(scaling[0], slope, rel_tol=1e-4)
    if frame.unit in ("rad", "mrad", "deg") and as_header:
        return frame.unit, scaling
    if is_ge(file.maker) and 4 < float(np.abs(values).max()) < GE_MRAD:
        return "mrad", scaling
    if scaling is None and (slope, intercept) == (1.0, 0.0) and file.bits == 12 and not file.signed:
        return "", (1.0, 0.0)
    return "", scaling


def single_image(converted: Converted, name: str) -> Image:
    """Keep a structural image as it is."""
    return Image(name, converted.path, facts_of(converted))


def adc_image(converted: Converted, name: str) -> Image:
    """Bring an ADC map to mm2/s.

    Raises
    ------
    InputError
        Its values fit no unit of ADC.
    """
    try:
        volume, _ = read_adc(converted.path)
    except InputError as error:
        raise InputError(where(converted.stack), error.what, error.remedy) from None
    return Image(name, volume, {**facts_of(converted), "Units": "mm2/s"})


def diffusion_image(converted: Sequence[Converted], name: str) -> Image:
    """Make a diffusion series of one image with its b values, or of one image for each b value.

    Raises
    ------
    InputError
        There are no b values, or they do not fit.
    """
    first = converted[0]
    facts = facts_of(first)
    if len(converted) > 1:
        each = tuple(_one_b(image.stack) for image in converted)
        data = _stacked(converted)
        return _series(name, first.file.volume.with_data(data), facts, each, ())
    volume = first.file.volume
    count = volume.data.shape[3] if volume.data.ndim == 4 else 1
    values = _numbers_beside(first.path, ".bval", 1, count)
    vectors = _numbers_beside(first.path, ".bvec", 3, count)
    if values:
        return _series(name, first.path, facts, values[0], vectors)
    if count == 1:
        return _series(name, first.path, facts, (_one_b(first.stack),), ())
    raise InputError(
        where(first.stack), f"holds {count} images without b values.", "Export the series again."
    )


def by_b_value(stack: Stack) -> list[Stack]:
    """Part a diffusion series into one stack for each b value."""
    values = sorted({frame.b_value or 0.0 for _, frame in stack.images})
    return [
        replace(stack, images=tuple(i for i in stack.images if (i[1].b_value or 0.0) == value))
        for value in values
    ]


def has_b_values(converted: Converted) -> bool:
    """Tell whether dcm2niix found a b value for each image."""
    data = converted.file.volume.data
    count = data.shape[3] if data.ndim == 4 else 1
    return count == 1 or bool(_numbers_beside(converted.path, ".bval", 1, count))


def _series(
    name: str,
    content: Volume | Path,
    facts: dict[str, Any],
    values: tuple[float, ...],
    vectors: tuple[tuple[float, ...], ...],
) -> Image:
    nothing = (tuple(0.0 for _ in values),) * 3
    return Image(name, content, facts, values, vectors if len(vectors) == 3 else nothing)


def _one_b(stack: Stack) -> float:
    values = {frame.b_value or 0.0 for _, frame in stack.images}
    if len(values) != 1:
        raise InputError(
            where(stack), f"one image has {len(values)} b values.", "Export the series again."
        )
    return next(iter(values))


def _numbers_beside(
    path: Path, ending: str, rows: int, columns: int
) -> tuple[tuple[float, ...], ...]:
    """Numbers of a text file beside an image; empty where it is not there or has another size."""
    file = path.with_suffix(ending)
    try:
        lines = [line.split() for line in file.read_text("ascii").splitlines() if line.strip()]
        table = tuple(tuple(float(word) for word in line) for line in lines)
    except (OSError, ValueError):
        return ()
    fits = len(table) == rows and all(len(row) == columns for row in table)
    return table if fits and all(math.isfinite(v) for row in table for v in row) else ()


def facts_of(converted: Converted) -> dict[str, Any]:
    """Facts for the sidecar: numbers within bounds and known words, no text of the header."""
    stack, file, frame = converted.stack, converted.stack.first, converted.stack.frame
    frequency = frame.frequency or file.frequency
    strength = file.field_strength
    if strength is None and frequency is not None:
        strength = round(frequency / MHZ_PER_TESLA, 3)
    repetition = frame.repetition_time or file.repetition_time
    facts: dict[str, Any] = {
        "Modality": "MR",
        "Manufacturer": file.maker,
        "ManufacturersModelName": file.model,
        "MagneticFieldStrength": strength,
        "ImagingFrequency": frequency,
        "MRAcquisitionType": file.dimensions,
        "EchoTime": None if stack.echo_time is None else round(stack.echo_time, 6) / 1000,
        "RepetitionTime": None if repetition is None else round(repetition, 6) / 1000,
        "FlipAngle": frame.flip_angle or file.flip_angle,
        "PixelBandwidth": file.bandwidth,
        "SliceThickness": frame.thickness,
        "ConversionSoftware": "dcm2niix",
    }
    for name in NUMBERS:
        value = converted.sidecar.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e4:
            facts[name] = value
    for name, known in DIRECTIONS.items():
        if converted.sidecar.get(name) in known:
            facts[name] = converted.sidecar[name]
    return {name: value for name, value in facts.items() if value not in (None, "")}


def without_texts(path: Path) -> bytes:
    """Return an uncompressed NIfTI file with nothing in its header but geometry and scaling."""
    content = path.read_bytes()
    old = nib.Nifti1Header(content[:348], check=False)
    new = nib.Nifti1Header(endianness=old.endianness)
    for field in GEOMETRY:
        new[field] = old[field]
    new["magic"], new["vox_offset"] = b"n+1", 352
    return bytes(new.binaryblock) + b"\0" * 4 + content[int(old["vox_offset"]) :]
