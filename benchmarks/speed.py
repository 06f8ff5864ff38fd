"""Time and memory of every method and of the recipes, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.chains import RECIPE
from benchmarks.fingerprint import digest, of_method
from benchmarks.heads import FIELD_STRENGTH, Head, Subject
from benchmarks.limits import BASE, LARGE
from benchmarks.worker import EVERY
from napari_qsm_stroke import Recipe, Volume, run
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.physics.phantom import MULTI_ECHO
from napari_qsm_stroke.core.physics.scan import FIELD_OF_VIEW_MM
from napari_qsm_stroke.io.atomic import write_json
from napari_qsm_stroke.io.nifti import write_volume
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.recipe import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.cache import Cache
    from napari_qsm_stroke.case.case import Case

Row = dict[str, Any]
Shape = tuple[int, int, int]
SEED = 9001
SHAPES = {"base": BASE, "large": LARGE}
RECIPES = {"multi-echo": len(MULTI_ECHO), "single-echo": 1, "preview": len(MULTI_ECHO)}
"""Echoes that each recipe is measured with."""
ONE_ECHO = 2
"""Which echo stands for an examination with one."""
SMALLEST_BALL_MM = 1.0
"""Radius down to which V-SHARP is timed as well: its limit is one for 1 to 12 mm."""
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Prepared:
    """A head on disk: maps for methods, raw files for recipes."""

    shape: Shape
    folder: Path

    def files(self, part: str, count: int, prefix: str = "") -> list[str]:
        """Raw files of a component."""
        chosen = range(len(MULTI_ECHO)) if count > 1 else [ONE_ECHO]
        return [str(self.folder / f"{prefix}{part}-{echo}.nii.gz") for echo in chosen]


def prepare(shape: Shape, cache: Cache, folder: Path, with_maps: bool) -> Prepared:
    """Bring a simulated head of that shape into a folder, with what any method may take."""
    size = tuple(mm / n for mm, n in zip(FIELD_OF_VIEW_MM, shape, strict=True))
    head = Head.load(Subject(SEED, (size[0], size[1], size[2])), cache)
    if head.grid.shape != shape:
        raise ValueError(f"seed {SEED} has a brain too large for the usual field of view")
    case = head.case
    for echo in range(len(MULTI_ECHO)):
        for part in ("magnitude", "phase"):
            volume = case.maps[part]
            one = volume.data[..., echo]
            write_volume(Volume(one, volume.grid), folder / f"{part}-{echo}.nii.gz", 1)
            coarse = head.grid.affine @ np.diag([EVERY, EVERY, EVERY, 1.0])
            few = np.ascontiguousarray(one[::EVERY, ::EVERY, ::EVERY])
            grid = type(head.grid)(few.shape, coarse)
            write_volume(Volume(few, grid), folder / f"coarse-{part}-{echo}.nii.gz", 1)
    for name, array in _maps(head, cache).items() if with_maps else ():
        np.save(folder / f"{name}.npy", array)
    headers = {
        "voxel_size": head.grid.voxel_size,
        "b0_dir": head.grid.b0_dir,
        "echo_times": MULTI_ECHO,
        "field_strength": FIELD_STRENGTH,
        "affine": head.grid.affine.tolist(),
        "side": "left",
    }
    write_json(folder / "headers.json", headers)
    return Prepared(shape, folder)


def _maps(head: Head, cache: Cache) -> dict[str, Any]:
    """What the recipe makes of the head, and the true masks; kept from run to run."""
    steps = tuple(
        Step(s.method, s.parameters)
        for s in Recipe.load(RECIPE).steps
        if get_method(s.method).stage not in {"register", "masks"}
        or get_method(s.method).inputs[0].source.name == "brain"
    )
    key = digest("maps", head.subject.key, [of_method(get_method(s.method)) for s in steps])
    kept = cache.steps.get(key)
    if kept is None:
        start = head.given("truth", brain=head.truth["brain"])
        done: Case = run(start, Recipe("maps", steps))
        kept = {n: v for n, v in done.maps.items() if n not in head.case.maps}
        cache.steps.put(key, kept)
    masks = {n: head.truth[n] for n in ("veins", "infarct", "territories")}
    raw = {n: v.data for n, v in head.case.maps.items()}
    return raw | {n: v.data for n, v in kept.items()} | masks


def rows(
    shapes: tuple[Shape, ...],
    names: tuple[str, ...],
    recipes: tuple[str, ...],
    cache: Cache,
    say: Callable[[Row], None],
) -> list[Row]:
    """Measure methods (all where none is named) at the first shape, recipes at every shape."""
    methods()
    found = []
    for shape in shapes:
        with TemporaryDirectory(prefix="bench-") as temporary:
            first = shape == shapes[0]
            prepared = prepare(shape, cache, Path(temporary), with_maps=first)
            jobs = _method_jobs(prepared, names) if first else []
            for job in [*jobs, *(_recipe_job(prepared, name) for name in recipes)]:
                measured = _measure(job)
                row = {"kind": job["kind"], "name": job["name"], "shape": shape, **measured}
                say(row)
                found.append(row)
    return found


def _method_jobs(prepared: Prepared, names: tuple[str, ...]) -> list[Row]:
    """One job for each method that the prepared maps suffice for, and those of the limits."""
    there = {path.stem for path in prepared.folder.glob("*.npy")}
    jobs = []
    for name, method in sorted(methods().items()):
        needs = {a.source.name for a in method.inputs if not a.optional}
        if needs <= there and not any(a.whole for a in method.inputs):
            jobs.append({"name": name, "method": name, "echoes": len(MULTI_ECHO)})
    jobs.append({"name": "romeo, one echo", "method": "romeo", "echoes": 1})
    small = {"min_radius": SMALLEST_BALL_MM}
    jobs.append({"name": "vsharp, 1 to 12 mm", "method": "vsharp", "echoes": 1, "values": small})
    jobs.append({"name": "tubes, four scales", "method": "", "echoes": 1})
    headers = json.loads((prepared.folder / "headers.json").read_text("utf-8"))
    shared = {
        "kind": "method",
        "shape": prepared.shape,
        "folder": str(prepared.folder),
        "headers": headers,
    }
    chosen = [job for job in jobs if not names or str(job["name"]).split(",")[0] in names]
    return [{**shared, **job} for job in chosen]


def _recipe_job(prepared: Prepared, name: str) -> Row:
    echoes = RECIPES[name]
    return {
        "kind": "recipe",
        "name": name,
        "shape": prepared.shape,
        "magnitude": prepared.files("magnitude", echoes),
        "phase": prepared.files("phase", echoes),
        "coarse_magnitude": prepared.files("magnitude", echoes, "coarse-"),
        "coarse_phase": prepared.files("phase", echoes, "coarse-"),
        "echo_times": MULTI_ECHO if echoes > 1 else [MULTI_ECHO[ONE_ECHO]],
        "field_strength": FIELD_STRENGTH,
    }


def _measure(job: Row) -> Row:
    """Run a job in a process of its own."""
    with TemporaryDirectory(prefix="bench-") as temporary:
        path = Path(temporary) / "job.json"
        path.write_text(json.dumps(job), "utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return {"failed": last[0]}
    measured: Row = json.loads(done.stdout.splitlines()[-1])
    return measured
