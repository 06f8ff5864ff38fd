"""BIDS data sets: which files belong to which examination."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.bids_names import ImageName, read_name
from napari_qsm_stroke.io.faults import Note
from napari_qsm_stroke.io.files import CaseFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GRADIENT_ECHO = ("MEGRE", "T2starw", "T2star", "GRE", "QSM", "", "SWI", "T1w")
"""Suffixes of a gradient echo, the preferred one first. Only the first two and T1w are BIDS."""
ONLY_WITH_PHASE = {"T1w", ""}
"""Suffixes that mean a gradient echo only where there is phase beside the magnitude."""
FOLDERS = ("anat", "swi", "gre", "qsm")
Parts = dict[str, list[ImageName]]


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
    complete = [files for files in found if files.has_gradient_echo or files.faults]
    return complete or found[:1]


def _of_folder(root: Path, folder: Path) -> CaseFiles:
    """Files of one examination; ``folder`` is that of the subject or of the session."""
    key = "_".join(folder.relative_to(root).parts)
    anatomy = [name for sub in FOLDERS for name in _images(folder / sub)]
    diffusion = _images(folder / "dwi")
    faults = list(_foreign(key, [*anatomy, *diffusion]))
    notes: list[Note] = []
    parts = _choose(key, anatomy, faults)
    faults += _gaps(parts, notes)
    taken = {name.path for names in parts.values() for name in names}
    others = [name for name in anatomy if name.path not in taken and not name.part]

    def echoes(role: str) -> tuple[Path, ...]:
        return _in_order(parts.get(role, []))

    return CaseFiles(
        key=key,
        magnitude=echoes("magnitude"),
        phase=echoes("phase"),
        real=echoes("real"),
        imaginary=echoes("imaginary"),
        dwi=_only("DWI", ("dwi", "trace", "tracew", "b1000"), diffusion, notes),
        b0=_only("b0 image", ("b0",), diffusion, notes),
        adc=_only("ADC", ("adc",), diffusion, notes),
        flair=_only("FLAIR", ("flair",), others, notes),
        t1w=_only("T1", ("t1w",), others, notes),
        root=root,
        faults=tuple(faults),
        notes=tuple(notes),
    )


def _images(folder: Path) -> list[ImageName]:
    return [read_name(path) for path in sorted(folder.glob("*.nii*"))]


def _foreign(key: str, names: Sequence[ImageName]) -> Iterator[InputError]:
    """Images whose name says another subject or session than their folder."""
    for name in names:
        said = [f"{k}-{name.entities[k]}" for k in ("sub", "ses") if k in name.entities]
        if not set(said) <= set(key.split("_")):
            yield InputError(
                str(name.path),
                f"its name says {' '.join(said)}, its folder {' '.join(key.split('_'))}.",
                "Put it where it belongs, or correct its name.",
            )


def _choose(key: str, names: Sequence[ImageName], faults: list[InputError]) -> Parts:
    """Parts of the acquisition that has phase; of any where none has."""
    series: dict[str, Parts] = {}
    suffixes: dict[str, str] = {}
    for name in names:
        if name.suffix in GRADIENT_ECHO:
            series.setdefault(name.series, {}).setdefault(name.part or "magnitude", []).append(name)
            suffixes[name.series] = name.suffix
    complete = {
        which
        for which, parts in series.items()
        if {"magnitude", "phase"} <= set(parts) or {"real", "imaginary"} <= set(parts)
    }
    for suffix in GRADIENT_ECHO:
        found = sorted(which for which in complete or series if suffixes[which] == suffix)
        if not complete and suffix in ONLY_WITH_PHASE:
            continue
        if len(found) > 1 and complete:
            what = f"there are several gradient echoes with phase: {', '.join(found)}."
            faults.append(InputError(key, what, "Keep one of them in the data set."))
            return {}
        if found:
            return _preferred(series[found[0]])
    return {}


def _preferred(parts: Parts) -> Parts:
    """Magnitude and phase where both are there, else real and imaginary part."""
    for pair in (("magnitude", "phase"), ("real", "imaginary")):
        if set(pair) <= set(parts):
            return {part: parts[part] for part in pair}
    return parts


def _gaps(parts: Parts, notes: list[Note]) -> Iterator[InputError]:
    """Echoes that one part has and the other has not, twice the same, and gaps in both."""
    numbers = {part: [name.echo for name in names] for part, names in parts.items()}
    for part, found in numbers.items():
        twice = sorted({n for n in found if found.count(n) > 1})
        if twice:
            path = next(n.path for n in parts[part] if n.echo == twice[0])
            what = f"there are several {part} images of echo {twice[0] or 1}."
            yield InputError(str(path), what, "Keep one of them, or number the echoes.")
    every = sorted({n for found in numbers.values() for n in found})
    for part, found in numbers.items():
        lacking = [n for n in every if n not in found]
        if lacking and len(numbers) > 1:
            listed = ", ".join(map(str, lacking))
            where = str(parts[part][0].path.parent)
            what = f"there is no {part} image of echo {listed}."
            yield InputError(where, what, "Add it, or take the echo out of the other part.")
    gaps = sorted(set(range(min(every, default=1), max(every, default=0))) - set(every))
    if gaps:
        where = str(next(iter(parts.values()))[0].path.parent)
        what = f"Echo {', '.join(map(str, gaps))} is missing; the others were read."
        notes.append(Note(where, what, "Export it again, or read the numbers with it in mind."))


def _in_order(names: Sequence[ImageName]) -> tuple[Path, ...]:
    return tuple(name.path for name in sorted(names, key=lambda name: name.echo))


def _only(
    role: str, words: Sequence[str], names: Sequence[ImageName], notes: list[Note]
) -> Path | None:
    """Return the image of that role, the first of several."""
    found = [n for word in words for n in names if n.suffix.lower() == word]
    if len(found) > 1:
        others = ", ".join(name.path.name for name in found[1:])
        what = f"was taken as {role}, one of several; {others} was left aside."
        notes.append(Note(str(found[0].path), what, "Keep the right one in the data set."))
    return found[0].path if found else None
