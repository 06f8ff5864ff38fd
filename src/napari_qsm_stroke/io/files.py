"""Which file holds what of one examination."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.sidecar import beside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_qsm_stroke.case.case import Side

DEFAULT_KEY = "sub-01"
SINGLE_ROLES = (
    "dwi",
    "b0",
    "adc",
    "brain_mask",
    "veins",
    "infarct",
    "territories",
    "susceptibility",
)


@dataclass(frozen=True)
class CaseFiles:
    """The files of one examination by their role, and what the user said of them.

    ``key`` is taken from the first file's name where it is not given. ``root`` is the data set that
    they belong to: provenance names them relative to it.
    """

    key: str = ""
    magnitude: tuple[Path, ...] = ()
    phase: tuple[Path, ...] = ()
    dwi: Path | None = None
    b0: Path | None = None
    adc: Path | None = None
    brain_mask: Path | None = None
    veins: Path | None = None
    infarct: Path | None = None
    territories: Path | None = None
    susceptibility: Path | None = None
    echo_times: tuple[float, ...] | None = None
    field_strength: float | None = None
    side: Side | None = None
    root: Path | None = None
    fault: str = ""
    """Why the files could not be sorted; loading then says so."""

    def __post_init__(self) -> None:
        if not self.key:
            first = next((path for _, path in self.roles()), None)
            object.__setattr__(self, "key", _key_from(first))

    def roles(self) -> Iterator[tuple[str, Path]]:
        """Go through all files with the role of each."""
        for role, paths in (("magnitude", self.magnitude), ("phase", self.phase)):
            for index, path in enumerate(paths, 1):
                yield (f"{role} {index}" if len(paths) > 1 else role), path
        for role in SINGLE_ROLES:
            path = getattr(self, role)
            if path is not None:
                yield role, path

    def read(self) -> list[Path]:
        """Return every file that loading reads: images, and what lies beside them."""
        images = [path for _, path in self.roles()]
        others = [beside(path, ending) for path in images for ending in (".json", ".bval")]
        return [path for path in (*images, *others) if path.is_file()]

    def name_of(self, path: Path) -> str:
        """Name of a file for provenance: relative to the data set, or the bare name."""
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.name

    def check(self) -> None:
        """Refuse files that are not there, and one file in two roles.

        Raises
        ------
        MissingError
            There is no such file.
        InputError
            One file is given twice.
        """
        if self.fault:
            raise InputError(self.key, self.fault, "Keep one of them in the data set.")
        seen: dict[Path, str] = {}
        for role, path in self.roles():
            if not path.is_file():
                raise MissingError(str(path), f"there is no such file ({role}).", "Check the path.")
            real = path.resolve()
            if real in seen:
                raise InputError(
                    str(path),
                    f"one file is given as {seen[real]} and as {role}.",
                    "Give each image its own file.",
                )
            seen[real] = role


def _key_from(path: Path | None) -> str:
    """Subject and session from a BIDS file name, else ``sub-01``."""
    found = re.match(r"(sub-[0-9a-zA-Z]+)(_ses-[0-9a-zA-Z]+)?(?=[_.])", path.name if path else "")
    return "".join(part for part in found.groups() if part) if found else DEFAULT_KEY
