"""The child process that reads headers: ``python -m napari_qsm_stroke.io.dicom.headers``.

It takes a request (JSON) on its input and prints one line of JSON for each file. What it says of a
file are numbers within bounds, words of ``vocabulary`` and salted digests: no text of a header
leaves it, unless the request asks for the identity (for a key file that the user wants).

A damaged or hostile file can stop or kill this process; the parent then goes on after that file.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom

from napari_qsm_stroke.io.dicom.elements import (
    BROKEN,
    number,
    numbers,
    one_of,
    private_number,
    private_text,
    text,
    texts,
    whole,
)
from napari_qsm_stroke.io.dicom.vocabulary import (
    COMPONENTS,
    TYPES,
    maker_of,
    model_of,
    unit_of,
    words_in,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    from pydicom import Dataset

MOST_FRAMES = 50_000
KINDS = {
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "legacy enhanced MR",
    "1.2.840.10008.1.3.10": "directory",
}
PLAIN = {
    "1.2.840.10008.1.2": ("<", False),
    "1.2.840.10008.1.2.1": ("<", True),
    "1.2.840.10008.1.2.2": (">", True),
}
"""Transfer syntaxes without compression: byte order, and whether each element names its type."""
PACKED = tuple(f"1.2.840.10008.1.2.{end}" for end in ("4.", "5"))
DEFLATED = b"1.2.840.10008.1.2.1.99"
LOSSY = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91))
GE_COMPONENTS = ("magnitude", "phase", "real", "imaginary")
SEQUENCES = {"fast field mapping", "diffusion"}
"""Words that count also where the name of the pulse sequence holds them."""
TAGS: list[Any] = [
    *("SOPClassUID", "Modality", "Manufacturer", "ManufacturerModelName", "ImageType"),
    *("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber"),
    *("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName", "ImageComments"),
    *("ScanningSequence", "EchoPulseSequence", "EchoPlanarPulseSequence", "InversionRecovery"),
    *("PhaseContrast", "InversionTime", "RepetitionTime", "FlipAngle", "EchoTime", "EchoNumbers"),
    *("MagneticFieldStrength", "ImagingFrequency", "MRAcquisitionType", "ComplexImageComponent"),
    *("PixelBandwidth", "SliceThickness", "Rows", "Columns", "BitsAllocated", "BitsStored"),
    *("PixelRepresentation", "SamplesPerPixel", "NumberOfFrames", "LossyImageCompression"),
    *("BurnedInAnnotation", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "RealWorldValueMappingSequence"),
    *("DiffusionBValue", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(0x00430010, 0x0043102F, 0x00431039, 0x0019109C, 0x00190010, 0x0019100C),
    *(0x00211175, 0x00210011, 0x20010010, 0x20011003, 0x20050010, 0x20051011),
]
IDENTITY = (
    *("PatientName", "PatientID", "PatientBirthDate", "StudyDate", "AccessionNumber"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"),
)


def main() -> None:
    """Read the request and answer it."""
    request = json.loads(sys.stdin.readline())
    _limit(int(request["memory"]))
    warnings.simplefilter("ignore")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    for index, name in request["files"]:
        said: dict[str, Any]
        try:
            said = _describe(Path(name), str(request["salt"]), bool(request["identify"]))
        except BROKEN:
            said = {"fault": "damaged"}
        print(json.dumps({"index": index, **said}, allow_nan=False), flush=True)


def _limit(memory: int) -> None:
    if sys.platform != "win32":
        import resource

        with suppress(OSError, ValueError):  # macOS has no such limit; the parent watches too
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _describe(path: Path, salt: str, identify: bool) -> dict[str, Any]:
    with path.open("rb") as stream:
        start = stream.read(1024)
        if start[128:132] != b"DICM":
            return {"fault": "other"}
        if DEFLATED in start:  # a few bytes could become gigabytes
            return {"fault": "syntax"}
        stream.seek(0)
        header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=TAGS)
        meta = header.file_meta
        syntax = str(meta.get("TransferSyntaxUID", ""))
        if syntax not in PLAIN and not syntax.startswith(PACKED):
            return {"fault": "syntax"}
        kind = KINDS.get(str(meta.get("MediaStorageSOPClassUID", "")), "")
        if kind == "directory":
            return {"fault": "other"}
        said = _facts(header, salt)
        said["kind"] = kind or KINDS.get(text(header, "SOPClassUID"), "other")
        said["lossy"] = syntax in LOSSY or text(header, "LossyImageCompression") == "01"
        if said["modality"] == "MR" and said["kind"] != "other":
            _check_pixels(stream, header, syntax, said)
        if identify:
            said["identity"] = {name: text(header, name) for name in IDENTITY}
        return said


def _facts(header: Dataset, salt: str) -> dict[str, Any]:
    maker = maker_of(text(header, "Manufacturer"))
    frames = _frames(header, maker)
    sequence = words_in(f"{text(header, 'SequenceName')} {text(header, 'PulseSequenceName')}")
    words = {*words_in(text(header, "SeriesDescription")), *(SEQUENCES & {*sequence})}
    person = [text(header, n) for n in ("PatientID", "PatientName", "PatientBirthDate")]
    study, series = text(header, "StudyInstanceUID"), text(header, "SeriesInstanceUID")
    day = f"{text(header, 'StudyDate')}{text(header, 'StudyTime')}".replace(".", "")[:14]
    return {
        "patient": _digest(salt, *person),
        "study": _digest(salt, study),
        "series": _digest(salt, study, series),
        "when": int(day) if day.isascii() and day.isdigit() else 0,
        "number": whole(header, "SeriesNumber", 0, 99_999),
        "modality": "MR" if text(header, "Modality") == "MR" else "other",
        "maker": maker,
        "model": model_of(text(header, "ManufacturerModelName")),
        "words": sorted(words),
        "protocol": words_in(text(header, "ProtocolName")),
        "techniques": sorted(_techniques(header)),
        "rows": whole(header, "Rows", 2, 8192),
        "columns": whole(header, "Columns", 2, 8192),
        "bits": whole(header, "BitsStored", 1, 64),
        "signed": whole(header, "PixelRepresentation", 0, 1) == 1,
        "field_strength": _field_strength(header),
        "frequency": number(header, "ImagingFrequency", 1, 1000),
        "repetition_time": number(header, "RepetitionTime", 0.1, 1e5),
        "flip_angle": number(header, "FlipAngle", 0.1, 360),
        "bandwidth": number(header, "PixelBandwidth", 1, 1e6),
        "dimensions": one_of(text(header, "MRAcquisitionType"), "2D", "3D"),
        "burned_in": text(header, "BurnedInAnnotation") == "YES",
        "frames": frames,
    }


def _techniques(header: Dataset) -> set[str]:
    """Parts of the pulse sequence: GR, SE, EP, IR, and PC for phase contrast."""
    found = {one_of(word, "GR", "SE", "EP", "IR") for word in texts(header, "ScanningSequence")}
    echo = text(header, "EchoPulseSequence")
    found |= {"GRADIENT": {"GR"}, "SPIN": {"SE"}, "BOTH": {"GR", "SE"}}.get(echo, set())
    if text(header, "EchoPlanarPulseSequence") == "YES":
        found.add("EP")
    if text(header, "InversionRecovery") == "YES" or number(header, "InversionTime", 1, 1e5):
        found.add("IR")
    if text(header, "PhaseContrast") == "YES":
        found.add("PC")
    return found - {""}


def _frames(header: Dataset, maker: str) -> list[dict[str, Any]]:
    """What is said of each frame; a classic file has one."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        return [_frame(header, [header], maker)]
    if len(per_frame) > MOST_FRAMES:
        raise ValueError
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    return [_frame(header, _groups([item, *shared]), maker) for item in per_frame]


GROUPS = (
    *("MREchoSequence", "PlanePositionSequence", "PlaneOrientationSequence"),
    *("PixelMeasuresSequence", "MRImageFrameTypeSequence", "PixelValueTransformationSequence"),
    *("MRDiffusionSequence", "MRTimingAndRelatedParametersSequence", "MRImagingModifierSequence"),
)


def _groups(items: list[Dataset]) -> list[Dataset]:
    """The functional groups of a frame before those that all frames share."""
    found = []
    for item in items:
        for name in GROUPS:
            sequence = item.get(name)
            if sequence:
                found.append(sequence[0])
        found.append(item)
        for private in ((0x2005, 0x140F), (0x0021, 0x11FE)):
            element = item.get(private)
            if element is not None and element.VR == "SQ" and element.value:
                found.append(element.value[0])
    return found


def _frame(header: Dataset, groups: list[Dataset], maker: str) -> dict[str, Any]:
    def first(name: str, low: float, high: float) -> float | None:
        values = (number(group, name, low, high) for group in groups)
        return next((value for value in values if value is not None), None)

    def vector(name: str, length: int) -> list[float] | None:
        values = (numbers(group, name, length) for group in groups)
        return next((value for value in values if value is not None), None)

    types = [texts(group, "FrameType") or texts(group, "ImageType") for group in groups]
    types = [[w for w in words if w in TYPES] for words in types if words]
    own = types[0] if types else [w for w in texts(header, "ImageType") if w in TYPES]
    echo = first("EchoTime", 0, 1e4)
    return {
        "component": _component(header, groups, own, maker),
        "types": sorted({*own, *(w for words in types for w in words if w in {"ADC", "SWI"})}),
        "echo_time": echo if echo is not None else first("EffectiveEchoTime", 0, 1e4),
        "echo_number": whole(header, "EchoNumbers", 0, 256),
        "position": vector("ImagePositionPatient", 3),
        "orientation": vector("ImageOrientationPatient", 6),
        "spacing": vector("PixelSpacing", 2),
        "thickness": first("SliceThickness", 0.01, 1000),
        "b_value": _b_value(groups, maker),
        "slope": first("RescaleSlope", -1e9, 1e9),
        "intercept": first("RescaleIntercept", -1e9, 1e9),
        "unit": _unit(groups),
        "repetition_time": first("RepetitionTime", 0.1, 1e5),
        "flip_angle": first("FlipAngle", 0.1, 360),
        "frequency": first("TransmitterFrequency", 1, 1000),
    }


def _component(header: Dataset, groups: list[Dataset], types: list[str], maker: str) -> str:
    for group in groups:
        said = COMPONENTS.get(text(group, "ComplexImageComponent"))
        if said:
            return said
    if maker == "GE":
        index = private_number(header, 0x0043102F)
        if index is not None and index in range(4):
            return GE_COMPONENTS[int(index)]
    if maker == "Philips":
        for group in groups:
            said = COMPONENTS.get(private_text(group, 0x20051011))
            if said:
                return said
    if maker == "Siemens":
        types = [*types, *private_text(header, 0x00211175).split("\\")]
    found = [COMPONENTS[word] for word in types if word in COMPONENTS]
    others = [word for word in found if word != "magnitude"]
    return (others or found or [""])[0]


def _b_value(groups: list[Dataset], maker: str) -> float | None:
    for group in groups:
        value = number(group, "DiffusionBValue", 0, 1e5)
        if value is not None:
            return value
    private = {"Siemens": 0x0019100C, "GE": 0x00431039, "Philips": 0x20011003}.get(maker)
    value = private_number(groups[0], private) if private else None
    if value is not None and maker == "GE":
        value %= 100_000  # b values above it carry a flag in their upper digits
    return value if value is not None and 0 <= value <= 1e5 else None


def _unit(groups: list[Dataset]) -> str:
    for group in groups:
        mapping = group.get("RealWorldValueMappingSequence")
        if mapping:
            codes = mapping[0].get("MeasurementUnitsCodeSequence")
            said = unit_of(text(codes[0], "CodeValue")) if codes else ""
            if said:
                return said
        said = unit_of(text(group, "RescaleType"))
        if said:
            return said
    return ""


def _check_pixels(stream: BinaryIO, header: Dataset, syntax: str, said: dict[str, Any]) -> None:
    """Mark a file whose pixel data are missing, cut off or of another size than it says."""
    start = stream.tell()
    size = stream.seek(0, 2)
    stream.seek(start)
    head = stream.read(12)
    order, named = PLAIN.get(syntax, ("<", True))
    if len(head) < 12 or struct.unpack(order + "HH", head[:4]) != (0x7FE0, 0x0010):
        said["fault"] = "no pixels"
        return
    if syntax not in PLAIN:
        return
    length = struct.unpack(order + "L", head[8:12] if named else head[4:8])[0]
    data = start + (12 if named else 8)
    frames = whole(header, "NumberOfFrames", 1, MOST_FRAMES) or 1
    bits = whole(header, "BitsAllocated", 8, 64) or 0
    samples = whole(header, "SamplesPerPixel", 1, 1)
    expected = (said["rows"] or 0) * (said["columns"] or 0) * frames * bits // 8
    if data + length > size or not expected <= length <= expected + 1 or not samples:
        said["fault"] = "pixels"
    if len(said["frames"]) not in (1, frames):
        said["fault"] = "frames"


def _field_strength(header: Dataset) -> float | None:
    value = number(header, "MagneticFieldStrength", 0.01, 3e5)
    return value / 1e4 if value is not None and value > 1000 else value  # some write gauss


def _digest(salt: str, *texts: str) -> str:
    return hashlib.blake2b("\0".join((salt, *texts)).encode("utf-8"), digest_size=12).hexdigest()


if __name__ == "__main__":
    main()
