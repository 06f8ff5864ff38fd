"""What is wrong and what is odd about files: collected, so that all of it can be told at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from napari_qsm_stroke.errors import InputError


@dataclass(frozen=True)
class Note:
    """Something odd about a file that does not keep it from being used."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """Say it without the name of the file."""
        return f"{self.what} {self.remedy}".strip()


class Faults:
    """What was found wrong so far, each thing once and in the order in which it was found.

    ``with faults:`` keeps what goes wrong in the block.
    """

    def __init__(self) -> None:
        self.found: list[InputError] = []

    def __enter__(self) -> Self:
        """Begin a block whose ``InputError`` is kept instead of raised."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: object
    ) -> bool:
        """Keep an ``InputError``; let everything else through."""
        if isinstance(error, InputError):
            self.add(error)
            return True
        return False

    def add(self, error: InputError) -> None:
        """Keep an error, unless the same is there already."""
        if str(error) not in {str(known) for known in self.found}:
            self.found.append(error)

    def raise_first(self) -> None:
        """Raise what was found first.

        Raises
        ------
        InputError
            Where anything was found.
        """
        if self.found:
            raise self.found[0]
