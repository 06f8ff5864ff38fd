"""What the report of a case says: the same words for the page and the PDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_qsm_stroke.case.case import notes_of_loading
from napari_qsm_stroke.case.provenance import INTENDED_USE, software
from napari_qsm_stroke.core.measure.regions import REGIONS
from napari_qsm_stroke.core.measure.table import OK
from napari_qsm_stroke.report.methods_text import MethodsText, acquisition_words, methods_text
from napari_qsm_stroke.report.quality import Light, quality_strip
from napari_qsm_stroke.report.wording import compared, listing, number, sentence, table_cells

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.case.provenance import Record
    from napari_qsm_stroke.pipeline.measure import Measurements

TITLE = "Vein susceptibility by arterial territory"
TABLE_NOTE = (
    "Susceptibility in ppm (SI). Percentages compare medians. OEF index: oxygen extraction "
    "fraction worked out from the median; constants under Methods. Neither a low nor a high value "
    "is good or bad in itself: before reperfusion the change goes the other way."
)


@dataclass(frozen=True)
class Content:
    """Everything that is written in the report of one case."""

    key: str
    facts: tuple[tuple[str, str], ...]
    finding: str
    lights: tuple[Light, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """Region name and the cells of its row."""
    warnings: tuple[str, ...]
    edits: tuple[str, ...]
    methods: MethodsText
    title: str = TITLE
    table_note: str = TABLE_NOTE
    intended_use: str = INTENDED_USE


def report_content(case: Case, measurements: Measurements) -> Content:
    """Put the report of a case in words.

    Parameters
    ----------
    case : Case
        The measured case.
    measurements : Measurements
        Its table.

    Returns
    -------
    Content
    """
    return Content(
        key=case.key,
        facts=_facts(case, measurements),
        finding=_finding(measurements),
        lights=tuple(quality_strip(case, measurements)),
        rows=tuple((row.region, table_cells(row)) for row in measurements.rows),
        warnings=_warnings(case, measurements),
        edits=_edits(case),
        methods=methods_text(case, measurements),
    )


def _facts(case: Case, measurements: Measurements) -> tuple[tuple[str, str], ...]:
    side = measurements.side or "not known"
    origin = {"found": "found from the infarct", "user": "said by the user", None: ""}
    where = origin[measurements.side_origin]
    infarct = measurements.infarct_volume_ml
    return (
        ("Acquisition", acquisition_words(case) or "not known"),
        *_phase(case),
        ("Side of the stroke", f"{side}, {where}" if where else side),
        ("Infarct", f"{number(infarct, 1)} ml" if infarct is not None else "none in the case"),
        ("Susceptibility relative to", measurements.reference or "not known"),
        ("Software", f"napari-qsm-stroke {software().napari_qsm_stroke}"),
    )


def _phase(case: Case) -> tuple[tuple[str, str], ...]:
    """In which unit and with which sign the phase was stored, where that is known."""
    acquisition = case.acquisition
    if acquisition is None or not acquisition.phase_sign:
        return ()
    return (("Phase", f"in {acquisition.phase_unit}; sign {acquisition.phase_sign}"),)


def _finding(measurements: Measurements) -> str:
    core = measurements.row("infarct_core")
    if core.chi_median_ppm is None:
        return sentence(f"The infarct core was not measured ({core.qc})")
    against = {
        "in the non-ischemic MCA territory of the same side": core.percent_vs_ipsilateral,
        "in the MCA territory of the other side": core.percent_vs_contralateral,
    }
    parts = [f"{compared(value)} {where}" for where, value in against.items() if value is not None]
    start = f"Median vein susceptibility in the infarct core is {number(core.chi_median_ppm)} ppm"
    return sentence(f"{start}: {listing(parts)}" if parts else start)


def _warnings(case: Case, measurements: Measurements) -> tuple[str, ...]:
    acquisition = case.acquisition.warnings if case.acquisition else notes_of_loading(case)
    rows = [f"{REGIONS[r.region]}: {r.qc}" for r in measurements.rows if r.qc != OK]
    return tuple(sentence(text) for text in (*acquisition, *measurements.notes, *rows))


def _edits(case: Case) -> tuple[str, ...]:
    """One line for each mask, however many strokes; the last word on the side counts."""
    edits: dict[str, list[Record]] = {}
    for record in case.history:
        if record.action == "edit":
            edits.setdefault(record.what, []).append(record)
    found = [_edit(what, records) for what, records in edits.items()]
    found += [
        f"Step {r.what} left out: {r.note}" for r in case.history if r.action == "skip" and r.note
    ]
    return tuple(dict.fromkeys(sentence(text.replace("_", " ")) for text in found))


def _edit(what: str, records: list[Record]) -> str:
    notes = ", ".join(dict.fromkeys(r.note for r in records if r.note))
    if what == "side":
        return f"side of the stroke set to {records[-1].parameters.get('side') or 'not known'}"
    changed = sum(int(r.parameters.get("changed_voxels", 0)) for r in records)
    if changed == 0 and notes:
        return f"{what}: {notes}"
    steps = f" in {len(records)} steps" if len(records) > 1 else ""
    return f"{what}: {changed} voxels changed by hand{steps}" + (f" ({notes})" if notes else "")
