"""Compiling ahead."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from napari_qsm_stroke import Recipe
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.errors import Cancelled
from napari_qsm_stroke.pipeline.warm_up import warm_up

NEW_KERNELS = """
import gc
from dataclasses import replace
from numba.core.dispatcher import Dispatcher
from napari_qsm_stroke import Recipe, run
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.pipeline.simulate import simulate
from napari_qsm_stroke.pipeline.warm_up import warm_up

def compiled():
    kernels = [k for k in gc.get_objects() if isinstance(k, Dispatcher)]
    return {
        (k.py_func.__module__, k.py_func.__name__, str(types))
        for k in kernels
        if k.py_func.__module__.startswith("napari_qsm_stroke.core")
        for types in k.overloads
    }

case, _truth = simulate(seed=1001, voxel_size=(4.0, 4.0, 4.0))
warm_up()
before = compiled()
recipe = Recipe.load("multi-echo")
steps = [s for s in recipe.steps if get_method(s.method).stage != "register" and not s.optional]
run(case, replace(recipe, steps=tuple(steps)))
print(len(before), sorted(compiled() - before))
"""


def test_all_steps_run_on_a_tiny_head() -> None:
    seen: list[float] = []
    ran = warm_up(lambda fraction, _stage: seen.append(fraction))
    assert all(b > a - 1e-9 for a, b in itertools.pairwise(seen))
    wanted = {
        s.method
        for s in Recipe.load("multi-echo").steps
        if get_method(s.method).stage in {"echoes", "field", "background", "inversion", "contrast"}
    }
    assert wanted <= set(ran)


@pytest.mark.parametrize("stop_at", [0.0, 0.4])
def test_it_stops_when_asked(stop_at: float) -> None:
    def stop(fraction: float, _stage: str) -> None:
        if fraction >= stop_at:
            raise Cancelled

    with pytest.raises(Cancelled):
        warm_up(stop)


@pytest.mark.long
def test_a_real_run_compiles_nothing_new() -> None:
    """Whatever kernel a run of the default recipe calls was compiled for the same types."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NEW_KERNELS],
        capture_output=True,
        text=True,
        check=True,
    )
    count, _, new = done.stdout.strip().partition(" ")
    assert int(count) > 10
    assert new == "[]"
