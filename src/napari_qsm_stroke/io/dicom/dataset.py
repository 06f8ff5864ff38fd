"""The data set that an import writes into: its description, its subjects, and the key file."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.atomic import write_bytes, write_json, write_text
from napari_qsm_stroke.io.derivatives import BIDS_VERSION, generated_by
from napari_qsm_stroke.io.dicom.images import without_texts
from napari_qsm_stroke.io.nifti import write_volume
from napari_qsm_stroke.io.sidecar import beside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_qsm_stroke.io.dicom.images import Image

COMPRESSION = 4
README = """# Imported examinations

Converted from DICOM by dcm2niix and napari-qsm-stroke. Names, dates, identifiers, private elements
and descriptions were left behind. Faces are not removed: the images show them.

Phase is in rad, and a positive field has a positive phase: `PhaseImport` in the sidecars says how
unit and sign were found.
"""
LABEL = re.compile(r"[0-9a-zA-Z]+")


def check_target(bids_dir: Path, dicom_dir: Path, key_file: Path | None) -> None:
    """Refuse a folder that must not be written into.

    Raises
    ------
    InputError
        It is a file, holds something else than a BIDS data set, or is the DICOM folder; or the key
        file lies in it.
    """
    if bids_dir.exists() and not bids_dir.is_dir():
        raise InputError("BIDS_DIR", "is a file, expected a folder.", "Give another one.")
    inside = bids_dir.resolve()
    if inside == dicom_dir.resolve() or dicom_dir.resolve() in inside.parents:
        raise InputError(
            "BIDS_DIR", "lies in the DICOM folder.", "Give a folder of its own to the data set."
        )
    description = bids_dir / "dataset_description.json"
    if bids_dir.is_dir() and any(bids_dir.iterdir()):
        if not description.is_file():
            raise InputError(
                "BIDS_DIR", "holds other files and is no data set.", "Give an empty folder."
            )
        if '"derivative"' in description.read_text("utf-8", "replace"):
            raise InputError(
                "BIDS_DIR", "holds derivatives, expected raw data.", "Give another folder."
            )
    if key_file is not None and inside in key_file.resolve().parents:
        raise InputError(
            "The key file", "lies in the data set.", "Keep it apart: it tells who was examined."
        )


def prepare(bids_dir: Path) -> None:
    """Write what makes a folder a data set, where it is not there yet."""
    description = bids_dir / "dataset_description.json"
    if not description.is_file():
        facts = {
            "Name": "Imported examinations",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "GeneratedBy": [generated_by()],
        }
        write_json(description, facts)
    if not any(bids_dir.glob("README*")):
        write_text(bids_dir / "README.md", README)


def subjects(bids_dir: Path) -> list[str]:
    """Return the subjects of a data set, e.g. ``sub-01``."""
    return sorted(p.name for p in bids_dir.glob("sub-*") if p.is_dir())


def free_label(taken: Sequence[str]) -> str:
    """Return the next number that no subject has."""
    number = 1
    while f"sub-{number:02d}" in taken:
        number += 1
    return f"sub-{number:02d}"


def check_label(label: str, what: str) -> str:
    """Return a label without its prefix.

    Raises
    ------
    InputError
        It has other signs than letters and digits.
    """
    bare = label.removeprefix("sub-").removeprefix("ses-")
    if not LABEL.fullmatch(bare):
        raise InputError(what, f"{label!r} is no label.", "Use letters and digits only.")
    return bare


def write_image(image: Image, folder: Path, key: str) -> Path:
    """Write an image with its sidecar and b values below the folder of its subject."""
    path = folder / f"{image.name.format(key=key)}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image.content, Path):
        write_bytes(path, gzip.compress(without_texts(image.content), COMPRESSION, mtime=0))
    else:
        write_volume(image.content, path, COMPRESSION)
    write_json(beside(path, ".json"), image.facts)
    if image.bvalues:
        write_text(beside(path, ".bval"), _line(image.bvalues))
        write_text(beside(path, ".bvec"), "".join(_line(row) for row in image.bvectors))
    return path


def _line(values: Sequence[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values) + "\n"


def place(made: Path, bids_dir: Path, subject: str, session: str) -> None:
    """Move a finished examination to its place.

    Raises
    ------
    InputError
        There is one already.
    """
    target = bids_dir / subject / session if session else bids_dir / subject
    if target.exists():
        raise InputError(
            "/".join(filter(None, (subject, session))),
            "is already in the data set.",
            "Give another label (--participant-label, --session).",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    (made / subject / session if session else made / subject).rename(target)
    prepare(bids_dir)
    add_participant(bids_dir, subject)


def twin_of(made: Path, bids_dir: Path) -> str:
    """Name the subject of a data set that has the same phase as what was just made, if any."""
    for image in sorted(made.rglob("*_part-phase_*.nii.gz"))[:1]:
        content = image.read_bytes()
        for other in bids_dir.glob("sub-*/**/*_part-phase_*.nii.gz"):
            if other.stat().st_size == len(content) and other.read_bytes() == content:
                return other.relative_to(bids_dir).parts[0]
    return ""


def add_participant(bids_dir: Path, subject: str) -> None:
    """Add a line to the table of participants; other columns stay, with n/a."""
    table = bids_dir / "participants.tsv"
    lines = table.read_text("utf-8").splitlines() if table.is_file() else ["participant_id"]
    if subject not in {line.split("\t")[0] for line in lines}:
        columns = lines[0].count("\t")
        lines.append(subject + "\tn/a" * columns)
    write_text(table, "\n".join(lines) + "\n")


def read_key(path: Path) -> dict[str, Any]:
    """Return what a key file says; empty where there is none yet.

    Raises
    ------
    InputError
        It is another file.
    """
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not all(isinstance(v, dict) for v in said.values()):
        raise InputError("The key file", "is no key file of an import.", "Give another name.")
    return said


def write_key(path: Path, key: Mapping[str, Any]) -> None:
    """Write a key file that only its owner can read."""
    write_json(path, key)
    os.chmod(path, 0o600)


def remove(folder: Path) -> None:
    """Remove a folder and all in it."""
    shutil.rmtree(folder, ignore_errors=True)
