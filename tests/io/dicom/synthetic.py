"""Scanners made of code: DICOM series of a small head whose field, sides and values are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

SHAPE = (20, 24, 10)
"""Columns, rows, slices."""
SPACING = (2.0, 1.5, 2.5)
TILT = np.deg2rad(25)
ROW = np.array([1.0, 0.0, 0.0])
COLUMN = np.array([0.0, np.cos(TILT), np.sin(TILT)])
ORIGIN = np.array([-20.0, -16.0, -10.0])
MARK = (3, 5, 7)
"""Brightest voxel: column, row, slice."""
TIMES_MS = (4.0, 8.0, 12.0, 16.0, 20.0, 24.0)


def magnitude(time_ms: float) -> np.ndarray:
    """Signal of an ellipsoid head with one bright voxel, 12 bits."""
    i, j, k = (np.arange(n) / (n - 1) * 2 - 1 for n in SHAPE)
    inside = i[:, None, None] ** 2 + j[:, None] ** 2 + k**2 < 0.8
    signal = np.where(inside, 1800.0, 20.0) * np.exp(-time_ms / 60)
    signal[MARK] = 4000 * np.exp(-time_ms / 60)
    return signal


def phase(time_ms: float) -> np.ndarray:
    """Wrapped phase (rad) of a field that is positive towards the front and wraps."""
    j = np.arange(SHAPE[1])[None, :, None]
    k = np.arange(SHAPE[2])[None, None, :]
    hertz = 60.0 - 6.0 * j + 3.0 * k + np.zeros(SHAPE)
    angle = 2 * np.pi * hertz * time_ms / 1000
    return np.angle(np.exp(1j * angle))


def world(index: tuple[int, int, int]) -> np.ndarray:
    """Place of a voxel in RAS mm."""
    normal = np.cross(ROW, COLUMN)
    lps = ORIGIN + index[0] * SPACING[0] * ROW + index[1] * SPACING[1] * COLUMN
    return (lps + index[2] * SPACING[2] * normal) * (-1, -1, 1)


@dataclass
class Visit:
    """One visit of one person at one scanner; writes series into a folder."""

    folder: Path
    maker: str = "SIEMENS"
    person: str = "Test^Person"
    person_id: str = "1"
    study: str = field(default_factory=generate_uid)
    day: str = "20240102"
    frame: str = field(default_factory=generate_uid)
    written: int = 0

    def series(
        self,
        number: int,
        values: np.ndarray,
        *,
        types: list[str],
        time_ms: float = 20.0,
        echo: int = 1,
        uid: str | None = None,
        signed: bool = False,
        tag: int | None = None,
        names: str = "IM{:05d}",
        **facts: Any,
    ) -> str:
        """Write a stack of slices (columns, rows, slices) and return the UID of its series."""
        uid = uid or generate_uid()
        for index in range(values.shape[2]):
            data = self._common(number, uid, MRImageStorage)
            data.ImageType = types
            data.EchoTime, data.EchoNumbers = time_ms, echo
            data.InstanceNumber = self.written
            data.ImagePositionPatient = [float(v) for v in self._corner(index)]
            data.ImageOrientationPatient = [float(v) for v in (*ROW, *COLUMN)]
            data.PixelSpacing = [SPACING[1], SPACING[0]]
            data.SliceThickness = data.SpacingBetweenSlices = SPACING[2]
            data.SliceLocation = index * SPACING[2]
            if tag is not None:
                data.add_new(0x00430010, "LO", "GEMS_PARM_01")
                data.add_new(0x0043102F, "SS", tag)
            self._pixels(data, values[:, :, index : index + 1], signed)
            for name, value in facts.items():
                setattr(data, name, value)
            self._save(data, names)
        return uid

    def enhanced(
        self,
        number: int,
        stacks: list[tuple[str, float, np.ndarray]],
        *,
        scaling: dict[str, tuple[float, float]] | None = None,
        uid: str | None = None,
        names: str = "IM{:05d}",
        **facts: Any,
    ) -> str:
        """Write (component letter, echo time, values) into one multi-frame file."""
        uid = uid or generate_uid()
        data = self._common(number, uid, EnhancedMRImageStorage)
        data.ImageType = ["ORIGINAL", "PRIMARY", stacks[0][0], "NONE"]
        data.NumberOfFrames = sum(values.shape[2] for _, _, values in stacks)
        data.InstanceNumber = 1
        data.EchoPulseSequence = "GRADIENT"
        frames = []
        for letter, time_ms, values in stacks:
            for index in range(values.shape[2]):
                slope, intercept = (scaling or {}).get(letter, (1.0, 0.0))
                frames.append(self._group(letter, time_ms, index, slope, intercept))
        shared = Dataset()
        shared.PlaneOrientationSequence = _one(
            ImageOrientationPatient=[float(v) for v in (*ROW, *COLUMN)]
        )
        shared.PixelMeasuresSequence = _one(
            PixelSpacing=[SPACING[1], SPACING[0]],
            SliceThickness=SPACING[2],
            SpacingBetweenSlices=SPACING[2],
        )
        shared.MRTimingAndRelatedParametersSequence = _one(RepetitionTime=30.0, FlipAngle=15.0)
        data.SharedFunctionalGroupsSequence = Sequence([shared])
        data.PerFrameFunctionalGroupsSequence = Sequence(frames)
        self._pixels(data, np.concatenate([v for _, _, v in stacks], axis=2), False)
        for name, value in facts.items():
            setattr(data, name, value)
        self._save(data, names)
        return uid

    def _group(
        self, letter: str, time_ms: float, index: int, slope: float, intercept: float
    ) -> Dataset:
        group = Dataset()
        words = {"M": "MAGNITUDE", "P": "PHASE", "R": "REAL", "I": "IMAGINARY"}
        group.MREchoSequence = _one(EffectiveEchoTime=time_ms)
        group.PlanePositionSequence = _one(
            ImagePositionPatient=[float(v) for v in self._corner(index)]
        )
        group.MRImageFrameTypeSequence = _one(
            FrameType=["ORIGINAL", "PRIMARY", letter, "NONE"],
            ComplexImageComponent=words[letter],
        )
        group.PixelValueTransformationSequence = _one(
            RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US"
        )
        group.FrameContentSequence = _one(
            StackID="1", InStackPositionNumber=index + 1, DimensionIndexValues=[1, index + 1]
        )
        return group

    def _corner(self, index: int) -> np.ndarray:
        return ORIGIN + index * SPACING[2] * np.cross(ROW, COLUMN)

    def _common(self, number: int, uid: str, kind: str) -> Dataset:
        self.written += 1
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = kind
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.PatientName, data.PatientID = self.person, self.person_id
        data.StudyInstanceUID, data.SeriesInstanceUID = self.study, uid
        data.FrameOfReferenceUID = self.frame
        data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = self.day
        data.StudyTime = data.SeriesTime = data.AcquisitionTime = "101500"
        data.Modality, data.Manufacturer = "MR", self.maker
        data.ManufacturerModelName = "Prisma"
        data.SeriesNumber = number
        data.SeriesDescription = data.ProtocolName = "gre"
        data.ScanningSequence, data.SequenceVariant = "GR", "SP"
        data.MRAcquisitionType = "3D"
        data.MagneticFieldStrength, data.ImagingFrequency = 3.0, 123.2
        data.RepetitionTime, data.FlipAngle, data.PixelBandwidth = 30.0, 15.0, 300.0
        data.PatientPosition = "HFS"
        return data

    def _pixels(self, data: Dataset, values: np.ndarray, signed: bool) -> None:
        data.Rows, data.Columns = values.shape[1], values.shape[0]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        if signed:
            data.BitsStored, data.HighBit = 16, 15
        data.PixelRepresentation = int(signed)
        stored = np.rint(values).astype("<i2" if signed else "<u2")
        data.PixelData = np.ascontiguousarray(stored.T).tobytes()

    def _save(self, data: Dataset, names: str) -> None:
        path = self.folder / names.format(self.written)
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)


def _one(**values: Any) -> Sequence:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return Sequence([item])


def twelve_bits(angle: np.ndarray) -> np.ndarray:
    """Phase as Siemens stores it: 0 to 4095."""
    return np.clip(np.floor((angle + np.pi) / (2 * np.pi) * 4096), 0, 4095)


def siemens(folder: Path, *, echoes: int = 6, tagged: bool = True, **visit: Any) -> Visit:
    """Write magnitude and phase of several echoes, in two series in one folder."""
    scanner = Visit(folder, **visit)
    scale = {"RescaleSlope": 2, "RescaleIntercept": -4096} if tagged else {}
    first, second = generate_uid(), generate_uid()
    for echo, time in enumerate(TIMES_MS[:echoes], 1):
        common: dict[str, Any] = {"time_ms": time, "echo": echo}
        scanner.series(
            5, magnitude(time), types=["ORIGINAL", "PRIMARY", "M", "ND"], uid=first, **common
        )
        values = twelve_bits(phase(time))
        types = ["ORIGINAL", "PRIMARY", "P", "ND"]
        scanner.series(6, values, types=types, uid=second, **common, **scale)
    return scanner


def ge(
    folder: Path, *, echoes: int = 2, parts: bool = False, chopped: bool = False, **visit: Any
) -> Visit:
    """Write what GE writes: one series, the component in a private tag, the other sign.

    ``parts``: real and imaginary instead of magnitude and phase; ``chopped``: with a sign that
    changes from slice to slice.
    """
    scanner = Visit(folder, maker="GE MEDICAL SYSTEMS", **visit)
    uid = generate_uid()
    types = ["ORIGINAL", "PRIMARY", "OTHER"]
    turns = np.where(np.arange(SHAPE[2]) % 2, -1, 1) if chopped else 1
    for echo, time in enumerate(TIMES_MS[:echoes], 1):
        signal = magnitude(time) * np.exp(-1j * phase(time)) * turns
        images = {0: np.abs(signal), 1: 1000 * np.angle(signal)}
        if parts:
            images = {2: signal.real, 3: signal.imag}
        for tag, values in images.items():
            scanner.series(
                3, values, types=types, time_ms=time, echo=echo, uid=uid, signed=True, tag=tag
            )
    return scanner
