"""What a series is: raw data to import, or something to leave out, by name and with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_qsm_stroke.io.dicom.scan import DicomFile, Frame

GRADIENT_ECHO, DIFFUSION, ADC = "gradient echo", "diffusion", "ADC"
STRUCTURAL = {"T1-weighted": "T1w", "T2-weighted": "T2w", "FLAIR": "FLAIR"}
"""Kinds that are imported as anatomical images, and their BIDS suffix."""
NO_IMAGES = "no MR images"
SHORTEST_FLAIR_TE_MS = 60.0


@dataclass(frozen=True)
class Kind:
    """What an image is, and why it is left out; ``reason`` is empty for what is imported."""

    name: str
    reason: str = ""


PROJECTION = Kind(
    "intensity projection (mIP)", "slices were projected onto each other; the field is lost"
)
SWI_PRODUCT = Kind(
    "SWI, the scanner's product",
    "magnitude was multiplied with filtered phase; QSM needs the raw phase",
)
FILTERED_PHASE = Kind(
    "filtered phase", "the high-pass filter took the field away; QSM needs the raw phase"
)
PHASE_DIFFERENCE = Kind(
    "phase difference (field map)",
    "it is the difference of two echoes, not the phase of an echo; "
    "QSM needs the raw phase of each echo",
)
FIELD_MAP = Kind("field map in Hz", "it is computed, not the phase of an echo")
VELOCITY = Kind("velocity-encoded phase", "it shows flow, not the field")
UNWRAPPED = Kind("unwrapped phase", "QSM needs the raw phase as the scanner measured it")
SUSCEPTIBILITY = Kind("susceptibility map", "it is computed by the scanner")
ECHO_PLANAR = Kind("echo planar series", "neither diffusion nor a gradient echo for QSM")
LEFT_OUT = {
    "exponential": Kind("exponential ADC", "it is computed; ADC and diffusion images are used"),
    "anisotropy": Kind("diffusion tensor map", "it is computed and not needed"),
    "localizer": Kind("localizer", "not needed"),
    "perfusion": Kind("perfusion", "not needed"),
    "angiography": Kind("angiography", "not needed"),
}


def kind_of(file: DicomFile, frame: Frame) -> Kind:
    """Tell what one image is from its header.

    Headers are asked before descriptions: what the type of the image or its unit says holds.
    """
    if file.modality != "MR" or file.kind == "other":
        return Kind(NO_IMAGES, "it is a report, a screenshot, or from another modality")
    types, words = set(frame.types), set(file.words)
    if file.burned_in:
        return Kind("screenshot", "text is burned into the image; it may tell who was examined")
    return (
        _product(types, words)
        or _phase(file, frame, types, words)
        or _diffusion(file, frame, types, words)
        or _structural(file, frame, types, words)
    )


def _product(types: set[str], words: set[str]) -> Kind | None:
    if types & {"MNIP", "MINIP", "MIN IP", "MIP", "PROJECTION IMAGE"} or "projection" in words:
        return PROJECTION
    derived = "DERIVED" in types and words & {"swi", "swi at the end"}
    if "SWI" in types or "swi product" in words or derived:
        return SWI_PRODUCT
    if "QSM" in types or ("qsm" in words and "DERIVED" in types):
        return SUSCEPTIBILITY
    return None


def _phase(file: DicomFile, frame: Frame, types: set[str], words: set[str]) -> Kind | None:
    if "PC" in file.techniques or frame.unit == "cm/s":
        return VELOCITY
    if types & {"VELOCITY", "VELOCITY MAP", "PCA", "PHASE CONTRAST"} or "flow" in words:
        return VELOCITY
    if types & {"FIELDMAP", "FIELD MAP", "FIELDMAPHZ", "B0", "B0 MAP"} or frame.unit == "Hz":
        return FIELD_MAP
    if types & {"PHASEDIFF", "PHASE DIFFERENCE"} or "difference" in words:
        return PHASE_DIFFERENCE
    if frame.component != "phase":
        return None
    if "fast field mapping" in words:
        return PHASE_DIFFERENCE
    if types & {"FILTERED", "PHASE_FILTERED"} or "filtered" in words:
        return FILTERED_PHASE
    return UNWRAPPED if "unwrapped" in words else None


def _diffusion(file: DicomFile, frame: Frame, types: set[str], words: set[str]) -> Kind | None:
    if "exponential" in words or "EADC" in types:
        return LEFT_OUT["exponential"]
    if "ADC" in types or ("adc" in words and frame.component in ("", "magnitude")):
        return Kind(ADC)
    if types & {"FA", "COLFA", "TENSOR"} or ("anisotropy" in words and "DERIVED" in types):
        return LEFT_OUT["anisotropy"]
    weighted = frame.b_value is not None and frame.b_value > 0
    if weighted or types & {"DIFFUSION", "TRACEW", "TRACE", "CALC_BVALUE"}:
        return Kind(DIFFUSION)
    if "diffusion" in words and ("EP" in file.techniques or frame.b_value == 0):
        return Kind(DIFFUSION)
    return None


def _structural(file: DicomFile, frame: Frame, types: set[str], words: set[str]) -> Kind:
    if "LOCALIZER" in types or "localizer" in words:
        return LEFT_OUT["localizer"]
    if "perfusion" in words or types & {"CBF", "CBV", "MTT", "TTP"}:
        return LEFT_OUT["perfusion"]
    if types & {"T2 MAP", "T2_STAR_MAP", "R2_STAR_MAP"}:
        return Kind("relaxation map", "it is computed by the scanner")
    techniques = set(file.techniques)
    if "EP" in techniques:
        return ECHO_PLANAR
    if "flair" in words or ("flair" in file.protocol and "IR" in techniques):
        return Kind("FLAIR")
    if "angiography" in words:
        return LEFT_OUT["angiography"]
    if "IR" in techniques:
        late = frame.echo_time is not None and frame.echo_time >= SHORTEST_FLAIR_TE_MS
        return Kind("FLAIR") if "SE" in techniques and late else Kind("T1-weighted")
    if "SE" in techniques:
        if "t1" in words:
            return Kind("T1-weighted")
        return Kind("T2-weighted") if "t2" in words else Kind("spin echo", "not needed")
    if "GR" in techniques or frame.component in ("phase", "real", "imaginary") or "swi" in words:
        return Kind(GRADIENT_ECHO)
    if "t1" in words:
        return Kind("T1-weighted")
    return Kind("series of unknown kind", "its header does not say what it is")
