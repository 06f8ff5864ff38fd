"""What the steps doubted of their own results, put beside the numbers that rest on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_qsm_stroke.core.measure.table import OK, RegionRow
from napari_qsm_stroke.pipeline.sign_check import sign_doubt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_qsm_stroke.case.case import Case

RESTS_ON = {"territories": "territories", "infarct": "infarct"}
"""Masks that rows rest on, and what they are called."""
WITHOUT_INFARCT = {"contralateral_mca"}


def doubts(case: Case) -> tuple[str, ...]:
    """Every doubt about a map of the case and about the sign of its phase, once.

    A mask that was corrected by hand has lost its doubt, an image has not.
    """
    found = [volume.quality.doubt for volume in case.maps.values()]
    return tuple(dict.fromkeys(doubt for doubt in (*found, sign_doubt(case)) if doubt))


def with_doubts(case: Case, rows: Mapping[str, RegionRow]) -> dict[str, RegionRow]:
    """Say in each row which of the masks that it rests on is in doubt."""
    return {name: _with_doubt(case, row) for name, row in rows.items()}


def _with_doubt(case: Case, row: RegionRow) -> RegionRow:
    words = [
        f"{title} in doubt: see the notes"
        for name, title in RESTS_ON.items()
        if (name != "infarct" or row.region not in WITHOUT_INFARCT)
        and name in case.maps
        and case.maps[name].quality.doubt
    ]
    if not words:
        return row
    return replace(row, qc="; ".join([*words] if row.qc == OK else [row.qc, *words]))
