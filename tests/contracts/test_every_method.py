"""What every method must keep to, whoever wrote it: one suite over all that are registered."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
import pytest
from annotated_types import Interval
from docstring_parser import parse
from scipy import ndimage

from napari_qsm_stroke import Recipe, Volume, methods
from napari_qsm_stroke.core.inversion.tkd import tkd
from napari_qsm_stroke.core.method import METHODS, Method, forget, method
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    LocalField,
    Susceptibility,
    VoxelSize,
)
from napari_qsm_stroke.errors import Cancelled
from napari_qsm_stroke.pipeline.recipe import Step

NAMES = sorted(methods())
COMPUTED = [n for n in NAMES if METHODS[n].stage not in {"register"}]
"""Registration of a toy head means nothing, and takes long: only its declaration is looked at."""
RECONSTRUCTION = {"echoes", "field", "background", "inversion", "relaxation", "contrast"}
MOVABLE = [n for n in COMPUTED if METHODS[n].stage in RECONSTRUCTION]
FILTERS = [n for n in NAMES if METHODS[n].stage in {"background", "inversion"}]
INVERSIONS = [
    n
    for n in NAMES
    if [q.name for q in METHODS[n].outputs] == ["susceptibility"]
    and "local_field" in {a.source.name for a in METHODS[n].inputs}
]
DTYPES = {"map": np.float32, "mask": np.uint8, "labels": np.uint8}
MOVES = {
    "permuted": (lambda a: np.moveaxis(a, (0, 1, 2), (1, 2, 0)), lambda v: (v[2], v[0], v[1])),
    "flipped": (lambda a: a[::-1, :, ::-1], lambda v: v),
}
BACK = {
    "permuted": lambda a: np.moveaxis(a, (1, 2, 0), (0, 1, 2)),
    "flipped": lambda a: a[::-1, :, ::-1],
}


def call(entry: Method, scene: Any, **changes: Any) -> tuple[np.ndarray, ...]:
    """Outputs as arrays, in the order of the declaration."""
    result = entry.function(**scene.arguments(entry), **changes)
    values = result if isinstance(result, tuple) else (result,)
    return tuple(v.data if isinstance(v, Volume) else v for v in values if v is not None)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Norm of the difference relative to that of the second."""
    scale = float(np.linalg.norm(b.astype(np.complex128)))
    return float(np.linalg.norm(a.astype(np.complex128) - b)) / scale if scale else 0.0


# --- the declaration


def check_described(entry: Method) -> None:
    doc = parse(inspect.getdoc(entry.function) or "")
    listed = {name.strip() for p in doc.params for name in p.arg_name.split(",")}
    assert doc.short_description
    assert doc.returns is not None
    assert set(inspect.signature(entry.function).parameters) <= listed
    assert entry.function.__name__ == entry.name
    for parameter in entry.parameters:
        assert parameter.description
        assert parameter.check(parameter.default, entry.name) == parameter.default
    text = inspect.getdoc(entry.function) or ""
    for doi in entry.cite:
        assert re.fullmatch(r"10\.\d{4,}/\S+", doi)
    assert ("doi:" not in text) or entry.cite


def check_defaults_survive_text_and_toml(entry: Method) -> None:
    for parameter in entry.parameters:
        assert parameter.check(str(parameter.default), entry.name) == parameter.default
    recipe = Recipe("one", (Step(entry.name),))
    again = Recipe.from_toml(recipe.to_toml(), "one.toml")
    assert entry.complete(again.steps[0].parameters) == entry.complete({})


@pytest.mark.parametrize("name", NAMES)
def test_declaration_is_complete(name: str) -> None:
    check_described(METHODS[name])


@pytest.mark.parametrize("name", NAMES)
def test_defaults_survive_text_and_toml(name: str) -> None:
    check_defaults_survive_text_and_toml(METHODS[name])


# --- any one run


def check_run(entry: Method, scene: Any) -> None:
    """Read-only inputs with NaN outside the brain give finite outputs of the right kind."""
    poisoned = {}
    for name, array in scene.maps.items():
        if array.dtype == np.float32 and name not in {"magnitude", "swi"}:
            copy = array.copy()
            copy[~scene.inside] = np.nan
            poisoned[name] = copy
    masks = {"brain", "field_mask"} & {a.source.name for a in entry.inputs}
    scene = scene.with_maps(**poisoned) if masks else scene
    first = call(entry, scene)
    for quantity, array in zip(entry.outputs, first, strict=True):
        assert array.shape[:3] == scene.inside.shape
        assert np.isfinite(array).all()
        if quantity.kind == "echoes":
            assert array.shape[3:] == (3,)
            assert array.dtype == (np.complex64 if quantity.name == "signal" else np.float32)
        else:
            assert array.dtype == DTYPES[quantity.kind]
        if quantity.kind == "mask":
            assert set(np.unique(array)) <= {0, 1}
        if masks and quantity.kind != "echoes":
            assert (array[~scene.inside] == 0).all()
    assert any(np.any(array != 0) for array in first)
    for a, b in zip(first, call(entry, scene), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", COMPUTED)
def test_a_run_is_clean_and_repeatable(name: str, scene: Any) -> None:
    check_run(METHODS[name], scene)


def check_progress(entry: Method, scene: Any) -> None:
    seen: list[float] = []
    call(entry, scene, **{entry.progress: lambda fraction, _stage: seen.append(fraction)})
    assert seen
    assert min(np.diff(seen), default=0) > -1e-9
    assert 0 <= seen[0] <= seen[-1] <= 1 + 1e-9

    def stop(_fraction: float, _stage: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        call(entry, scene, **{entry.progress: stop})


@pytest.mark.parametrize("name", [n for n in COMPUTED if METHODS[n].progress])
def test_progress_grows_and_cancel_stops(name: str, head: Any) -> None:
    check_progress(METHODS[name], head)


# --- physics


def check_zero(entry: Method, scene: Any) -> None:
    target = entry.inputs[0].source.name
    nothing = scene.with_maps(**{target: np.zeros_like(scene.maps[target])})
    for quantity, array in zip(entry.outputs, call(entry, nothing), strict=True):
        if quantity.kind == "map":
            assert (array == 0).all()


@pytest.mark.parametrize("name", FILTERS)
def test_nothing_in_nothing_out(name: str, head: Any) -> None:
    check_zero(METHODS[name], head)


def check_linear(entry: Method, scene: Any) -> None:
    target = entry.inputs[0].source.name
    one = scene.maps[target]
    other = ndimage.gaussian_filter(
        np.random.default_rng(91).normal(0, 0.1, one.shape), 1.5
    ).astype(np.float32)
    parts = [
        call(entry, scene.with_maps(**{target: values.astype(np.float32)}))[0]
        for values in (one, other, 2 * one - 3 * other)
    ]
    assert distance(parts[2], 2 * parts[0] - 3 * parts[1]) < 2e-3


@pytest.mark.parametrize("name", [n for n in COMPUTED if METHODS[n].linear])
def test_what_is_declared_linear_is(name: str, head: Any) -> None:
    check_linear(METHODS[name], head)


def check_moved(entry: Method, scene: Any, move: str) -> None:
    """Axes permuted or flipped together with voxel size and B0 give the same, moved."""
    arrays, vector = MOVES[move]
    b0 = vector(scene.b0) if move == "permuted" else (-scene.b0[0], scene.b0[1], -scene.b0[2])
    expected = call(entry, scene)
    found = call(entry, scene.moved(arrays, vector(scene.size), b0))
    for quantity, a, b in zip(entry.outputs, found, expected, strict=True):
        a = BACK[move](a)
        if quantity.name == "unwrapped_phase":
            a = a - 2 * np.pi * np.round(np.median((a - b)[scene.inside], axis=0) / (2 * np.pi))
            a = a * scene.inside[..., None]
        assert distance(a, b) < 1e-2, quantity.name


@pytest.mark.parametrize("move", list(MOVES))
@pytest.mark.parametrize("name", MOVABLE)
def test_axes_have_no_preference(name: str, move: str, head: Any) -> None:
    check_moved(METHODS[name], head, move)


def check_ball(entry: Method) -> None:
    """A ball of 0.2 ppm, its field in closed form, oblique to B0."""
    shape, size, b0 = (46, 45, 38), (1.0, 1.0, 1.2), (0.25, -0.4, 0.88)
    x, y, z = (
        (i - (n - 1) / 2) * d for i, n, d in zip(np.indices(shape), shape, size, strict=True)
    )
    square = x**2 + y**2 + z**2
    along = (x * b0[0] + y * b0[1] + z * b0[2]) ** 2 / np.dot(b0, b0)
    field = 0.2 / 3 * 7.0**3 * (3 * along - square) / np.maximum(square, 1) ** 2.5
    field[square <= 7.0**2] = 0
    mask = square < 20**2
    maps = {
        "local_field": (field * mask).astype(np.float32),
        "field_mask": mask.astype(np.uint8),
        "brain": mask.astype(np.uint8),
        "field_noise": np.full(shape, 1e-3, np.float32) * mask,
        "magnitude": np.full((*shape, 3), 100, np.float32),
    }
    given = {a.name: maps.get(a.source.name) for a in entry.inputs if a.source.name in maps} | {
        a.name: {"voxel_size": size, "b0_dir": b0}[a.source.name] for a in entry.headers
    }
    chi = entry.function(**given)
    found = chi[square < 5.5**2].mean() - chi[(square > 9**2) & (square < 17**2)].mean()
    assert found == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize("name", INVERSIONS)
def test_a_ball_of_known_susceptibility_is_recovered(name: str) -> None:
    check_ball(METHODS[name])


@pytest.mark.parametrize("name", [n for n in NAMES if METHODS[n].stage == "background"])
def test_background_is_taken_and_local_field_kept(name: str, scene: Any) -> None:
    entry = METHODS[name]
    outputs = dict(zip((q.name for q in entry.outputs), call(entry, scene), strict=True))
    deep = ndimage.binary_erosion(outputs["field_mask"], iterations=4)
    truth, total = scene.maps["local_field"], scene.maps["total_field"]

    def error(values: np.ndarray) -> float:
        difference = (values - truth)[deep]
        return float(difference.std() / truth[deep].std())

    assert error(total) > 1.5
    assert error(outputs["local_field"]) < 0.6


@pytest.mark.parametrize(
    "name", [n for n in NAMES if "unwrapped_phase" in {q.name for q in METHODS[n].outputs}]
)
def test_phase_is_unwrapped(name: str, head: Any) -> None:
    entry = METHODS[name]
    outputs = dict(zip((q.name for q in entry.outputs), call(entry, head), strict=True))
    inside = ndimage.binary_erosion(head.inside)
    wrapped = np.angle(head.maps["signal"])
    truth = head.maps["unwrapped_phase"] - 0.4
    error = (outputs["unwrapped_phase"] - truth)[..., 2][inside]
    medians = np.median((outputs["unwrapped_phase"] - truth)[inside], axis=0)
    bent = medians - np.polyval(
        np.polyfit((0.004, 0.010, 0.016), medians, 1), (0.004, 0.010, 0.016)
    )
    assert np.abs(bent).max() < 0.3  # the echoes are aligned, up to a constant field
    before = (wrapped - truth)[..., 2][inside]
    assert np.std(error) < 0.4 * np.std(before)


def making(quantity: str) -> list[str]:
    return [n for n in NAMES if quantity in {q.name for q in METHODS[n].outputs}]


@pytest.mark.parametrize("name", making("signal"))
def test_signal_keeps_magnitude_and_growth_of_phase(name: str, head: Any) -> None:
    found = call(METHODS[name], head)[0]
    truth = head.maps["signal"]
    np.testing.assert_allclose(np.abs(found), np.abs(truth), rtol=1e-3)
    growth = np.angle((found[..., 2] * found[..., 1].conj())[head.inside])
    expected = np.angle((truth[..., 2] * truth[..., 1].conj())[head.inside])
    assert np.median(np.abs(growth - expected)) < 1e-3


@pytest.mark.parametrize("name", making("total_field"))
def test_total_field_is_in_ppm(name: str, head: Any) -> None:
    outputs = dict(
        zip((q.name for q in METHODS[name].outputs), call(METHODS[name], head), strict=True)
    )
    error = (outputs["total_field"] - head.maps["total_field"])[head.inside]
    assert np.std(error) < 0.02 * np.std(head.maps["total_field"][head.inside])
    # noise of 0.01 rad in each echo
    assert np.std(error) == pytest.approx(np.median(outputs["field_noise"][head.inside]), rel=0.5)


@pytest.mark.parametrize("name", making("r2star"))
def test_r2star_is_in_1_per_s(name: str, head: Any) -> None:
    found = call(METHODS[name], head)[0][head.inside]
    assert np.median(np.abs(found - head.maps["r2star"][head.inside])) < 2


@pytest.mark.parametrize("name", making("swi"))
def test_veins_are_dark(name: str, head: Any) -> None:
    veins = (head.maps["veins"] != 0) & (head.maps["local_field"] > 0.02)
    found, opposite = (
        np.median(call(METHODS[name], head.with_maps(signal=signal))[0][veins])
        for signal in (head.maps["signal"], head.maps["signal"].conj())
    )
    assert found < 0.8 * opposite


@pytest.mark.parametrize(
    "name", [n for n in making("susceptibility") if METHODS[n].inputs[0].name == "susceptibility"]
)
def test_reference_is_one_constant(name: str, head: Any) -> None:
    difference = (call(METHODS[name], head)[0] - head.maps["susceptibility"])[head.inside]
    assert np.std(difference) < 1e-6
    shifted = head.with_maps(susceptibility=head.maps["susceptibility"] + np.float32(0.5))
    np.testing.assert_allclose(
        call(METHODS[name], shifted)[0], call(METHODS[name], head)[0], atol=1e-6
    )


def test_pipeline_words_are_all_covered() -> None:
    """Each reconstruction stage has a method, and each method was put to the contracts."""
    assert {METHODS[n].stage for n in MOVABLE} == RECONSTRUCTION
    assert {n for n in NAMES if METHODS[n].linear} <= set(COMPUTED)
    assert {"tkd", "tikhonov", "tv"} <= set(INVERSIONS)


# --- a method that somebody adds


def add_inversion(sign: float = 1.0, writes: bool = False, ignores_mask: bool = False) -> Method:
    """Register an inversion as anybody would, with a fault where wanted."""

    @method(cite="10.1002/mrm.22135", linear=True)
    def added_division(
        local_field: LocalField,
        field_mask: FieldMask,
        *,
        voxel_size: VoxelSize = (1.0, 1.0, 1.0),
        b0_dir: FieldDirection = (0.0, 0.0, 1.0),
        threshold: Annotated[float, Interval(gt=0, le=0.6)] = 0.17,
        progress: Progress = silent,
    ) -> Susceptibility:
        """Divide in k-space.

        Parameters
        ----------
        local_field : ndarray of shape (X, Y, Z)
            In ppm.
        field_mask : ndarray of shape (X, Y, Z)
            Where it is known.
        voxel_size : tuple of float
            In mm.
        b0_dir : tuple of float
            Direction of the main field.
        threshold : float
            Smallest divisor.
        progress : Progress
            May raise ``Cancelled``.

        Returns
        -------
        ndarray of float32, shape (X, Y, Z)
            In ppm.
        """
        progress(0.0, "Division")
        if writes:
            local_field[0, 0, 0] = 0
        mask = np.ones_like(field_mask) if ignores_mask else field_mask
        chi = tkd(local_field, mask, voxel_size=voxel_size, b0_dir=b0_dir, threshold=threshold)
        progress(1.0, "Division")
        return np.float32(sign) * chi

    return METHODS["added_division"]


@pytest.fixture
def added() -> Iterator[Callable[..., Method]]:
    """Registers the method for one test."""
    yield add_inversion
    forget("added_division")


def test_an_added_method_is_put_to_the_same_contracts(
    added: Callable[..., Method], head: Any
) -> None:
    entry = added()
    assert entry.name in methods()
    check_described(entry)
    check_defaults_survive_text_and_toml(entry)
    check_run(entry, head)
    check_progress(entry, head)
    check_zero(entry, head)
    check_linear(entry, head)
    check_moved(entry, head, "permuted")
    check_ball(entry)


def test_faults_of_an_added_method_are_found(added: Callable[..., Method], head: Any) -> None:
    with pytest.raises(AssertionError):
        check_ball(added(sign=-1.0))
    with pytest.raises(ValueError, match="read-only"):
        check_run(added(writes=True), head)
    with pytest.raises(AssertionError):
        check_run(added(ignores_mask=True), head)
