from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Gt

from napari_qsm_stroke import Case, Grid, Recipe, Volume, run
from napari_qsm_stroke.core.method import forget, get_method, method
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    Brain,
    Dwi,
    EchoTimes,
    Excluded,
    Infarct,
    LocalField,
    Phase,
    Susceptibility,
    TotalField,
    Veins,
)
from napari_qsm_stroke.errors import Cancelled, InputError, MissingError, ParameterError
from napari_qsm_stroke.pipeline.apply import MemoryStore, apply
from napari_qsm_stroke.pipeline.recipe import Step, recipe_names

CALLS: list[str] = []


@pytest.fixture
def chain() -> Iterator[Recipe]:
    """Three quick methods that note when they run."""
    CALLS.clear()

    @method()
    def first(
        phase: Phase, *, echo_times: EchoTimes, scale: Annotated[float, Gt(0)] = 1.0
    ) -> TotalField:
        """Take the first echo."""
        CALLS.append("first")
        return np.asarray(phase[..., 0] * scale / echo_times[0])

    @method()
    def second(
        total_field: TotalField, *, progress: Progress = silent, shift: float = 0.0
    ) -> LocalField:
        """Shift it."""
        CALLS.append("second")
        progress(0.5, "second")
        return np.asarray(total_field + np.float32(shift))

    @method()
    def third(local_field: LocalField, brain: Brain) -> Susceptibility:
        """Mask it."""
        CALLS.append("third")
        return np.asarray(local_field * brain)

    @method()
    def core(dwi_aligned: Dwi) -> Infarct:
        """Need diffusion."""
        CALLS.append("core")
        return np.asarray(dwi_aligned > 1, np.uint8)

    names = ("first", "second", "third", "core")
    yield Recipe("chain", tuple(Step(n, optional=n == "core") for n in names))
    for name in names:
        forget(name)


def test_run_makes_maps_with_units_and_records(small_case: Case, chain: Recipe) -> None:
    done = run(small_case, chain)
    assert done.maps["susceptibility"].unit == "ppm"
    assert done.maps["total_field"].grid == small_case.grid
    expected = small_case.maps["phase"].data[..., 0] / 0.005
    np.testing.assert_allclose(done.maps["susceptibility"].data, expected, rtol=1e-6)
    assert [(r.action, r.what) for r in done.history] == [
        ("run", "first"),
        ("run", "second"),
        ("run", "third"),
        ("skip", "core"),
    ]
    assert "dwi_aligned" in done.history[-1].note
    first = done.history[0]
    assert first.parameters == {"scale": 1.0}
    assert first.inputs == {"phase": small_case.maps["phase"].digest}
    assert first.outputs == {"total_field": done.maps["total_field"].digest}


def test_a_changed_parameter_recomputes_only_what_follows(small_case: Case, chain: Recipe) -> None:
    store = MemoryStore()
    run(small_case, chain, store=store)
    CALLS.clear()
    changed = run(small_case, chain.with_parameters("second", {"shift": 1.0}), store=store)
    assert CALLS == ["second", "third"]
    CALLS.clear()
    back = run(small_case, chain, store=store)
    assert CALLS == []
    gap = changed.maps["susceptibility"].data - back.maps["susceptibility"].data
    np.testing.assert_allclose(gap, 1.0, atol=1e-4)


def test_an_edited_mask_recomputes_what_uses_it(small_case: Case, chain: Recipe) -> None:
    store = MemoryStore()
    run(small_case, chain, store=store)
    CALLS.clear()
    brain = small_case.maps["brain"]
    edited = small_case.with_edit("brain", brain.with_data(np.zeros_like(brain.data)))
    assert not run(edited, chain, store=store).maps["susceptibility"].data.any()
    assert CALLS == ["third"]


def test_given_maps_are_never_overwritten(small_case: Case, chain: Recipe) -> None:
    own = Volume(np.full(small_case.grid.shape, 7, np.float32), small_case.grid, "ppm")
    done = run(small_case.with_given({"local_field": own}), chain)
    assert done.maps["local_field"] is own
    assert "second" not in CALLS
    assert (done.maps["susceptibility"].data == 7).all()


def test_what_a_step_made_besides_does_not_make_it_the_maker_of_a_given_map(
    small_case: Case, chain: Recipe
) -> None:
    @method()
    def both(susceptibility: Susceptibility) -> tuple[Veins, Excluded]:
        """Propose veins, and say what was left out."""
        veins = (susceptibility > 0).astype(np.uint8)
        return veins, 1 - veins

    try:
        grid = small_case.grid
        own = Volume(np.full(grid.shape, 1, np.uint8), grid)
        case = apply(run(small_case.with_given({"veins": own}), chain), "both")
        assert case.maps["veins"] is own
        assert [r.action for r in case.made_by("veins")] == ["load"]
        assert [r.what for r in case.made_by("excluded")] == ["both"]
        free = apply(run(small_case, chain), "both")
        assert [r.what for r in free.made_by("veins")] == ["both"]
        edited = free.with_edit("veins", own)
        assert [r.action for r in edited.made_by("veins")] == ["run", "edit"]
    finally:
        forget("both")


def test_cancel_leaves_the_case_alone(small_case: Case, chain: Recipe) -> None:
    def stop(fraction: float, stage: str) -> None:
        if stage == "second":
            raise Cancelled

    before = dict(small_case.maps)
    with pytest.raises(Cancelled):
        run(small_case, chain, stop)
    assert dict(small_case.maps) == before


def test_a_second_run_leaves_nothing_of_the_first(small_case: Case, chain: Recipe) -> None:
    first = run(small_case, chain)
    edited = first.with_edit("susceptibility", first.maps["susceptibility"])
    short = Recipe("short", chain.steps[:1])
    again = run(edited, short)
    assert "local_field" not in again.maps
    assert again.maps["susceptibility"] is first.maps["susceptibility"]
    assert [(r.action, r.what) for r in again.history] == [
        ("edit", "susceptibility"),
        ("run", "first"),
    ]


def test_progress_grows_from_nothing_to_all(small_case: Case, chain: Recipe) -> None:
    seen: list[float] = []
    run(small_case, chain, lambda f, _s: seen.append(f))
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1


@pytest.mark.usefixtures("chain")
def test_a_missing_input_is_named(small_case: Case) -> None:
    with pytest.raises(MissingError, match=r"third needs local_field; the case has brain, mag"):
        apply(small_case, "third")


@pytest.mark.usefixtures("chain")
def test_maps_on_different_grids_are_refused(small_case: Case) -> None:
    elsewhere = Volume(np.zeros((8, 10, 6), np.float32), Grid((8, 10, 6), np.eye(4)), "ppm")
    with pytest.raises(InputError, match="one grid"):
        apply(small_case.with_given({"local_field": elsewhere}), "third")


def test_memory_store_forgets_the_oldest_first(small_case: Case) -> None:
    volume = small_case.maps["brain"]
    store = MemoryStore(limit_bytes=2 * volume.data.nbytes)
    for key in "abc":
        store.put(key, {"brain": volume})
        store.get("a")
    assert store.get("b") is None
    assert store.get("a") is not None
    assert store.get("c") is not None


def test_recipe_survives_toml(chain: Recipe) -> None:
    changed = chain.with_parameters("second", {"shift": 1e-5})
    read = Recipe.from_toml(changed.to_toml(), "x")
    assert [s.method for s in read.steps] == [s.method for s in changed.steps]
    assert read.steps[1].parameters["shift"] == 1e-5
    assert read.steps[3].optional


def test_recipe_problems_come_all_at_once(chain: Recipe) -> None:
    steps = (Step("first", {"scale": -1}), Step("second", {"shif": 0}), Step("nonsense"))
    with pytest.raises(ParameterError, match=r"out of bounds.*'shif'.*'nonsense'"):
        Recipe("bad", steps)


def test_settings_of_the_command_line(chain: Recipe) -> None:
    assert chain.with_values(["second.shift=0.25"]).steps[1].parameters == {"shift": 0.25}
    for wrong, sentence in (
        ("second.shift", "METHOD.PARAMETER=VALUE"),
        ("shift=1", "METHOD.PARAMETER=VALUE"),
        ("fourth.shift=1", "does not use 'fourth'"),
        ("first.scale=0", "out of bounds"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            chain.with_values([wrong])


def test_a_broken_recipe_file_is_an_input_error() -> None:
    with pytest.raises(InputError, match="is no recipe"):
        Recipe.from_toml("step = 3 =", "x.toml")
    with pytest.raises(InputError, match="is no recipe"):
        Recipe.from_toml("name = 'x'", "x.toml")


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_sound(name: str) -> None:
    """Each quantity that a step needs is made before it, or is raw data."""
    recipe = Recipe.load(name)
    have = {"magnitude", "phase", "dwi", "b0", "adc"}
    for step in recipe.steps:
        entry = get_method(step.method)
        needs = {a.source.name for a in entry.inputs if not a.optional}
        assert needs <= have, f"{name}: {step.method} lacks {needs - have}"
        have |= {q.name for q in entry.outputs}
    assert {"susceptibility", "brain", "veins", "territories"} <= have


def test_all_maps_is_the_recipe_of_several_echoes_and_more() -> None:
    usual, every = (Recipe.load(name).steps for name in ("multi-echo", "all-maps"))
    assert tuple(step for step in every if step in usual) == usual
    further = [step for step in every if step not in usual]
    assert all(step.optional for step in further)
    assert {s.method for s in further} == {"fit_residual", "susceptibility_noise", "tswi", "mip"}
