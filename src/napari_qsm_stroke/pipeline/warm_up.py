"""Compiling ahead: the default recipe on a head of a few millimetres, so that nobody waits later.

numba compiles a kernel when it is first called, which takes a second or two each, and keeps the
code on disk. Running the steps once on a tiny head compiles all that they need, for the same kinds
of arrays as those of a real case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.acquisition import Acquisition
from napari_qsm_stroke.case.case import Case
from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.pipeline.apply import apply, missing
from napari_qsm_stroke.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from napari_qsm_stroke.core.method import Method

TIMES = (0.005, 0.010, 0.015)
SIDE = 28
VOXEL_MM = 2.0


def warm_up(progress: Progress = silent, recipe: str = "multi-echo") -> list[str]:
    """Run every step of a recipe once on a tiny head.

    Parameters
    ----------
    progress : Progress
        Called between the steps and within them; may raise ``Cancelled``.
    recipe : str
        Name of a shipped recipe.

    Returns
    -------
    list of str
        Names of the methods that ran; those that such a head does not allow are left out.
    """
    steps = Recipe.load(recipe).steps
    case, done = _tiny_case(), []
    for index, step in enumerate(steps):
        progress(index / len(steps), step.method)
        method = get_method(step.method)
        # registration needs diffusion images or a whole head, and compiles nothing
        if method.stage == "register" or missing(case, method):
            continue
        here = part(progress, index / len(steps), (index + 1) / len(steps))
        try:
            case = apply(case, step.method, {**step.parameters, **_few(method)}, here)
        except InputError:
            continue
        done.append(step.method)
    progress(1.0, "compiled")
    return done


def _few(method: Method) -> dict[str, Any]:
    """As few iterations as go through all of a loop."""
    return {p.name: min(2, p.default) for p in method.parameters if p.name == "max_iter"}


def _tiny_case() -> Case:
    """A ball of brain with a field and a vein."""
    affine = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    grid = Grid((SIDE, SIDE, SIDE), affine)
    x, y, z = (VOXEL_MM * (i - (SIDE - 1) / 2) for i in np.ogrid[:SIDE, :SIDE, :SIDE])
    square = x**2 + y**2 + z**2
    brain = square < (0.8 * VOXEL_MM * SIDE / 2) ** 2
    vein = brain & ((x - 6) ** 2 + y**2 < 3**2)
    field = 0.02 * x - 0.01 * z + 0.05 * vein
    noise = np.random.default_rng(1).normal(0, 1, (2, *grid.shape, len(TIMES)))
    turned = radians_per_ppm_second(3.0) * field[..., None] * np.array(TIMES)
    signal = 100 * brain[..., None] * np.exp(1j * turned) + noise[0] + 1j * noise[1]
    raw = {
        "magnitude": Volume(np.abs(signal).astype(np.float32), grid, "a.u."),
        "phase": Volume(np.angle(signal).astype(np.float32), grid, "rad"),
    }
    case = Case("warm-up", Acquisition(TIMES, 3.0), raw)
    # a brain that is found where there is none would leave the other steps without work
    return case.with_given({"brain": Volume(brain.astype(np.uint8), grid)})
