"""Accuracy of each step by itself and of whole ways from wrapped phase, on test heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import chains
from benchmarks.chains import Way
from benchmarks.heads import TEST_SEEDS, Subject
from napari_qsm_stroke.pipeline.discovery import methods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.cache import Cache, Numbers

Row = dict[str, Any]
PARTS = ("field", "isolated", "composed", "streaks")
"""Total field by each path; steps by themselves; ways from wrapped phase; a head that bleeds."""


@dataclass(frozen=True)
class Selection:
    """Which heads and which methods.

    Parameters
    ----------
    seeds : tuple of int
        Of the heads.
    voxel_size : float
        In mm.
    backgrounds, inversions : tuple of str
        Names; all where none is given.
    parts : tuple of str
        Of ``PARTS``.
    whole : bool
        Every field path with every background and inversion; else each method in the place of the
        recipe's own, the others being those of the recipe.
    """

    seeds: tuple[int, ...] = TEST_SEEDS
    voxel_size: float = 1.0
    backgrounds: tuple[str, ...] = ()
    inversions: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS
    whole: bool = False

    @staticmethod
    def of(known: list[str], named: tuple[str, ...]) -> list[str]:
        """Return those that are named, all where none is."""
        return [name for name in known if not named or name in named]

    def subject(self, seed: int, haemorrhage: bool = False) -> Subject:
        """Return the head of a seed."""
        return Subject(seed, (self.voxel_size,) * 3, haemorrhage)


@dataclass(frozen=True)
class Task:
    """One row of the results: what it is of, and how to compute it."""

    labels: Row
    compute: Callable[[], Numbers]


def rows(selection: Selection, cache: Cache, say: Callable[[Row], None]) -> list[Row]:
    """Compute all rows, head by head; ``say`` hears of each."""
    methods()
    found = []
    for seed in selection.seeds:
        for task in _tasks(selection, selection.subject(seed), cache):
            row = {**task.labels, "seed": seed, **task.compute()}
            say(row)
            found.append(row)
    if "streaks" in selection.parts:
        seed = selection.seeds[0]
        for task in _bleeding(selection, selection.subject(seed, haemorrhage=True), cache):
            row = {**task.labels, "seed": seed, **task.compute()}
            say(row)
            found.append(row)
    return found


def _tasks(selection: Selection, subject: Subject, cache: Cache) -> Iterator[Task]:
    """Every step by itself, then the ways from wrapped phase."""
    way, usual = Way(subject, cache), chains.usual()
    if "field" in selection.parts:
        for path in chains.field_paths():
            labels = {"kind": "field", "field": chains.path_name(path)}
            yield Task(labels, partial(chains.field, way, path))
    if "isolated" in selection.parts:
        yield from _isolated(selection, way)
    if "composed" in selection.parts:
        one = replace(selection, backgrounds=(usual.background,), inversions=(usual.inversion,))
        for path in chains.field_paths():
            full = selection.whole or path == usual.path
            yield from _composed(selection if full else one, way, path)


def _isolated(selection: Selection, way: Way) -> Iterator[Task]:
    """Background and dipole step from the true field with noise."""
    for name in selection.of(chains.backgrounds(), selection.backgrounds):
        labels = {"kind": "isolated background", "background": name}
        yield Task(labels, partial(chains.isolated_background, way, name))
    for name in selection.of(chains.inversions(), selection.inversions):
        labels = {"kind": "isolated inversion", "inversion": name}
        yield Task(labels, partial(chains.isolated_inversion, way, name))
        labels = {"kind": "matched inversion", "inversion": name}
        yield Task(labels, partial(chains.isolated_inversion, way, name, matched=True))


def _composed(selection: Selection, way: Way, path: chains.Path) -> Iterator[Task]:
    """What follows a field path: single steps, and every background with every inversion."""
    labels, usual = {"field": chains.path_name(path)}, chains.usual()
    for name in selection.of(chains.single_steps(), selection.inversions):
        named = {"kind": "composed", **labels, "background": "", "inversion": name}
        yield Task(named, partial(chains.composed, way, (*path, name)))
    for before in selection.of(chains.backgrounds(), selection.backgrounds):
        named = {"kind": "composed background", **labels, "background": before}
        yield Task(named, partial(chains.composed_background, way, path, before))
        for name in selection.of(chains.inversions(), selection.inversions):
            if not selection.whole and before != usual.background and name != usual.inversion:
                continue
            named = {"kind": "composed", **labels, "background": before, "inversion": name}
            yield Task(named, partial(chains.composed, way, (*path, before, name)))


def _bleeding(selection: Selection, subject: Subject, cache: Cache) -> Iterator[Task]:
    """Streaks of every inversion on a head that bleeds, by itself and after the usual steps."""
    way = Way(subject, cache)
    path, before = chains.usual().path, chains.usual().background
    for name in selection.of(chains.single_steps(), selection.inversions):
        labels = {"field": chains.path_name(path), "background": "", "inversion": name}
        yield Task(
            {"kind": "composed streaks", **labels}, partial(chains.composed, way, (*path, name))
        )
    for name in selection.of(chains.inversions(), selection.inversions):
        labels = {"kind": "isolated streaks", "inversion": name}
        yield Task(labels, partial(chains.isolated_inversion, way, name))
        labels = {
            "kind": "composed streaks",
            "field": chains.path_name(path),
            "background": before,
            "inversion": name,
        }
        yield Task(labels, partial(chains.composed, way, (*path, before, name)))
