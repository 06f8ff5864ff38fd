"""A run that would need more memory than is free does not start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke import Case, Recipe, Volume, run
from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.core.method import forget as forget_method
from napari_qsm_stroke.core.method import get_method, method
from napari_qsm_stroke.core.numerics.heap import give_back
from napari_qsm_stroke.core.quantities import (
    Brain,
    LocalField,
    Magnitude,
    Susceptibility,
    UnwrappedPhase,
)
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.pipeline import memory
from napari_qsm_stroke.pipeline.apply import apply
from napari_qsm_stroke.pipeline.memory import (
    WORTH_IT,
    check_memory,
    free_bytes,
    needed_bytes,
    without_empty_pages,
)
from napari_qsm_stroke.pipeline.recipe import Step

CALLED: list[str] = []


@pytest.fixture(autouse=True)
def greedy() -> Iterator[None]:
    CALLED.clear()

    @method(memory=3)
    def per_echo(magnitude: Magnitude) -> UnwrappedPhase:
        """Take three volumes for each echo."""
        CALLED.append("per_echo")
        return magnitude.copy()

    @method(memory=10)
    def in_mask(unwrapped_phase: UnwrappedPhase, brain: Brain) -> LocalField:
        """Take ten volumes of the brain for each echo."""
        CALLED.append("in_mask")
        return unwrapped_phase[..., 0].copy()

    @method()
    def unknown(local_field: LocalField) -> Susceptibility:
        """Take nobody knows what."""
        return local_field.copy()

    yield
    for name in ("per_echo", "in_mask", "unknown"):
        forget_method(name)


RECIPE = ("per_echo", "in_mask", "unknown")


def recipe() -> Recipe:
    return Recipe("greedy", tuple(Step(name) for name in RECIPE))


def test_volumes_become_bytes(small_case: Case) -> None:
    voxels = 8 * 10 * 6
    assert needed_bytes(small_case, get_method("per_echo")) == 4 * 3 * 2 * voxels
    assert needed_bytes(small_case, get_method("unknown")) == 0
    corner = np.zeros(small_case.grid.shape, np.uint8)
    corner[:4, :4, :4] = 1
    framed = 12**3  # four voxels and eight of padding, a length that transforms like
    case = small_case.with_given({"brain": Volume(corner, small_case.grid)})
    assert needed_bytes(case, get_method("in_mask")) == 4 * 10 * 2 * framed


def test_what_does_not_fit_is_refused_before_anything_runs(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    voxels = 8 * 10 * 6
    peak = needed_bytes(small_case, get_method("in_mask")) + 4 * 2 * voxels  # and the phase
    monkeypatch.setattr(memory, "free_bytes", lambda: peak - 1)
    with pytest.raises(InputError, match=r"in_mask on a grid of 8 x 10 x 6 needs about .* GB"):
        run(small_case, recipe())
    assert CALLED == []
    monkeypatch.setattr(memory, "free_bytes", lambda: peak)
    assert "susceptibility" in run(small_case, recipe()).maps


def test_one_step_is_refused_too(small_case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    with pytest.raises(InputError, match="Close other programs"):
        apply(small_case, "per_echo")
    assert CALLED == []


def test_a_step_of_unknown_need_is_never_refused(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    check_memory(small_case, [get_method("unknown")])


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = free_bytes()
    assert 0 < whole < 2**50
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 3500000\ninactive_file 500000\n")
    assert free_bytes() == 1_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes() > 1_500_000


def test_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "per_echo"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "memory: up to 3 float32 volumes for each echo beyond its inputs" in said
    assert main(["methods", "unknown"]) == 0
    assert "memory" not in capsys.readouterr().out
    assert get_method("unknown").memory_words == "not declared"


def test_a_lean_run_lets_go_of_series_that_no_step_takes_any_more(small_case: Case) -> None:
    assert "unwrapped_phase" in run(small_case, recipe()).maps
    done = run(small_case, recipe(), lean=True)
    assert "unwrapped_phase" not in done.maps
    assert {"magnitude", "phase", "local_field", "susceptibility"} <= set(done.maps)
    first = Recipe("first", (Step("per_echo"),))
    assert "unwrapped_phase" in run(small_case, first, lean=True).maps


def resident() -> int:
    """Memory of this process in bytes; skips where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.is_file():
        pytest.skip("only Linux tells the resident memory of a process")
    return int(status.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def with_brain(shape: tuple[int, ...]) -> np.ndarray:
    """Values in the middle fifth of a volume, NaN among them, and zero elsewhere."""
    array = np.zeros(shape, np.float32)
    core = tuple(slice(2 * n // 10, 8 * n // 10) for n in shape[:3])
    array[core] = np.random.default_rng(5).normal(size=array[core].shape)
    array[shape[0] // 2, shape[1] // 2] = np.nan
    return array


@pytest.mark.parametrize("shape", [(96, 96, 64), (96, 96, 64, 3)])
def test_pages_of_zeros_are_let_go_of_and_values_stay(shape: tuple[int, ...]) -> None:
    array = with_brain(shape)
    before = resident()
    kept = without_empty_pages(array)
    taken = resident() - before
    assert kept is not array
    assert kept.dtype == array.dtype
    np.testing.assert_array_equal(kept, array)
    np.testing.assert_array_equal(without_empty_pages(array != 0), array != 0)
    assert taken < 0.7 * array.nbytes


def test_full_small_and_strided_arrays_stay_what_they_are() -> None:
    full = np.ones((96, 96, 64), np.float32)
    small = np.zeros(WORTH_IT // 4 - 1, np.float32)
    strided = np.asfortranarray(with_brain((96, 96, 64)))
    for array in (full, small, strided):
        assert without_empty_pages(array) is array


def test_what_was_freed_is_given_back() -> None:
    give_back()
    blocks = [np.ones(2**14, np.uint8) for _ in range(2**12)]
    last = np.ones(2**14, np.uint8)  # on top of the heap: it alone keeps the rest from shrinking
    before = resident()
    del blocks
    give_back()
    assert resident() < before - 2**25
    assert last.all()
