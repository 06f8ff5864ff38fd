"""What the name of an image in a data set says: BIDS, and the habits from before it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_qsm_stroke.io.sidecar import stem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARTS = {
    "magnitude": ("mag", "magn", "magnitude", "m"),
    "phase": ("phase", "phas", "pha", "ph", "p"),
    "real": ("real", "re"),
    "imaginary": ("imag", "imaginary", "im"),
}
"""Spellings of each part; those of one letter only after ``part-``."""
PART_ENTITIES = ("part", "rec", "acq", "desc")
"""Entities whose value may name the part."""
NUMBERED = re.compile(r"([a-z]+)(\d*)")
ECHO = re.compile(r"e(\d+)")


@dataclass(frozen=True)
class ImageName:
    """An image and what its name says."""

    path: Path
    suffix: str
    part: str
    """``""`` where the name does not say it."""
    echo: int
    """0 where the name does not say it."""
    entities: Mapping[str, str] = field(default_factory=dict)

    @property
    def series(self) -> str:
        """All of the name but subject, session, echo and part: one acquisition shares it."""
        own = [f"{k}-{v}" for k, v in self.entities.items() if k not in ("sub", "ses")]
        return "_".join([*own, self.suffix]) if self.suffix else "_".join(own)


def read_name(path: Path) -> ImageName:
    """Read the name of an image.

    ``sub-1_echo-2_part-phase_MEGRE``, ``sub-1_e2_GRE_ph``, ``sub-1_GRE_phase2`` and
    ``sub-1_rec-phase_echo-2_T2starw`` are all the phase of the second echo.
    """
    entities: dict[str, str] = {}
    suffix, part, echo = "", "", 0
    for word in stem(path).split("_"):
        key, dash, value = word.partition("-")
        if dash:
            entities[key] = value
            continue
        number = ECHO.fullmatch(word)
        spelled, digits = _spelled(word.lower())
        if number:
            echo = int(number.group(1))
        elif spelled:
            part, echo = spelled, int(digits) if digits else echo
        else:
            suffix = word
    for key in PART_ENTITIES:
        spelled = _part(entities.get(key, "").lower(), short=key == "part")
        if spelled:
            part = spelled
            del entities[key]
    if re.fullmatch(r"\d+", entities.get("echo", "")):
        echo = int(entities.pop("echo"))
    return ImageName(path, suffix, part, echo, entities)


def _spelled(word: str) -> tuple[str, str]:
    """Part that a word names, and the number at its end."""
    found = NUMBERED.fullmatch(word)
    return (_part(found.group(1)), found.group(2)) if found else ("", "")


def _part(word: str, *, short: bool = False) -> str:
    if len(word) < 2 and not short:
        return ""
    return next((part for part, spellings in PARTS.items() if word in spellings), "")
