"""Running a recipe on a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.pipeline.apply import Store, apply, missing
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.memory import check_memory
from napari_qsm_stroke.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.method import Method


def run(
    case: Case,
    recipe: Recipe | str,
    progress: Progress = silent,
    store: Store | None = None,
    *,
    lean: bool = False,
) -> Case:
    """Run every step of a recipe and return the finished case.

    What an earlier run made is dropped first: nothing of it can slip into the numbers of this one.
    A step whose outputs were all given by the user is left out, and so is an optional step that
    lacks an input or finds that these data do not allow it (a crop fits no template); the history
    says so.

    Parameters
    ----------
    case : Case
        Is not changed.
    recipe : Recipe or str
        A recipe, or the name of a shipped one.
    progress : Progress
        Called with the fraction of the whole run and the name of the step; may raise
        ``Cancelled``, and then nothing has changed.
    store : Store, optional
        Keeps results, so that a changed parameter recomputes only what follows it.
    lean : bool
        Let go of the series of echoes that a step made as soon as no later step takes them: they
        are the largest of all maps.

    Raises
    ------
    MissingError
        A step lacks something that it needs.
    InputError
        A step needs more memory than is free: nothing was started.
    """
    methods()
    recipe = Recipe.load(recipe) if isinstance(recipe, str) else recipe
    case = case.before_runs()
    check_memory(case, _planned(case, recipe))
    count = len(recipe.steps)
    for index, step in enumerate(recipe.steps):
        method = get_method(step.method)
        outputs = {q.name for q in method.outputs}
        note = ""
        if outputs <= case.given:
            note = "given by the user"
        elif step.optional and missing(case, method):
            note = f"the case has no {', '.join(missing(case, method))}"
        if note:
            case = case.with_maps(Record("skip", step.method, note=note), {})
            continue
        here = part(progress, index / count, (index + 1) / count)
        try:
            case = apply(case, step.method, step.parameters, here, store)
        except InputError as error:
            if not step.optional:
                raise
            case = case.with_maps(Record("skip", step.method, note=str(error)), {})
        if lean:
            case = case.without(_used_up(case, recipe, index))
    progress(1.0, "done")
    return case


def _used_up(case: Case, recipe: Recipe, index: int) -> set[str]:
    """Series of echoes that steps up to ``index`` made and took, and that none takes after it."""
    used: set[str] = set()
    for step in recipe.steps[: index + 1]:
        used |= {q.name for q in get_method(step.method).outputs if q.kind == "echoes"}
    taken = [{a.source.name for a in get_method(s.method).inputs} for s in recipe.steps]
    used &= set().union(*taken[: index + 1])
    return used.intersection(case.maps).difference(case.given, *taken[index + 1 :])


def _planned(case: Case, recipe: Recipe) -> list[Method]:
    """Methods that will run: all but what is given, and optional steps that lack an input."""
    known, planned = set(case.maps), []
    for step in recipe.steps:
        method = get_method(step.method)
        outputs = {q.name for q in method.outputs}
        lacks = {a.source.name for a in method.inputs if not a.optional} - known
        if outputs <= case.given or (step.optional and lacks):
            continue
        planned.append(method)
        known |= outputs
    return planned
