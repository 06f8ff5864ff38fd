"""The ways from raw phase to susceptibility: which there are, and how far each has come on a head.

A way is a field path (echoes, unwrapping, fit), a background method and an inversion. Paths are
those of the shipped recipe for several echoes, with one step after another exchanged for every
method that can stand in for it. The true brain is given; the recipe's refinement of it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from benchmarks.fingerprint import SOURCES, digest, of_method, of_module, plain_code
from benchmarks.heads import Head
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.core.method import Method, get_method
from napari_qsm_stroke.pipeline.apply import apply
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.recipe import Recipe
from napari_qsm_stroke.session import alternatives

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.cache import Cache, Numbers
    from benchmarks.heads import Subject
    from napari_qsm_stroke.case.case import Case

RECIPE = "multi-echo"
Path = tuple[str, ...]
MILESTONES = {"total_field", "local_field"}
"""After a step that gives one of these, all maps go to disk but for the echoes."""
MEASURES = digest(plain_code(SOURCES["benchmarks.heads"]), of_module("benchmarks.metrics"))
"""Fingerprint of the code of all measures."""


def inputs_of(method: Method) -> set[str]:
    """Names of the quantities that a method needs."""
    return {a.source.name for a in method.inputs if not a.optional}


def outputs_of(method: Method) -> set[str]:
    """Names of the quantities that a method gives."""
    return {q.name for q in method.outputs}


def backgrounds() -> list[str]:
    """Methods from total to local field."""
    return sorted(
        n for n, m in methods().items() if "local_field" in outputs_of(m) and m.stage != "register"
    )


def inversions() -> list[str]:
    """Methods that make susceptibility from the local field."""
    return sorted(
        n
        for n, m in methods().items()
        if "susceptibility" in outputs_of(m) and "local_field" in inputs_of(m)
    )


def single_steps() -> list[str]:
    """Methods that make susceptibility without a local field, and do not merely improve it."""
    return sorted(
        n
        for n, m in methods().items()
        if "susceptibility" in outputs_of(m)
        and not {"local_field", "susceptibility"} & inputs_of(m)
    )


@dataclass(frozen=True)
class Usual:
    """The methods of the recipe: each other method is measured in place of one of these."""

    path: Path
    background: str
    inversion: str


def usual() -> Usual:
    """Return the methods of the recipe from raw phase to susceptibility."""
    names = [s.method for s in Recipe.load(RECIPE).steps]
    (background,) = (n for n in names if n in backgrounds())
    (inversion,) = (n for n in names if n in (*inversions(), *single_steps()))
    return Usual(field_paths()[0], background, inversion)


@cache
def settings() -> dict[str, Mapping[str, Any]]:
    """Parameters that the recipe sets, by method: what it uses is measured as it uses it."""
    return {step.method: step.parameters for step in Recipe.load(RECIPE).steps}


def done(case: Case, name: str) -> Case:
    """Return the case after one method."""
    return apply(case, name, settings().get(name))


def field_paths() -> list[Path]:
    """Ways from raw data to the total field; that of the recipe comes first."""
    recipe = Recipe.load(RECIPE)
    last = max(
        i for i, s in enumerate(recipe.steps) if "total_field" in outputs_of(get_method(s.method))
    )
    names = [s.method for s in recipe.steps[: last + 1]]
    paths = []
    for index, name in enumerate(names):
        if _makes_brain(name):
            continue
        for other in alternatives(recipe, index):
            path = (*names[:index], other.name, *names[index + 1 :])
            paths.append(tuple(n for n in path if not _makes_brain(n)))
    return list(dict.fromkeys(paths))


def path_name(path: Path) -> str:
    """Path in words: its methods, without those that refine a mask."""
    return " + ".join(n for n in path if "brain" not in outputs_of(get_method(n)))


def _makes_brain(name: str) -> bool:
    method = get_method(name)
    return "brain" in outputs_of(method) and "brain" not in inputs_of(method)


class Way:
    """Steps on one head, computed when they are asked for and kept.

    Parameters
    ----------
    subject : Subject
        Whose head; it is simulated or read only when it is needed.
    cache : Cache
        Of volumes and numbers.
    """

    def __init__(self, subject: Subject, cache: Cache) -> None:
        self.subject = subject
        self.cache = cache
        self._after = lru_cache(maxsize=2)(self._compute)

    @cached_property
    def head(self) -> Head:
        """The head."""
        return Head.load(self.subject, self.cache)

    @cached_property
    def _content(self) -> str:
        key = digest("content", self.subject.key)
        return str(self.cache.numbers(key, lambda: {"digest": self.head.content})["digest"])

    @cached_property
    def start(self) -> Case:
        """The raw case with the true brain."""
        return self.head.given("true brain", brain=self.head.truth["brain"])

    def key(self, *steps: str) -> str:
        """Fingerprint of a head, voxel by voxel, and of the code of the steps done on it."""
        code = [(of_method(get_method(n)), sorted(settings().get(n, {}).items())) for n in steps]
        return digest(self._content, *code)

    def after(self, *steps: str) -> Case:
        """Return the case after these steps, read from disk where the last one is kept.

        A case from disk has what the steps gave but for their echoes.
        """
        return self._after(steps)

    def _compute(self, steps: Path) -> Case:
        if not steps:
            return self.start
        kept = self.cache.steps.get(self.key(*steps))
        if kept is not None:
            return self.start.with_maps(Record("load", "kept"), kept)
        method, before = get_method(steps[-1]), self.after(*steps[:-1])
        given = set().union(*(outputs_of(get_method(n)) for n in steps[:-1]))
        takes = {a.source.name for a in method.inputs}
        if (given & takes) - set(before.maps):
            return self.all_of(*steps)
        after = done(before, method.name)
        self._keep(steps, after)
        return after

    def all_of(self, *steps: str) -> Case:
        """Return the case after these steps with all that they gave, echoes too."""
        case = self.start
        for count, name in enumerate(steps, 1):
            case = done(case, name)
            self._keep(steps[:count], case)
        return case

    def _keep(self, steps: Path, case: Case) -> None:
        if outputs_of(get_method(steps[-1])) & MILESTONES:
            new = {n: v for n, v in case.maps.items() if v is not self.start.maps.get(n)}
            maps = {n: v for n, v in new.items() if v.data.ndim == 3}
            self.cache.steps.put(self.key(*steps), maps)

    def score(self, kind: str, steps: Path, compute: Callable[[], Numbers]) -> Numbers:
        """Return the measures of some steps, computed only where code or head are new."""
        key = digest(kind, MEASURES, self.key(*steps))
        return self.cache.numbers(key, compute)


def field(way: Way, path: Path) -> Numbers:
    """Errors of the total field by one path."""
    return way.score("field", path, lambda: way.head.of_field(way.all_of(*path)))


def isolated_background(way: Way, name: str) -> Numbers:
    """Errors of the local field from the true total field with noise, in the true brain."""

    def compute() -> Numbers:
        head = way.head
        case = head.given(
            "true total field",
            brain=head.truth["brain"],
            total_field=head.noisy(head.truth["total_field"]),
            field_noise=head.noise,
        )
        return head.of_local_field(done(case, name).maps["local_field"].data)

    return way.score("isolated background", (name,), compute)


def isolated_inversion(way: Way, name: str, matched: bool = False) -> Numbers:
    """Measures of the susceptibility from the true local field with noise.

    ``matched`` takes the field of the true map by the model that is inverted instead of that of
    the finer grid.
    """

    def compute() -> Numbers:
        head = way.head
        field = head.matched_field if matched else head.truth["local_field"]
        case = head.given(
            "true local field",
            brain=head.truth["brain"],
            local_field=head.noisy(field),
            field_mask=head.truth["brain"],
            field_noise=head.noise,
        )
        return head.of_susceptibility(done(case, name).maps["susceptibility"].data)

    return way.score(f"isolated inversion, matched {matched}", (name,), compute)


def composed_background(way: Way, path: Path, name: str) -> Numbers:
    """Errors of the local field from wrapped phase."""

    def compute() -> Numbers:
        return way.head.of_local_field(way.after(*path, name).maps["local_field"].data)

    return way.score("composed background", (*path, name), compute)


def composed(way: Way, steps: Path) -> Numbers:
    """Measures of the susceptibility from wrapped phase; the last step makes it."""

    def compute() -> Numbers:
        return way.head.of_susceptibility(way.after(*steps).maps["susceptibility"].data)

    return way.score("composed", steps, compute)
