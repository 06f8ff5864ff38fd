"""One measurement in a process of its own: ``python -m benchmarks.worker FILE`` prints JSON.

The file holds a job as JSON. A method is called on maps that were prepared before; a recipe reads
raw files. Both first run on every fourth voxel, so that compiling is no part of what is measured.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.stopwatch import Seconds, pairs, peak_bytes
from napari_qsm_stroke.core.masks.smoothing import smooth
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.core.numerics.tubes import tube_response
from napari_qsm_stroke.core.quantities import Quantity
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.files import CaseFiles
from napari_qsm_stroke.io.load import load_files
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.recipe import Recipe
from napari_qsm_stroke.pipeline.run import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke.core.method import Method

EVERY = 4
PAIRS_EACH_SIDE = 4
LONGEST_SERIES = 12.0
"""Seconds that repeated calls may take in all."""
FEW, MORE = 3, 9
"""Iterations of the two calls whose difference is the time of an iteration."""
TINY = 1e-12
TUBE_SCALES_MM = (0.5, 0.7, 0.9, 1.2)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    methods()
    shape = tuple(job["shape"])
    before = pairs(shape, PAIRS_EACH_SIDE)
    found = recipe(job) if job["kind"] == "recipe" else call(job)
    pair = Seconds.median([*before, *pairs(shape, PAIRS_EACH_SIDE)])
    volume = 4 * float(np.prod(shape))
    row: dict[str, Any] = {"pair_seconds": pair.wall}
    for name, value in found.items():
        if isinstance(value, Seconds):
            row[name] = value.wall / pair.wall
            row[f"{name}_cpu"] = value.cpu / pair.cpu
        elif name == "bytes":
            row["volumes"] = None if value is None else value / volume
        else:
            row[name] = value
    print(json.dumps(row))


def call(job: dict[str, Any]) -> dict[str, Any]:
    """Time a method on prepared maps; iterations too where it has them."""
    scene = Scene(Path(job["folder"]), job["headers"], job["echoes"])
    if job["name"].startswith("tubes"):
        work: Callable[..., Any] = _tubes
        full, small = scene.tubes(), scene.coarse().tubes()
        entry = None
    else:
        entry = get_method(job["method"])
        work, full = entry.function, scene.arguments(entry)
        small = scene.coarse().arguments(entry)
        full, small = ({**a, **job.get("values", {})} for a in (full, small))
    try:
        work(**small)
    except InputError as error:
        print(f"{job['name']} on a coarse head: {error}", file=sys.stderr)
    times: list[Seconds] = []
    found: dict[str, Any] = {}
    found["bytes"] = peak_bytes(lambda: times.append(Seconds.of(lambda: work(**full))))
    repeats = int(min(LONGEST_SERIES / times[0].wall, 5))
    times += [Seconds.of(lambda: work(**full)) for _ in range(repeats)]
    found["pairs"] = Seconds.median(times[1:] or times)
    if entry is not None and entry.progress and _iterates(entry):
        found |= _iterations(entry, full)
    return found


def recipe(job: dict[str, Any]) -> dict[str, Any]:
    """Time a recipe from raw files to susceptibility."""
    chosen = to_susceptibility(Recipe.load(job["name"]))
    files = CaseFiles(
        magnitude=tuple(Path(p) for p in job["magnitude"]),
        phase=tuple(Path(p) for p in job["phase"]),
        echo_times=tuple(job["echo_times"]),
        field_strength=job["field_strength"],
    )
    coarse = CaseFiles(
        magnitude=tuple(Path(p) for p in job["coarse_magnitude"]),
        phase=tuple(Path(p) for p in job["coarse_phase"]),
        echo_times=files.echo_times,
        field_strength=files.field_strength,
    )
    try:
        run(load_files(coarse), chosen)
    except InputError as error:
        print(f"{job['name']} on a coarse head: {error}", file=sys.stderr)
    whole: list[Seconds] = []
    loading: list[Seconds] = []

    def work() -> None:
        loaded: list[Any] = []
        loading.append(Seconds.of(lambda: loaded.append(load_files(files))))
        run(loaded[0], chosen, lean=True)

    taken = peak_bytes(lambda: whole.append(Seconds.of(work)))
    whole.append(Seconds.of(work))
    raw = 4 * float(np.prod(job["shape"])) * (len(files.magnitude) + len(files.phase))
    return {
        "pairs": whole[-1],
        "loading_pairs": loading[-1],
        "bytes": None if taken is None else taken - raw,
    }


def to_susceptibility(recipe: Recipe) -> Recipe:
    """Return the steps of a recipe up to the last that gives susceptibility."""
    last = max(
        i
        for i, step in enumerate(recipe.steps)
        if "susceptibility" in {q.name for q in get_method(step.method).outputs}
    )
    return Recipe(recipe.name, recipe.steps[: last + 1], recipe.description)


@dataclass(frozen=True)
class Scene:
    """Prepared maps of a head in a folder, and the values of its headers."""

    folder: Path
    headers: dict[str, Any]
    echoes: int
    every: int = 1

    def coarse(self) -> Scene:
        """Every fourth voxel of the same head."""
        size = [EVERY * d for d in self.headers["voxel_size"]]
        affine = np.array(self.headers["affine"]) @ np.diag([EVERY, EVERY, EVERY, 1.0])
        headers = {**self.headers, "voxel_size": size, "affine": affine.tolist()}
        return Scene(self.folder, headers, self.echoes, EVERY)

    def arguments(self, method: Method) -> dict[str, Any]:
        """Return what a method takes from the head."""
        found: dict[str, Any] = {a.name: self._header(a.source.name) for a in method.headers}
        for argument in method.inputs:
            assert isinstance(argument.source, Quantity)
            if argument.optional and not self._path(argument.source.name).is_file():
                continue
            found[argument.name] = self._map(argument.source.name)
        return found

    def tubes(self) -> dict[str, Any]:
        """Return what the tube filter takes."""
        mask = self._map("field_mask")
        frame = Frame.around(mask)
        chi, inside = (a[frame.box].copy() for a in (self._map("susceptibility"), mask))
        return {"chi": chi, "inside": inside, "size": tuple(self.headers["voxel_size"])}

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _map(self, name: str) -> Any:
        data = np.load(self._path(name), allow_pickle=False)
        kept = data[:: self.every, :: self.every, :: self.every]
        kept = kept[..., : self.echoes] if kept.ndim == 4 else kept
        return np.ascontiguousarray(kept)

    def _header(self, name: str) -> Any:
        value = self.headers[name]
        if name == "affine":
            return np.array(value)
        if name == "echo_times":
            return tuple(value[: self.echoes])
        return tuple(value) if isinstance(value, list) else value


def _tubes(chi: Any, inside: Any, size: tuple[float, float, float]) -> None:
    for sigma in TUBE_SCALES_MM:
        tube_response(smooth(chi, sigma, size), inside, sigma, size)


def _iterates(entry: Method) -> bool:
    return "max_iter" in {p.name for p in entry.parameters}


def _iterations(entry: Method, arguments: dict[str, Any]) -> dict[str, Any]:
    """Iterations that the defaults take, and the time of one of them."""
    assert entry.progress is not None
    name = entry.progress
    tol = {"tol": TINY} if "tol" in {p.name for p in entry.parameters} else {}

    def begun(**values: Any) -> tuple[int, Seconds]:
        seen: list[float] = []
        told = {name: lambda fraction, _stage: seen.append(fraction)}
        took = Seconds.of(lambda: entry.function(**{**arguments, **values, **told}))
        return len([f for f in seen if f < 1]), took

    few, first = begun(max_iter=FEW, **tol)
    more, second = begun(max_iter=MORE, **tol)
    usual, _ = begun()
    if more <= few:
        return {"iterations": usual}
    steps = more - few
    one = Seconds((second.wall - first.wall) / steps, (second.cpu - first.cpu) / steps)
    return {"iterations": usual, "pairs_per_iteration": one}


if __name__ == "__main__":
    main()
