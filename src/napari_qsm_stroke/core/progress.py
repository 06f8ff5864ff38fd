"""Progress and cancel: the only thing that the core knows of whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Progress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and the name of the stage; may raise ``Cancelled``."""


def silent(_fraction: float, _stage: str) -> None:
    """Report to nobody."""


def part(progress: Progress, start: float, stop: float) -> Progress:
    """Progress of a part of the work: 0 to 1 becomes ``start`` to ``stop``."""

    def inner(fraction: float, stage: str) -> None:
        progress(start + (stop - start) * fraction, stage)

    return inner


def steps(count: int, progress: Progress, stage: str) -> Iterator[int]:
    """Count to ``count``, reporting before each step and at the end."""
    for index in range(count):
        progress(index / count, stage)
        yield index
    progress(1.0, stage)
