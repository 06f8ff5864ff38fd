"""One participant from files to files; many of them one after the other."""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_qsm_stroke.case.provenance import INTENDED_USE, software
from napari_qsm_stroke.cohort.export import export
from napari_qsm_stroke.cohort.manifest import Job, file_hash, manifest_path, read_manifest
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.errors import Cancelled, ParameterError, QsmStrokeError
from napari_qsm_stroke.io.atomic import write_json
from napari_qsm_stroke.io.derivatives import write_dataset
from napari_qsm_stroke.io.echoes import count_echoes
from napari_qsm_stroke.io.load import load_files
from napari_qsm_stroke.pipeline.measure import MeasureSettings, measure
from napari_qsm_stroke.pipeline.recipe import Recipe
from napari_qsm_stroke.pipeline.run import run

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.pipeline.apply import Store
    from napari_qsm_stroke.pipeline.measure import Measurements

LOG = logging.getLogger(__name__)
Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Plan:
    """What to do with each participant.

    Parameters
    ----------
    recipe : str, optional
        Name or file; else the shipped recipe that fits the number of echoes.
    values : tuple of str
        ``METHOD.PARAMETER=VALUE``.
    settings : MeasureSettings
        How to measure.
    force : bool
        Do again what is already done.
    retry_failed : bool
        Try again what failed before with the same files and configuration.
    """

    recipe: str | None = None
    values: tuple[str, ...] = ()
    settings: MeasureSettings = field(default_factory=MeasureSettings)
    force: bool = False
    retry_failed: bool = False

    def recipe_for(self, echoes: int) -> Recipe:
        """Return the recipe for a case with so many echoes.

        Raises
        ------
        ParameterError
            The recipe, a method or a value is unknown or out of bounds.
        """
        fitting = "multi-echo" if echoes > 1 else "single-echo"
        return Recipe.load(self.recipe or fitting).with_values(self.values)


@dataclass(frozen=True)
class Outcome:
    """What came of one participant."""

    key: str
    status: Status
    reason: str = ""
    seconds: float = 0.0
    files: tuple[Path, ...] = ()


def describe(files: CaseFiles, plan: Plan) -> Job:
    """Return all that the numbers depend on: files by content, recipe, settings, versions.

    Raises
    ------
    ParameterError
        The recipe, a method or a value is unknown or out of bounds.
    """
    config: dict[str, Any] = {
        "measure": plan.settings.as_dict(),
        "version": software().napari_qsm_stroke,
        "side": files.side,
    }
    if files.has_gradient_echo:
        recipe = plan.recipe_for(count_echoes(files))
        config |= {
            "recipe": recipe.to_toml(),
            "revisions": {s.method: get_method(s.method).revision for s in recipe.steps},
            "echo_times": list(files.echo_times or ()),
            "field_strength": files.field_strength,
            "b0_direction": list(files.b0_direction or ()),
            "phase_sign": files.phase_sign,
        }
    hashes = {files.name_of(path): _hash(path) for path in files.read()}
    return Job(hashes, config)


def _hash(path: Path) -> str:
    try:
        return file_hash(path)
    except OSError as error:  # loading says what is wrong with it
        return f"not readable: {error.strerror}"


def reconstruct(
    case: Case, plan: Plan, progress: Progress = silent, store: Store | None = None
) -> tuple[Case, Measurements]:
    """Run the recipe that fits the case and measure."""
    recipe = plan.recipe_for(_echoes(case))
    done = run(case, recipe, part(progress, 0.0, 0.97), store, lean=True)
    progress(0.97, "measuring")
    return done, measure(done, plan.settings)


def participant(
    files: CaseFiles,
    out_dir: str | Path,
    plan: Plan,
    progress: Progress = silent,
    store: Store | None = None,
) -> Outcome:
    """Bring one participant from raw files to derivatives, unless that is already done.

    Whatever goes wrong with this participant's data becomes a manifest that says so; the error
    does not leave the function.

    Raises
    ------
    Cancelled
        The user stopped; files are as they were.
    ParameterError
        The recipe or a parameter cannot be used: that holds for every participant.
    """
    out_dir = Path(out_dir)
    started = time.monotonic()
    job = describe(files, plan)
    before = _before(out_dir, files.key, job, plan)
    if before is not None:
        return before
    try:
        case = load_files(files, part(progress, 0.0, 0.05))
        case, measurements = reconstruct(case, plan, part(progress, 0.05, 0.95), store)
        progress(0.95, "writing files")
        job = job.timed(time.monotonic() - started)
        written = export(case, measurements, out_dir, job)
    except (Cancelled, ParameterError):
        raise
    except QsmStrokeError as error:
        progress(1.0, "failed")
        return _failed(out_dir, files, job, error, time.monotonic() - started)
    except Exception as error:
        progress(1.0, "failed")  # stops here where the error is what became of a Ctrl-C
        LOG.exception("%s failed", files.key)
        return _failed(out_dir, files, job, error, time.monotonic() - started)
    progress(1.0, "done")
    return Outcome(files.key, "done", "", time.monotonic() - started, tuple(written))


def _before(out_dir: Path, key: str, job: Job, plan: Plan) -> Outcome | None:
    """What came of this case before, where that still stands: hand corrections always do."""
    manifest = read_manifest(out_dir, key)
    if plan.force:
        return None
    corrected = sorted({s["step"] for s in manifest.get("steps", []) if s["action"] == "edit"})
    if corrected:
        reason = (
            f"corrected by hand ({', '.join(corrected)}); --force would replace the corrections"
        )
        return Outcome(key, "skipped", reason)
    if not job.is_of(manifest):
        return None
    if manifest.get("status") == "failed":
        if plan.retry_failed:
            return None
        reason = f"failed before ({manifest.get('reason', '')}); try again with --retry-failed."
        return Outcome(key, "failed", reason)
    folder = manifest_path(out_dir, key).parent
    outputs: dict[str, str] = manifest.get("outputs", {})
    whole = all((folder / n).is_file() and file_hash(folder / n) == h for n, h in outputs.items())
    return Outcome(key, "skipped", "already done") if outputs and whole else None


def _echoes(case: Case) -> int:
    return len(case.acquisition.echo_times) if case.acquisition else 1


def _failed(out_dir: Path, files: CaseFiles, job: Job, error: Exception, seconds: float) -> Outcome:
    """Write the manifest of a failure; results of an earlier run stay where they are."""
    expected = isinstance(error, QsmStrokeError)
    reason = str(error) if expected else f"{type(error).__name__}: {error}"
    manifest = {
        "subject": files.key.split("_")[0].removeprefix("sub-"),
        "session": files.key.partition("_ses-")[2],
        "status": "failed",
        "reason": reason,
        "traceback": [] if expected else traceback.format_exception(error),
        **job.timed(seconds).as_dict(),
        "software": software().as_dict(),
        "outputs": {},
        "IntendedUse": INTENDED_USE,
    }
    try:
        write_dataset(out_dir)
        write_json(manifest_path(out_dir, files.key), manifest)
    except OSError as full:
        reason = f"{reason}; and the manifest could not be written ({full.strerror})"
    return Outcome(files.key, "failed", reason, seconds)
