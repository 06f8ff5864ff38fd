"""What holds for every method, whatever it computes."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest
from docstring_parser import parse
from scipy import ndimage

from contract_suite.calls import RECONSTRUCTION, call, distance, masked, plain, usual, without_turns
from contract_suite.scene import MOVES, head, noise
from napari_qsm_stroke import Recipe
from napari_qsm_stroke.cli.main import parser
from napari_qsm_stroke.core.method import Method, Parameter
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.errors import Cancelled, InputError, ParameterError
from napari_qsm_stroke.pipeline.recipe import Step

DTYPES = {"map": np.float32, "mask": np.uint8, "labels": np.uint8}
MARGINS = ((3, 6), (5, 2), (1, 4))
"""Voxels that the larger canvas has before and behind the head, along each axis."""


# --- the declaration


def check_described(entry: Method) -> None:
    """Everything that a form, a table or a citation needs is there."""
    doc = parse(inspect.getdoc(entry.function) or "")
    listed = {name.strip() for p in doc.params for name in p.arg_name.split(",")}
    assert doc.short_description
    assert doc.returns is not None
    assert set(inspect.signature(entry.function).parameters) <= listed
    assert entry.function.__name__ == entry.name
    for parameter in entry.parameters:
        assert parameter.description
        assert parameter.type in (int, float, bool, str)
        assert parameter.check(parameter.default, entry.name) == parameter.default
    text = inspect.getdoc(entry.function) or ""
    for doi in entry.cite:
        assert re.fullmatch(r"10\.\d{4,}/\S+", doi)
    assert ("doi:" not in text) or entry.cite


def check_bounds(entry: Method) -> None:
    """A value just inside its bounds is taken, one just outside is refused."""
    for parameter in entry.parameters:
        for edge, away, closed in (
            (parameter.minimum, -1, not parameter.open_minimum),
            (parameter.maximum, +1, not parameter.open_maximum),
        ):
            if edge is None:
                continue
            step = 1 if parameter.type is int else 1e-6 * max(1.0, abs(edge))
            near = edge if closed else edge - away * step
            assert parameter.check(near, entry.name) == near
            with pytest.raises(ParameterError):
                parameter.check(edge + away * step, entry.name)


def check_defaults_survive(entry: Method) -> None:
    """Text, the command line and TOML give back what the signature says, and its type."""
    for parameter in entry.parameters:
        assert parameter.check(str(parameter.default), entry.name) == parameter.default
    recipe = Recipe("one", (Step(entry.name),))
    for values in ({p.name: p.default for p in entry.parameters}, others(entry)):
        wanted = entry.complete(values)
        typed = [f"{entry.name}.{k}={v}" for k, v in values.items()]
        set_by = [part for setting in typed for part in ("--set", setting)]
        line = parser().parse_args(["run", "in", "out", "participant", *set_by])
        by_line = recipe.with_values(line.values)
        again = Recipe.from_toml(by_line.to_toml(), "one.toml")
        for found in (by_line, again):
            full = entry.complete(found.steps[0].parameters)
            assert full == wanted
            assert [type(v) for v in full.values()] == [type(v) for v in wanted.values()]


def others(entry: Method) -> dict[str, Any]:
    """For every parameter a value that is allowed and not the default."""
    return {p.name: _other(p, entry.name) for p in entry.parameters}


def _other(parameter: Parameter, owner: str) -> Any:
    default = parameter.default
    if parameter.choices:
        return next((c for c in parameter.choices if c != default), default)
    if parameter.type is bool:
        return not default
    if parameter.type is int:
        candidates = [default // 2, default - 1, default + 1]
    else:
        low = 0.0 if parameter.minimum is None else parameter.minimum
        candidates = [low + 0.7 * (default - low), 1.3 * default, default + 0.1]
        if default == 0 and parameter.maximum is not None:
            candidates = [0.25 * parameter.maximum]
    for candidate in candidates:
        try:
            if candidate != default:
                return parameter.check(candidate, owner)
        except ParameterError:
            continue
    return default


# --- any one run


def check_run(entry: Method, grid: str = "odd") -> None:
    """Read-only inputs with NaN outside the brain give finite outputs of the right kind."""
    scene = usual(entry, grid)
    outputs = plain(entry, grid)
    for quantity, array in zip(entry.outputs, outputs, strict=True):
        assert array.shape[:3] == scene.inside.shape
        assert np.isfinite(array).all()
        if quantity.kind == "echoes":
            assert array.ndim == 4
            assert array.dtype == np.float32
        else:
            assert array.dtype == DTYPES[quantity.kind]
        if quantity.kind == "mask":
            assert set(np.unique(array)) <= {0, 1}
        if masked(entry):
            assert (array[~scene.inside] == 0).all(), quantity.name
    assert all(np.any(array != 0) for array in outputs)


def check_nan(entry: Method) -> None:
    """NaN in the data never reaches an output, with a mask or without one."""
    for quantity, array in zip(entry.outputs, call(entry, head().poisoned()), strict=True):
        assert np.isfinite(array).all(), quantity.name


def check_bad_magnitude(entry: Method) -> None:
    """An infinite magnitude is as good as one that is no number, although the phase be there."""
    scene = head()
    magnitude = scene.map("magnitude").copy()
    nowhere = noise(scene.inside.shape, 104) > 1.5
    found = []
    for value in (np.nan, np.inf, -np.inf):
        magnitude[nowhere] = value
        found.append(call(entry, scene.with_maps(magnitude=magnitude.copy())))
    for outputs in found:
        for quantity, array, without in zip(entry.outputs, outputs, found[0], strict=True):
            np.testing.assert_array_equal(array, without, quantity.name)


def check_repeatable(entry: Method, progress: Progress = silent) -> None:
    """The same again, also on a single thread, whoever is told of the progress."""
    told = {entry.progress: progress} if entry.progress else {}
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        again = call(entry, usual(entry), **told)
    finally:
        numba.set_num_threads(before)
    for a, b in zip(again, plain(entry), strict=True):
        np.testing.assert_array_equal(a, b)


def check_double(entry: Method) -> None:
    """Double precision, masks of bool and any order in memory do as well; nothing is changed."""
    scene = usual(entry)
    arguments = scene.arguments(entry)
    for argument in entry.inputs:
        array = arguments[argument.name]
        if argument.whole:
            continue
        kind = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind, array.dtype)
        kind = bool if argument.source.kind == "mask" else kind
        arguments[argument.name] = np.array(array, kind, order="F")
    kept = {k: v.copy() for k, v in arguments.items() if isinstance(v, np.ndarray)}
    found = call(entry, scene, **arguments)
    for quantity, a, b in zip(entry.outputs, found, plain(entry), strict=True):
        assert a.dtype == b.dtype
        assert distance(a, b) < 2e-3, quantity.name
    for name, array in kept.items():
        np.testing.assert_array_equal(arguments[name], array, name)


def check_progress(entry: Method) -> None:
    """Progress grows within 0 to 1, and stops the run wherever it raises."""
    scene = usual(entry)
    seen: list[float] = []
    check_repeatable(entry, lambda fraction, _stage: seen.append(fraction))
    assert seen
    assert min(np.diff(seen), default=0) > -1e-9
    assert 0 <= seen[0] < 0.6
    assert 0.4 < seen[-1] < 1 + 1e-9

    def stop(_fraction: float, _stage: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        call(entry, scene, **{entry.progress or "": stop})


# --- the mask


def check_empty_mask(entry: Method) -> None:
    """Where there is no brain nothing is found: it is said, or all is zero; a mask stays empty."""
    scene = head()
    empty = {k: np.zeros_like(v) for k, v in scene.maps.items() if v.dtype == np.uint8}
    said, outputs = "", ()
    try:
        outputs = call(entry, scene.with_maps(**empty))
    except InputError as error:
        said = str(error)
    assert outputs if entry.stage == "masks" else outputs or "empty" in said
    for quantity, array in zip(entry.outputs, outputs, strict=False):
        assert (array == 0).all(), quantity.name


def check_outside_is_not_looked_at(entry: Method) -> None:
    """The same head on a larger canvas, with nonsense outside the brain: the same result."""
    scene = head()
    inside = np.pad(scene.inside, MARGINS)

    def surround(name: str, array: np.ndarray) -> np.ndarray:
        wide = np.pad(array, MARGINS + ((0, 0),) * (array.ndim - 3))
        if name in {"veins", "infarct"}:
            wide[~inside] = 1
        elif array.dtype != np.uint8:
            scale = 3 * np.nanmax(np.abs(array))
            nonsense = scale * noise(wide.shape, 94)
            if np.iscomplexobj(wide):
                nonsense = nonsense * np.exp(1j * noise(wide.shape, 95))
            if name in {"magnitude", "swi", "dwi", "b0", "adc", "r2star", "field_noise"}:
                nonsense = np.abs(nonsense)
            wide[~inside] = nonsense[~inside]
        return wide

    x, y, z = (a for a, _b in MARGINS)
    found = call(entry, replace(scene.each(surround), before=(x, y, z)))
    cut = tuple(slice(a, a + n) for (a, _b), n in zip(MARGINS, scene.inside.shape, strict=True))
    for quantity, a, b in zip(entry.outputs, found, plain(entry), strict=True):
        assert (a[~inside] == 0).all(), quantity.name
        assert distance(a[cut], b) < 1e-3, quantity.name


# --- axes


def check_moved(entry: Method, move: str, grid: str = "odd") -> None:
    """Axes permuted or flipped together with voxel size and B0 give the same, moved."""
    # coarser grids of a method's own begin on one side, and are not flipped with the array
    own_grid = entry.stage not in RECONSTRUCTION or grid == "fine"
    limit = 5e-2 if own_grid else 1e-2
    scene = usual(entry, grid)
    found = call(entry, MOVES[move].scene(scene))
    for quantity, a, b in zip(entry.outputs, found, plain(entry, grid), strict=True):
        turned = MOVES[move].back(a)
        if quantity.name == "unwrapped_phase":
            turned = without_turns(turned, b, scene.inside)
        assert distance(turned, b) < limit, quantity.name


# --- zero and linearity


def check_zero(entry: Method) -> None:
    """Where there is nothing, nothing is found."""
    target = entry.inputs[0].source.name
    scene = usual(entry)
    nothing = scene.with_maps(**{target: np.zeros_like(scene.maps[target])})
    for quantity, array in zip(entry.outputs, call(entry, nothing), strict=True):
        if quantity.kind == "map":
            assert (array == 0).all()


def check_linear(entry: Method) -> None:
    """A sum of inputs gives the sum of the results, and a multiple the multiple."""
    target = entry.inputs[0].source.name
    scene = head()
    one = scene.maps[target]
    other = 0.2 * ndimage.gaussian_filter(noise(one.shape, 92), 1.5) * scene.inside
    mixed = (2 * one - 3 * other).astype(np.float32)
    second, both = (
        call(entry, scene.with_maps(**{target: values.astype(np.float32)}))
        for values in (other, mixed)
    )
    assert distance(both[0], 2 * plain(entry)[0] - 3 * second[0]) < 5e-3
