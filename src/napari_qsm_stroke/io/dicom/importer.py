"""A folder of DICOM files to a BIDS data set, from headers to finished files."""

from __future__ import annotations

import secrets
import tempfile
import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.errors import InputError, QsmStrokeError
from napari_qsm_stroke.io.dicom import dataset
from napari_qsm_stroke.io.dicom.acquisitions import LeftOut, Study, find_studies
from napari_qsm_stroke.io.dicom.convert import Converted, convert
from napari_qsm_stroke.io.dicom.images import (
    Image,
    adc_image,
    by_b_value,
    diffusion_image,
    gradient_echo_images,
    has_b_values,
    single_image,
)
from napari_qsm_stroke.io.dicom.kinds import STRUCTURAL
from napari_qsm_stroke.io.dicom.people import extend_key, name_visits
from napari_qsm_stroke.io.dicom.scan import scan
from napari_qsm_stroke.io.dicom.stacks import Stack, make_stacks
from napari_qsm_stroke.io.files import CaseFiles
from napari_qsm_stroke.io.load import load_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_qsm_stroke.io.phase_sign import PhaseSign

STROKE_B = (800.0, 1200.0)


@dataclass(frozen=True)
class Imported:
    """One examination of an import."""

    key: str
    files: tuple[str, ...]
    """Images, relative to the data set."""
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What an import did."""

    examinations: tuple[Imported, ...]
    failures: tuple[tuple[str, str], ...]
    """Examinations that could not be imported, and why."""
    others: int
    """Files of the folder that are no DICOM."""


@dataclass(frozen=True)
class Options:
    """What the user says of an import."""

    label: str = ""
    session: str = ""
    echo_times: tuple[float, ...] | None = None
    phase_sign: PhaseSign = "auto"
    key_file: Path | None = field(default=None, repr=False)


def import_dicom(
    dicom_dir: str | Path,
    bids_dir: str | Path,
    *,
    participant_label: str = "",
    session: str = "",
    echo_times: Sequence[float] | None = None,
    phase_sign: PhaseSign = "auto",
    key_file: str | Path | None = None,
    progress: Progress = silent,
) -> Result:
    """Import the examinations of a folder of DICOM files.

    Nothing that tells who was examined is written: no names, dates, identifiers, texts of headers
    or names of files, but for the key file.

    Parameters
    ----------
    dicom_dir : path
        Searched with all folders in it; or one file.
    bids_dir : path
        The data set; made where it is not there, added to where it is.
    participant_label : str
        Of the only person in the folder; else the next free number.
    session : str
        Of the only visit in the folder; else visits are numbered where there are several.
    echo_times : sequence of float, optional
        In seconds, where the headers do not say them.
    phase_sign : {"auto", "keep", "negate"}
        ``"auto"`` negates the phase of GE scanners.
    key_file : path, optional
        Written outside the data set: which label is who.
    progress : Progress
        May raise ``Cancelled``; only finished examinations stay then.

    Raises
    ------
    InputError
        No examination can be imported; the message lists what the folder holds.
    """
    times = None if echo_times is None else tuple(echo_times)
    key = None if key_file is None else Path(key_file)
    options = Options(participant_label, session, times, phase_sign, key)
    with _Nameless():
        return _import(Path(dicom_dir), Path(bids_dir), options, progress)


class _Nameless:
    """Lets no message of a library out: it could quote names of files or values of headers."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        """Replace what is not an error of this package by one that quotes nothing."""
        if isinstance(error, OSError):
            raise OSError(error.errno or 0, error.strerror or type(error).__name__) from None
        if isinstance(error, Exception) and not isinstance(error, QsmStrokeError):
            steps = traceback.extract_tb(error.__traceback__)
            place = f" at {Path(steps[-1].filename).name}, line {steps[-1].lineno}" if steps else ""
            raise RuntimeError(f"{type(error).__name__}{place}") from None


def _import(dicom_dir: Path, bids_dir: Path, options: Options, progress: Progress) -> Result:
    dataset.check_target(bids_dir, dicom_dir, options.key_file)
    key = dataset.read_key(options.key_file) if options.key_file else {}
    found = scan(dicom_dir, part(progress, 0.0, 0.3), identify=options.key_file is not None)
    studies = find_studies(make_stacks(found.files))
    usable = [study for study in studies if not study.empty]
    if not usable:
        raise InputError(
            "The DICOM folder", f"holds nothing that can be imported: {_listed(studies)}.", REMEDY
        )
    names = name_visits(
        usable, found.files, bids_dir, key, label=options.label, session=options.session
    )
    made: list[Imported] = []
    errors: dict[str, InputError] = {}
    for index, study in enumerate(usable):
        span = 0.7 / len(usable)
        step = part(progress, 0.3 + index * span, 0.3 + (index + 1) * span)
        try:
            made.append(_make(study, names[study.key], bids_dir, options, step))
        except InputError as error:
            errors[study.key] = error
            continue
        if options.key_file:
            key = extend_key(key, [study], names, found.files)
            dataset.write_key(options.key_file, key)
    if not made:
        raise next(iter(errors.values()))
    failures = tuple(("_".join(filter(None, names[k])), str(e)) for k, e in errors.items())
    return Result(tuple(made), failures, found.others)


REMEDY = "Export magnitude and phase of each echo of the gradient echo."


def _listed(studies: Sequence[Study]) -> str:
    parts = {
        f"series {left.series}, {left.kind.name} ({left.kind.reason})"
        for study in studies
        for left in study.left_out
    }
    return "; ".join(sorted(parts))


def _make(
    study: Study, name: tuple[str, str], bids_dir: Path, options: Options, progress: Progress
) -> Imported:
    """Convert one visit in a folder of its own and move it to its place."""
    subject, session = name
    key = "_".join(filter(None, name))
    fresh = not bids_dir.exists()
    bids_dir.mkdir(parents=True, exist_ok=True)
    made = bids_dir / f".import-{secrets.token_hex(4)}"
    try:
        folder = made / subject / session if session else made / subject
        with tempfile.TemporaryDirectory() as place:
            images, left_out = _images(study, Path(place), options, part(progress, 0.0, 0.6))
            paths = []
            for index, image in enumerate(images):
                progress(0.6 + 0.2 * index / len(images), "writing images")
                paths.append(dataset.write_image(image, folder, key))
        progress(0.8, "checking what was written")
        warnings = _check(paths, key)
        twin = dataset.twin_of(made, bids_dir)
        if twin:
            raise InputError(
                "The examination", f"is already in the data set, as {twin}.", "Nothing to do."
            )
        dataset.place(made, bids_dir, subject, session)
    except BaseException:
        dataset.remove(made)
        if fresh:
            dataset.remove(bids_dir)
        raise
    dataset.remove(made)
    progress(1.0, "imported")
    files = tuple(path.relative_to(made).as_posix() for path in paths)
    return Imported(key, files, (*study.left_out, *left_out), warnings)


def _images(
    study: Study, place: Path, options: Options, progress: Progress
) -> tuple[list[Image], list[LeftOut]]:
    """All images of a visit; what turns out to be wrong with other images than QSM is left out."""
    wanted = [s for g in study.gradient_echoes for s in g.stacks]
    wanted += [*study.diffusion, *study.adc, *study.structural]
    total = len(wanted)
    done = 0
    images: list[Image] = []
    left_out: list[LeftOut] = []

    def run(stacks: Sequence[Stack]) -> list[Converted]:
        nonlocal done
        start = done
        done += len(stacks)

        def tell(fraction: float) -> None:
            progress(min(1.0, (start + fraction * len(stacks)) / total), "converting")

        return convert(stacks, place / str(start), tell)

    for index, acquisition in enumerate(study.gradient_echoes, 1):
        entity = f"run-{index}_" if len(study.gradient_echoes) > 1 else ""
        images += gradient_echo_images(
            acquisition,
            run(acquisition.stacks),
            echo_times=options.echo_times,
            phase_sign=options.phase_sign,
            run=entity,
        )
    for stack, name in _others(study):
        try:
            images.append(_other(stack, name, run))
        except InputError as error:
            kind = type(stack.kind)(stack.kind.name, f"{error.what} {error.remedy}")
            left_out.append(LeftOut(stack.first.number, len(stack.images), kind))
    if not images:
        raise InputError(
            "The DICOM folder",
            "holds nothing that can be imported: "
            + "; ".join(f"series {x.series}, {x.kind.name} ({x.kind.reason})" for x in left_out),
            REMEDY,
        )
    return images, left_out


def _others(study: Study) -> Iterator[tuple[Stack, str]]:
    """Images beside the gradient echo, with their names; the best diffusion series first."""
    groups: dict[str, list[Stack]] = defaultdict(list)
    groups["dwi/{key}_%sdwi"] = sorted(study.diffusion, key=_rank)
    groups["dwi/{key}_%sADC"] = list(study.adc)
    for stack in study.structural:
        groups["anat/{key}_%s" + STRUCTURAL[stack.kind.name]].append(stack)
    for name, stacks in groups.items():
        for index, stack in enumerate(stacks, 1):
            yield stack, name % (f"run-{index}_" if len(stacks) > 1 else "")


def _rank(stack: Stack) -> tuple[bool, bool]:
    values = [frame.b_value or 0.0 for _, frame in stack.images]
    near = any(STROKE_B[0] <= b <= STROKE_B[1] for b in values)
    return (not near, "TRACEW" not in stack.frame.types)


def _other(stack: Stack, name: str, run: Any) -> Image:
    if name.endswith("dwi"):
        return diffusion_image(_diffusion(stack, run), name)
    (converted,) = run([stack])
    return adc_image(converted, name) if name.endswith("ADC") else single_image(converted, name)


def _diffusion(stack: Stack, run: Any) -> list[Converted]:
    """Convert a diffusion series at once, or each b value alone where that does not do."""
    each = by_b_value(stack)
    try:
        whole = run([stack])
    except InputError:
        if len(each) < 2:
            raise
    else:
        if has_b_values(whole[0]):
            return list(whole)
    return list(run(each))


def _check(paths: Sequence[Path], key: str) -> tuple[str, ...]:
    """Load what was written, so that nothing is kept that cannot be used."""

    def ending(path: Path, word: str) -> bool:
        return path.name.endswith(f"_{word}.nii.gz")

    warnings: list[str] = []
    phases = [p for p in paths if "_part-phase_" in p.name]
    runs = sorted({p.name.partition("_run-")[2].partition("_")[0] for p in phases})
    dwi = next((p for p in sorted(paths) if ending(p, "dwi")), None)
    adc = next((p for p in sorted(paths) if ending(p, "ADC")), None)
    for run in runs:
        phase = tuple(p for p in phases if not run or f"_run-{run}_" in p.name)
        magnitude = tuple(Path(str(p).replace("_part-phase_", "_part-mag_")) for p in phase)
        files = CaseFiles(key=key, magnitude=magnitude, phase=phase, dwi=dwi, adc=adc)
        try:
            case = load_files(files)
        except InputError as error:
            raise InputError(
                Path(error.where.split(", ")[0]).name, error.what, error.remedy
            ) from None
        if case.acquisition is not None:
            warnings += case.acquisition.warnings
    if not runs:
        warnings.append(
            "No gradient echo with magnitude and phase: no susceptibility map can be made of it."
        )
    if len(runs) > 1:
        warnings.append(
            f"{len(runs)} gradient echoes with phase: keep the one to reconstruct, remove the "
            "others from the data set."
        )
    return tuple(dict.fromkeys(warnings))
