"""An atlas of arterial territories in template space, from a file that the user has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import finite, read_nifti
from napari_qsm_stroke.io.sidecar import beside

if TYPE_CHECKING:
    from pathlib import Path

    from napari_qsm_stroke.io.faults import Note

ARTERIES = (
    ("ACA", r"\bACA|anterior cerebral|medial lenticulostriate"),
    ("MCA", r"\bMCA|middle cerebral|lateral lenticulostriate"),
    ("PCA", r"\bPCA|posterior cerebral|choroid|thalamo-?perf"),
    ("VB", r"\bVB|basilar|cerebellar|vertebr"),
)
SIDES = (("left", r"\bleft\b|\bL\b|[-_]L\b"), ("right", r"\bright\b|\bR\b|[-_]R\b"))
LIU_LEVEL_1 = (("ACA", 4), ("MCA", 16), ("PCA", 24), ("VB", 30), ("", 32))
"""Territory and its last label in the atlas of Liu et al. 2023; odd is left, even is right."""
LIU_LEVEL_2 = (("ACA", 2), ("MCA", 4), ("PCA", 6), ("VB", 8), ("", 10))


def read_atlas(path: Path) -> tuple[Volume, tuple[Note, ...]]:
    """Read an atlas as labels of ``core.quantities.LABELS``, on its own grid.

    What its labels mean is read from a table beside it (same name, ``.tsv`` or ``.txt``): the first
    number of a line is the label, its words say artery and side. Without a table the labels are
    those of the atlas of Liu, Faria et al., Sci Data 2023;10:74, doi:10.1038/s41597-022-01923-0:
    up to 10 its four territories a side and the ventricles, up to 32 its detailed ones.

    Raises
    ------
    InputError
        The labels fit no table, or there is no left or no right MCA in it.
    """
    file = read_nifti(path)
    volume = finite(file.volume)
    if volume.data.ndim != 3:
        raise InputError(
            str(path), f"expected three dimensions, found {volume.data.shape}.", "Give one image."
        )
    values = np.unique(volume.data)
    if (values != np.round(values)).any() or values[0] < 0 or values[-1] > 10_000:
        raise InputError(str(path), "it holds no whole-number labels.", "Give a label image.")
    meaning = _from_table(path) or _of_liu(int(values[-1]))
    if not meaning:
        raise InputError(
            str(path),
            f"what its labels up to {values[-1]:g} mean is not known.",
            f"Put a table beside it: {beside(path, '.tsv').name}, with label and name.",
        )
    table = np.zeros(int(values[-1]) + 1, np.uint8)
    for label, ours in meaning.items():
        if 0 < label < table.size:
            table[label] = ours
    labels = table[volume.data.astype(np.int64)]
    lacking = [f"{side} MCA" for n, (artery, side) in LABELS.items() if artery == "MCA"
               and not (labels == n).any()]  # fmt: skip
    if lacking:
        raise InputError(
            str(path), f"there is no {' and no '.join(lacking)} in it.", "Check its label table."
        )
    return Volume(labels, volume.grid, "", str(path)), file.notes


def _from_table(path: Path) -> dict[int, int]:
    """Our label for each label of the table beside an atlas; empty where there is none."""
    numbers = {name: label for label, name in LABELS.items()}
    for ending in (".tsv", ".txt"):
        table = beside(path, ending)
        if not table.is_file():
            continue
        found = {}
        for line in table.read_text("utf-8", errors="replace").splitlines():
            label = re.search(r"(?<![\w.-])\d+(?![\w.])", line)
            artery = _first(ARTERIES, line)
            side = _first(SIDES, line)
            if label and artery and side:
                found[int(label[0])] = numbers[artery, side]
        return found
    return {}


def _first(names: tuple[tuple[str, str], ...], line: str) -> str:
    """The name whose words stand in the line, the earliest one."""
    hits = [
        (hit.start(), name)
        for name, pattern in names
        if (hit := re.search(pattern, line, re.IGNORECASE))
    ]
    return min(hits)[1] if hits else ""


def _of_liu(highest: int) -> dict[int, int]:
    levels = LIU_LEVEL_2 if highest <= 10 else LIU_LEVEL_1
    if not 1 < highest <= 32:
        return {}
    found, first = {}, 1
    for artery, last in levels:
        for label in range(first, last + 1):
            side = "left" if label % 2 else "right"
            ours = [n for n, name in LABELS.items() if name == (artery, side)]
            found[label] = ours[0] if ours else 0
        first = last + 1
    return found
