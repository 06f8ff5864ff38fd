"""Every DICOM file of a folder: what it holds, told by the child process that reads headers."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.dicom.child import GIGABYTE, run_confined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_qsm_stroke.core.progress import Progress

READER = ("-m", "napari_qsm_stroke.io.dicom.headers")
MOST_FILES, FEW = 200_000, 50
MEMORY = 4 * GIGABYTE
PATIENCE_S = 60.0
"""The longest that the header of one file may take."""
FAULTS = {
    "damaged": "the header is damaged",
    "no pixels": "there are no images in it",
    "pixels": "the image data are cut off or of another size than the header says",
    "frames": "the number of images differs from what the header says",
    "syntax": "it is compressed in a way that is not supported",
    "time": f"reading its header takes longer than {PATIENCE_S:.0f} s",
    "memory": f"reading its header takes more than {MEMORY // GIGABYTE} GB",
    "crash": "reading its header fails",
}
EXPORT_AGAIN = "Export the series again from the scanner or the archive."
WHERE = "The DICOM folder"
"""What messages call it: its name and those of its files may tell who was examined."""


@dataclass(frozen=True)
class Frame:
    """One image of a file: lengths in mm, times in ms, b in s/mm2; None where it is not said."""

    component: str
    types: tuple[str, ...]
    echo_time: float | None
    echo_number: int | None
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    thickness: float | None
    b_value: float | None
    slope: float | None
    intercept: float | None
    unit: str
    repetition_time: float | None
    flip_angle: float | None
    frequency: float | None


@dataclass(frozen=True)
class DicomFile:
    """One file of the folder. ``patient``, ``study`` and ``series`` are digests, never names."""

    path: Path = field(repr=False)
    index: int
    kind: str
    patient: str
    study: str
    series: str
    when: int = field(repr=False)
    number: int | None
    modality: str
    maker: str
    model: str
    words: tuple[str, ...]
    protocol: tuple[str, ...]
    techniques: tuple[str, ...]
    rows: int | None
    columns: int | None
    bits: int | None
    signed: bool
    field_strength: float | None
    frequency: float | None
    repetition_time: float | None
    flip_angle: float | None
    bandwidth: float | None
    dimensions: str
    burned_in: bool
    lossy: bool
    frames: tuple[Frame, ...]
    identity: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Scan:
    """What a folder holds."""

    files: tuple[DicomFile, ...]
    others: int
    """Files that are no DICOM."""


def scan(folder: Path, progress: Progress, *, identify: bool = False) -> Scan:
    """Read the headers of all DICOM files in a folder and the folders in it.

    Parameters
    ----------
    folder : path
        Or one DICOM file.
    progress : Progress
        May raise ``Cancelled``.
    identify : bool
        Return the identity too, for a key file.

    Raises
    ------
    MissingError
        There is no such folder, or no DICOM file in it.
    InputError
        A DICOM file is damaged: leaving it out could leave out a slice in silence.
    """
    paths = list(_walk(folder))
    said = _read(paths, progress, identify)
    others = sum(record.get("fault") == "other" for record in said)
    for index, record in enumerate(said):
        fault = record.get("fault")
        if fault and fault != "other" and not _is_no_image(record):
            raise InputError(
                f"File {index + 1} of {len(paths)} in the DICOM folder (in the order of names)",
                f"{FAULTS[fault]}.",
                EXPORT_AGAIN,
            )
    files = tuple(
        _file(paths[index], record)
        for index, record in enumerate(said)
        if record.get("fault") != "other"
    )
    if not files:
        raise MissingError(
            WHERE,
            f"holds no DICOM file ({others} other files).",
            "Give the folder of an examination; unpack archives first.",
        )
    return Scan(files, others)


def _walk(folder: Path) -> Iterator[Path]:
    """All files, in the order of their names."""
    if folder.is_file():
        yield folder
        return
    if not folder.is_dir():
        raise MissingError(WHERE, "there is no such folder.", "Check the path.")
    count = 0
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(here, name)
            if path.is_file():
                count += 1
                yield path
        if count > MOST_FILES:
            raise InputError(
                WHERE, f"holds more than {MOST_FILES} files.", "Give one examination at a time."
            )


def _read(paths: list[Path], progress: Progress, identify: bool) -> list[dict[str, Any]]:
    """Headers of all files; a file on which the child process ends is marked, the rest goes on."""
    records: list[dict[str, Any]] = []
    salt = secrets.token_hex(16)
    while len(records) < len(paths):
        done = len(records)

        def look(lines: int, done: int = done) -> None:
            progress((done + lines) / len(paths), "reading headers")

        request = {
            "memory": MEMORY,
            "salt": salt,
            "identify": identify,
            "files": [[i, str(path)] for i, path in enumerate(paths[done:], done)],
        }
        ending = run_confined(
            [sys.executable, *READER],
            request=json.dumps(request) + "\n",
            memory=MEMORY,
            patience=PATIENCE_S,
            look=look,
        )
        whole_lines = ending.output[: ending.output.rfind("\n") + 1].splitlines()
        records += [json.loads(line) for line in whole_lines]
        if ending.code != 0 or ending.stopped_for:
            if not whole_lines and not done and ending.code == 1 and len(paths) > 1:
                _check_child()
            records.append({"fault": ending.stopped_for or "crash"})
    return records[: len(paths)]


def _check_child() -> None:
    """Tell a broken installation from a broken file."""
    request = json.dumps({"memory": MEMORY, "salt": "", "identify": False, "files": []}) + "\n"
    ending = run_confined(
        [sys.executable, *READER],
        request=request,
        memory=MEMORY,
        patience=PATIENCE_S,
    )
    if ending.code:
        raise InputError(
            "The program that reads headers", "does not start.", "Install pydicom anew."
        )


def _is_no_image(record: dict[str, Any]) -> bool:
    """Tell a report or another object that needs no image data from a damaged image."""
    return record.get("kind") == "other" or record.get("modality") == "other"


def _file(path: Path, record: dict[str, Any]) -> DicomFile:
    said = {key: _fixed(value) for key, value in record.items() if key != "fault"}
    frames = [{key: _fixed(value) for key, value in frame.items()} for frame in record["frames"]]
    return DicomFile(**{**said, "path": path, "frames": tuple(Frame(**f) for f in frames)})


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def holds_dicom(folder: Path) -> bool:
    """Tell whether one of the first files below a folder is a DICOM file."""
    found = (Path(here, name) for here, _, names in os.walk(folder) for name in sorted(names))
    return any(_is_dicom(path) for path in itertools.islice(found, FEW))


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False
