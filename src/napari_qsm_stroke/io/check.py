"""Everything that is wrong with a data set, at once and before anything is computed."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.io.bids import FOLDERS, find_cases
from napari_qsm_stroke.io.faults import Faults, Note
from napari_qsm_stroke.io.load import examine
from napari_qsm_stroke.io.nifti import read_nifti

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.errors import InputError
    from napari_qsm_stroke.io.files import CaseFiles

Level = Literal["error", "warning"]
DESCRIPTION = "dataset_description.json"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: an error keeps an examination from being run, a warning does not."""

    examination: str
    level: Level
    file: str
    fault: str
    remedy: str

    @property
    def sentence(self) -> str:
        """File, fault and remedy in one line."""
        return f"{self.file}: {self.fault} {self.remedy}".strip()


@dataclass(frozen=True)
class Checked:
    """What was looked at, and all that was found."""

    examinations: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """Number of problems that keep an examination from being run."""
        return sum(problem.level == "error" for problem in self.problems)


@dataclass(frozen=True)
class _Seen:
    """What is kept of an examination once it was read: few bytes, so that a cohort fits."""

    key: str
    folder: str
    phase: str
    echo_times: tuple[float, ...]
    field_strength: float


def check_dataset(
    bids_dir: str | Path, labels: Sequence[str] = (), progress: Progress = silent
) -> Checked:
    """Read every examination of a data set and collect all problems.

    Parameters
    ----------
    bids_dir : path
        Folder with ``sub-XX`` folders.
    labels : sequence of str
        Only these subjects, with or without ``sub-``.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    Checked
        Errors and warnings by examination; never stops at the first.
    """
    root = Path(bids_dir)
    faults = Faults()
    found: list[CaseFiles] = []
    with faults:
        found = find_cases(root, labels)
    problems = [Problem("", "error", e.where, e.what, e.remedy) for e in faults.found]
    if found:
        problems += _of_dataset(root)
    seen: list[_Seen] = []
    for index, files in enumerate(found):
        here = part(progress, index / len(found), (index + 1) / len(found))
        case, new = _of_case(root, files, here)
        problems += new
        if case is not None and case.acquisition is not None and "phase" in case.maps:
            acquisition, phase = case.acquisition, case.maps["phase"].digest
            times, strength = acquisition.echo_times, acquisition.field_strength
            seen.append(_Seen(files.key, _folder(files), phase, times, strength))
    problems += _between(seen)
    progress(1.0, "checked")
    return Checked(tuple(files.key for files in found), tuple(problems))


def _of_case(root: Path, files: CaseFiles, progress: Progress) -> tuple[Case | None, list[Problem]]:
    faults = Faults()
    case, notes = examine(files, faults, progress)
    problems = [_problem(root, files, "error", error) for error in faults.found]
    problems += [_problem(root, files, "warning", note) for note in notes]
    if files.dwi is None and files.adc is None and files.has_gradient_echo:
        what = "there is no diffusion image, so the infarct core cannot be found."
        note = Note(_folder(files), what, "Add DWI, or draw the core.")
        problems.append(_problem(root, files, "warning", note))
    problems += _unused(root, files)
    return case, list(dict.fromkeys(problems))


def _problem(root: Path, files: CaseFiles, level: Level, found: InputError | Note) -> Problem:
    """Name the file in the data set; what is about no single file is about its folder."""
    paths = [path for _, path in files.roles()]
    named = found.where.split(", ")
    about = [p for p in paths if str(p) in named or p.name in named]
    where = Path(found.where)
    fault = found.what
    if about:
        file = files.name_of(about[0])
        file += f" and {len(about) - 1} more" if len(about) > 1 else ""
    elif where.is_relative_to(root):
        file = where.relative_to(root).as_posix()
    else:
        file = _folder(files)
        if found.where not in (file, files.key):
            fault = f"{found.where}: {fault}"
    return Problem(files.key, level, file, fault, found.remedy)


def _folder(files: CaseFiles) -> str:
    return "/".join(files.key.split("_"))


def _unused(root: Path, files: CaseFiles) -> Iterator[Problem]:
    """Images of the examination that have no role here, where they are damaged."""
    used = {path for _, path in files.roles()}
    folder = root.joinpath(*files.key.split("_"))
    for path in sorted(p for name in (*FOLDERS, "dwi") for p in (folder / name).glob("*.nii*")):
        if path in used:
            continue
        faults = Faults()
        with faults:
            read_nifti(path)
        for error in faults.found:
            what = f"is not used here, and {error.what}"
            yield _problem(root, files, "warning", Note(error.where, what, error.remedy))


def _of_dataset(root: Path) -> Iterator[Problem]:
    """What the files at the top say, against the folders."""
    try:
        facts = json.loads((root / DESCRIPTION).read_text("utf-8-sig"))
        said = isinstance(facts, dict) and "Name" in facts and "BIDSVersion" in facts
        what = "" if said else "names no data set or no BIDS version."
    except FileNotFoundError:
        what = "is missing."
    except (OSError, ValueError, RecursionError):
        what = "is no JSON object."
    if what:
        remedy = 'Write {"Name": "...", "BIDSVersion": "1.10.0"} into it.'
        yield Problem("", "warning", DESCRIPTION, what, remedy)
    folders = {p.name for p in root.glob("sub-*") if p.is_dir()}
    listed = _participants(root / "participants.tsv")
    if listed is not None:
        for name in sorted(listed - folders):
            what = f"lists {name}, of which there is no folder."
            yield Problem(name, "warning", "participants.tsv", what, "Add it, or take it out.")
        for name in sorted(folders - listed):
            what = f"does not list {name}."
            yield Problem(name, "warning", "participants.tsv", what, "Add it.")
    plain = Counter(_plain(name) for name in folders)
    for name in sorted(folders):
        if plain[_plain(name)] > 1:
            what = "has a label that another subject has but for zeros or capitals."
            yield Problem(name, "warning", name, what, "Make sure that these are two patients.")


def _participants(path: Path) -> set[str] | None:
    try:
        lines = path.read_text("utf-8-sig").splitlines()[1:]
    except (OSError, ValueError):
        return None
    names = {line.split("\t")[0].strip() for line in lines if line.strip()}
    return {name if name.startswith("sub-") else f"sub-{name}" for name in names}


def _plain(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.lower())


def _between(seen: Sequence[_Seen]) -> Iterator[Problem]:
    """One examination under two names, and acquisitions that differ from most others."""
    first: dict[str, _Seen] = {}
    for one in seen:
        other = first.setdefault(one.phase, one)
        if other is not one:
            what = f"holds the same phase as {other.folder}: one examination twice."
            yield Problem(one.key, "error", one.folder, what, "Take one of them out.")
    usual = Counter((one.echo_times, one.field_strength) for one in seen)
    if len(usual) < 2:
        return
    (times, strength), _ = usual.most_common(1)[0]
    shown = f"{', '.join(f'{1000 * t:.4g}' for t in times)} ms at {strength:g} T"
    for one in seen:
        if (one.echo_times, one.field_strength) != (times, strength):
            what = f"was acquired otherwise than most here (echo times {shown})."
            remedy = "Compare only what was acquired alike."
            yield Problem(one.key, "warning", one.folder, what, remedy)
