"""BIDS data sets: which files belong to which examination; a case written as raw data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.errors import MissingError
from napari_qsm_stroke.io.files import CaseFiles
from napari_qsm_stroke.io.sidecar import stem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GRADIENT_ECHO = ("MEGRE", "T2starw", "GRE", "SWI")
"""Suffixes of a gradient echo, the preferred one first. The last two are habits, not BIDS."""
PHASE_WORDS = {"phase", "ph"}
MAGNITUDE_WORDS = {"mag", "magnitude"}
FOLDERS = ("anat", "swi")


@dataclass(frozen=True)
class _Image:
    """A gradient-echo image and what its name says."""

    path: Path
    suffix: str
    part: str
    echo: int
    series: str
    """Everything in the name but echo and part: images of one acquisition share it."""


def find_cases(bids_dir: str | Path, labels: Sequence[str] = ()) -> list[CaseFiles]:
    """Find the examinations of a data set.

    A session without any gradient echo is left out unless it is all that the subject has: loading
    it then says what is missing.

    Parameters
    ----------
    bids_dir : path
        Folder with ``sub-XX`` folders.
    labels : sequence of str
        Only these subjects, with or without ``sub-``.

    Raises
    ------
    MissingError
        There is no such folder, no subject in it, or none of that label.
    """
    root = Path(bids_dir)
    if not root.is_dir():
        raise MissingError(str(root), "there is no such folder.", "Check the path.")
    subjects = sorted(p for p in root.glob("sub-*") if p.is_dir())
    if not subjects:
        raise MissingError(str(root), "there is no subject folder (sub-XX).", "Give a BIDS folder.")
    wanted = [f"sub-{label.removeprefix('sub-')}" for label in labels]
    unknown = sorted(set(wanted) - {p.name for p in subjects})
    if unknown:
        raise MissingError(str(root), f"there is no {', '.join(unknown)}.", "Check the labels.")
    return [
        files
        for subject in subjects
        if not wanted or subject.name in wanted
        for files in _of_subject(root, subject)
    ]


def _of_subject(root: Path, subject: Path) -> list[CaseFiles]:
    sessions = sorted(p for p in subject.glob("ses-*") if p.is_dir())
    found = [_of_folder(root, folder) for folder in sessions or [subject]]
    complete = [files for files in found if files.magnitude or files.phase or files.fault]
    return complete or found[:1]


def _of_folder(root: Path, folder: Path) -> CaseFiles:
    """Files of one examination; ``folder`` is that of the subject or of the session."""
    key = "_".join(folder.relative_to(root).parts)
    magnitude, phase, fault = _choose(list(_images(folder)))
    diffusion = sorted(p for p in (folder / "dwi").glob("*.nii*") if p.is_file())
    return CaseFiles(
        key=key,
        magnitude=magnitude,
        phase=phase,
        dwi=_first(diffusion, "dwi"),
        adc=_first(diffusion, "adc"),
        root=root,
        fault=fault,
    )


def _images(folder: Path) -> Iterator[_Image]:
    for name in FOLDERS:
        for path in sorted((folder / name).glob("*.nii*")):
            words = stem(path).split("_")
            part = "mag"
            if words[-1].lower() in PHASE_WORDS | MAGNITUDE_WORDS:
                part = "phase" if words.pop().lower() in PHASE_WORDS else "mag"
            suffix = words.pop() if words else ""
            entities = dict(word.split("-", 1) for word in words if "-" in word)
            part = entities.pop("part", part)
            entities = {k: v for k, v in entities.items() if k not in ("sub", "ses")}
            echo = re.fullmatch(r"\d+", entities.pop("echo", "0"))
            if suffix in GRADIENT_ECHO and echo and path.is_file():
                series = "_".join([*(f"{k}-{v}" for k, v in entities.items()), suffix])
                yield _Image(path, suffix, part, int(echo.group()), series)


def _choose(images: list[_Image]) -> tuple[tuple[Path, ...], tuple[Path, ...], str]:
    """Magnitude and phase of the acquisition that has both (of any where none has), and a fault."""
    series: dict[str, dict[str, list[_Image]]] = {}
    for image in images:
        series.setdefault(image.series, {}).setdefault(image.part, []).append(image)
    complete = {name: parts for name, parts in series.items() if {"mag", "phase"} <= set(parts)}
    candidates = complete or series
    for suffix in GRADIENT_ECHO:
        found = [name for name in candidates if name.endswith(suffix)]
        if len(found) > 1 and complete:
            return (), (), f"there are several gradient echoes with phase: {', '.join(found)}."
        if found:
            parts = candidates[found[0]]
            return _in_order(parts.get("mag", [])), _in_order(parts.get("phase", [])), ""
    return (), (), ""


def _in_order(images: list[_Image]) -> tuple[Path, ...]:
    return tuple(image.path for image in sorted(images, key=lambda image: image.echo))


def _first(paths: list[Path], suffix: str) -> Path | None:
    return next((p for p in paths if stem(p).split("_")[-1].lower() == suffix), None)
