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
    from napari_qsm_stroke.io.faults import Faults, Note
    from napari_qsm_stroke.io.phase_sign import PhaseSign

DEFAULT_KEY = "sub-01"
SINGLE_ROLES = (
    "dwi",
    "b0",
    "adc",
    "brain_mask",
    "veins",
    "infarct",
    "territories",
    "atlas",
    "susceptibility",
    "flair",
    "t1w",
)
ECHO_ROLES = ("magnitude", "phase", "real", "imaginary")
"""Roles of which there is one file for each echo."""


@dataclass(frozen=True)
class CaseFiles:
    """The files of one examination by their role, and what the user said of them.

    ``key`` is taken from the first file's name where it is not given. ``root`` is the data set that
    they belong to: provenance names them relative to it.
    """

    key: str = ""
    magnitude: tuple[Path, ...] = ()
    phase: tuple[Path, ...] = ()
    real: tuple[Path, ...] = ()
    imaginary: tuple[Path, ...] = ()
    dwi: Path | None = None
    b0: Path | None = None
    adc: Path | None = None
    brain_mask: Path | None = None
    veins: Path | None = None
    infarct: Path | None = None
    territories: Path | None = None
    atlas: Path | None = None
    susceptibility: Path | None = None
    flair: Path | None = None
    t1w: Path | None = None
    echo_times: tuple[float, ...] | None = None
    field_strength: float | None = None
    b0_direction: tuple[float, float, float] | None = None
    """Along the voxel axes of the gradient echo as they are stored; else from its orientation."""
    phase_sign: PhaseSign = "auto"
    side: Side | None = None
    root: Path | None = None
    faults: tuple[InputError, ...] = ()
    """What is wrong with the names of the files; loading then says so."""
    notes: tuple[Note, ...] = ()
    """What is odd about them."""

    def __post_init__(self) -> None:
        if not self.key:
            first = next((path for _, path in self.roles()), None)
            object.__setattr__(self, "key", _key_from(first))

    def roles(self) -> Iterator[tuple[str, Path]]:
        """Go through all files with the role of each."""
        for role in ECHO_ROLES:
            paths = getattr(self, role)
            for index, path in enumerate(paths, 1):
                yield (f"{role} {index}" if len(paths) > 1 else role), path
        for role in SINGLE_ROLES:
            path = getattr(self, role)
            if path is not None:
                yield role, path

    @property
    def has_gradient_echo(self) -> bool:
        """Whether there is any image of a gradient echo."""
        return any(getattr(self, role) for role in ECHO_ROLES)

    def read(self) -> list[Path]:
        """Return every file that loading reads: images, and what lies beside them."""
        images = [path for _, path in self.roles()]
        others = [beside(path, ending) for path in images for ending in (".json", ".bval")]
        return [path for path in (*images, *others) if _is_file(path)]

    def name_of(self, path: Path) -> str:
        """Name of a file for provenance: relative to the data set, or the bare name."""
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.name

    def check(self, faults: Faults) -> None:
        """Collect files that are not there, and one file in two roles."""
        for error in self.faults:
            faults.add(error)
        if (self.magnitude or self.phase) and (self.real or self.imaginary):
            what = "there are magnitude or phase as well as real or imaginary images."
            faults.add(InputError(self.key, what, "Give magnitude and phase, or the other two."))
        seen: dict[Path, str] = {}
        for role, path in self.roles():
            with faults:
                _check_name(path, role)
                real = path.resolve()
                if real in seen:
                    raise InputError(
                        str(path),
                        f"one file is given as {seen[real]} and as {role}.",
                        "Give each image its own file.",
                    )
                seen[real] = role


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _check_name(path: Path, role: str) -> None:
    try:
        there = path.exists()
    except OSError as error:
        raise InputError(
            str(path), f"cannot be opened ({error.strerror}).", "Give it a shorter name."
        ) from None
    if not there:
        what = f"there is no such file ({role})."
        if path.is_symlink():
            what = f"is a link that leads nowhere ({role})."
        raise MissingError(str(path), what, "Check the path.")


def _key_from(path: Path | None) -> str:
    """Subject and session from a BIDS file name, else ``sub-01``."""
    found = re.match(r"(sub-[0-9a-zA-Z]+)(_ses-[0-9a-zA-Z]+)?(?=[_.])", path.name if path else "")
    return "".join(part for part in found.groups() if part) if found else DEFAULT_KEY
