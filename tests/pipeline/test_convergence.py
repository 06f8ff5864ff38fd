"""How iterations ended is in the history and in the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from napari_qsm_stroke import Case, Volume
from napari_qsm_stroke.cli.console import show_iterations
from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.progress import Progress, steps
from napari_qsm_stroke.core.quantities import LocalField, Susceptibility
from napari_qsm_stroke.pipeline.apply import MemoryStore, apply


@pytest.fixture
def field_case(small_case: Case) -> Case:
    """A local field of noise in a small block."""
    grid = small_case.grid
    field = np.random.default_rng(3).normal(0, 0.01, grid.shape).astype(np.float32)
    maps = {
        "local_field": Volume(field, grid, "ppm"),
        "field_mask": Volume(np.ones(grid.shape, np.uint8), grid),
    }
    return replace(small_case, maps={**small_case.maps, **maps})


def test_iterations_are_in_the_history(
    field_case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case = apply(field_case, "ndi", {"max_iter": 300, "tol": 0.2})
    record = case.history[-1]
    assert 1 <= record.figures["iterations"] < 300
    assert record.figures["tolerance_reached"] == 1
    assert record.note == ""
    show_iterations(case)
    assert capsys.readouterr().err == f"iterations: ndi: {record.figures['iterations']}\n"


@pytest.mark.parametrize("name", ["ndi", "nltv", "rts"])
def test_a_tolerance_that_was_not_reached_is_noted(
    field_case: Case, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore()
    for _ in range(2):  # computed, then taken from the store
        case = apply(field_case, name, {"max_iter": 3, "tol": 1e-6}, store=store)
        record = case.history[-1]
        assert record.figures == {"iterations": 3, "tolerance_reached": 0}
        assert record.note == "stopped after 3 iterations, before its tolerance was reached"
    show_iterations(case)
    assert capsys.readouterr().err == f"iterations: {name}: 3 (its tolerance was not reached)\n"


@pytest.fixture
def three_steps() -> Iterator[str]:
    """A method that by default ends before its tolerance does."""

    @method()
    def thrice(
        local_field: LocalField, progress: Progress, max_iter: int = 3, tol: float = 1e-3
    ) -> Susceptibility:
        """Wait."""
        for _ in steps(max_iter, progress, "thrice"):
            pass
        return (tol * local_field).astype(np.float32)

    yield "thrice"
    forget("thrice")


def test_as_many_iterations_as_by_default_are_no_warning(
    field_case: Case, three_steps: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = apply(field_case, three_steps)
    assert case.history[-1].figures == {"iterations": 3, "tolerance_reached": 0}
    assert case.history[-1].note == "took its usual 3 iterations"
    show_iterations(case)
    assert capsys.readouterr().err == "iterations: thrice: 3\n"


@pytest.mark.parametrize("changed", [{"max_iter": 2}, {"max_iter": 4}, {"tol": 1e-4}])
def test_what_was_asked_for_and_not_reached_is_noted(
    field_case: Case, three_steps: str, changed: dict[str, float]
) -> None:
    case = apply(field_case, three_steps, changed)
    assert "before its tolerance was reached" in case.history[-1].note


def test_methods_without_iterations_say_nothing(field_case: Case) -> None:
    case = apply(field_case, "tkd")
    assert case.history[-1].figures == {}
    assert case.history[-1].note == ""
