from dataclasses import replace

import numpy as np

from napari_qsm_stroke.case.quality import Quality
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.io.store import DiskStore
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.report.quality import quality_strip

DOUBT = Quality({"disagreement_mm": 7.0}, "DWI may be aligned wrongly: parts disagree by 7 mm.")


def doubted(case, *names):
    maps = {n: replace(case.maps[n], quality=DOUBT) for n in names}
    return replace(case, maps={**case.maps, **maps})


def test_a_doubt_reaches_notes_rows_and_report(stroke_case):
    case = doubted(stroke_case, "dwi_aligned", "infarct")
    table = measure(case)
    assert table.notes.count(DOUBT.doubt) == 1
    marked = {row.region for row in table.rows if "infarct in doubt" in row.qc}
    assert marked == {row.region for row in table.rows} - {"contralateral_mca"}
    assert table.row("infarct_core").chi_median_ppm is not None
    light = next(x for x in quality_strip(case, table) if x.title == "Diffusion")
    assert light.level == "check"
    assert light.reason == DOUBT.doubt


def test_doubtful_territories_mark_every_row(stroke_case):
    rows = measure(doubted(stroke_case, "territories")).rows
    assert all("territories in doubt" in row.qc for row in rows)


def test_without_a_doubt_nothing_is_said(stroke_case):
    table = measure(stroke_case)
    assert not any("doubt" in row.qc for row in table.rows)
    assert not any("doubt" in note for note in table.notes)


def test_a_corrected_mask_has_lost_its_doubt(stroke_case):
    case = doubted(stroke_case, "infarct")
    drawn = np.array(case.maps["infarct"].data)
    drawn[20:24, 20:24, 20:24] = 1
    edited = case.with_edit("infarct", Volume(drawn, case.grid))
    assert not any("doubt" in row.qc for row in measure(edited).rows)


def test_doubts_and_figures_are_kept_on_disk(stroke_case, tmp_path):
    store = DiskStore(tmp_path)
    store.put("ab", {"infarct": doubted(stroke_case, "infarct").maps["infarct"]})
    assert store.get("ab")["infarct"].quality == DOUBT
