"""Progress and cancel: the only thing that the core knows of whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Progress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and the name of the stage; may raise ``Cancelled``."""


def silent(_fraction: float, _stage: str) -> None:
    """Report to nobody."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """Progress of a part of the work: 0 to 1 becomes ``start`` to ``stop``."""

    def inner(fraction: float, stage: str) -> None:
        progress(start + (stop - start) * fraction, stage)

    return inner


@dataclass(frozen=True)
class Loop:
    """What became of one loop of steps.

    Attributes
    ----------
    taken, most : int
        Steps that were taken, and the most that were allowed.
    settled : bool
        Whether the loop was left before it ran out of steps, as when a tolerance is reached.
    """

    taken: int
    most: int
    settled: bool


_loops: ContextVar[list[Loop] | None] = ContextVar("loops", default=None)


@contextmanager
def loops_noted() -> Iterator[list[Loop]]:
    """List the loops of steps that end meanwhile, in the order in which they do."""
    found: list[Loop] = []
    token = _loops.set(found)
    try:
        yield found
    finally:
        _loops.reset(token)


def steps(count: int, progress: Progress, stage: str) -> Iterator[int]:
    """Count to ``count``, reporting before each step and at the end."""
    found = _loops.get()
    taken, settled = 0, True
    try:
        for index in range(count):
            progress(index / count, stage)
            taken = index + 1
            yield index
        settled = False
    finally:  # also where the loop is left
        if found is not None:
            found.append(Loop(taken, count, settled))
    progress(1.0, stage)
