"""What the report says."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from napari_qsm_stroke import Acquisition, Case
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.core.method import METHODS
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.measure import MeasureSettings, measure
from napari_qsm_stroke.report.content import report_content
from napari_qsm_stroke.report.methods_text import Reference, last_runs, methods_text, source_of
from napari_qsm_stroke.report.quality import quality_strip
from napari_qsm_stroke.report.wording import (
    HEADINGS,
    NOT_MEASURED,
    compared,
    listing,
    number,
    percent,
    sentence,
    span,
    table_cells,
)


def lights(case: Case) -> dict[str, tuple[str, str]]:
    return {x.title: (x.level, x.reason) for x in quality_strip(case, measure(case))}


def test_numbers_read_well() -> None:
    assert number(-0.0004) == "0.000"
    assert number(-0.0123) == "−0.012"
    assert number(None) == NOT_MEASURED
    assert percent(-40.52) == "−40.5 %"
    assert percent(9.96) == "+10.0 %"
    assert percent(-0.04) == "0.0 %"
    assert span(0.1, None) == NOT_MEASURED
    assert compared(-40.6) == "41 % lower than"
    assert compared(5.2) == "5 % higher than"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert listing(["a"]) == "a"
    assert sentence("it is so") == "It is so."


def test_finding_names_both_comparisons(stroke_case: Case) -> None:
    finding = report_content(stroke_case, measure(stroke_case)).finding
    assert finding == (
        "Median vein susceptibility in the infarct core is 0.060 ppm: 41 % lower than in the "
        "non-ischemic MCA territory of the same side and 46 % lower than in the MCA territory of "
        "the other side."
    )


def test_a_core_that_is_not_measured_is_said_so(stroke_case: Case) -> None:
    found = measure(stroke_case, MeasureSettings(min_voxels=500))
    content = report_content(stroke_case, found)
    assert content.finding.startswith("The infarct core was not measured")
    assert dict(content.rows)["infarct_core"][5] == NOT_MEASURED
    assert any(w.startswith("Infarct core: not measured: 68 vein voxels") for w in content.warnings)


def test_rows_have_a_cell_for_each_heading(stroke_case: Case) -> None:
    for row in measure(stroke_case).rows:
        assert len(table_cells(row)) == len(HEADINGS)
        assert "nan" not in " ".join(table_cells(row))


def test_lights_of_a_good_case(stroke_case: Case) -> None:
    found = lights(stroke_case)
    assert found["Side"][0] == "ok"
    assert found["Acquisition"] == ("ok", "4 echoes, complete.")
    assert found["Veins"] == ("ok", "At least 16 vein segments in each of the three regions.")
    assert found["Vein mask"] == ("check", "Automatic proposal, not corrected by hand.")


def test_lights_tell_hand_edits_and_given_masks(stroke_case: Case) -> None:
    veins = stroke_case.maps["veins"]
    less = veins.data.copy()
    less[:, :, 0:24] = 0
    changed = int((less != veins.data).sum())
    case = stroke_case.with_edit("veins", veins.with_data(less), note="sinus removed")
    case = case.with_given({"infarct": case.maps["infarct"]})
    found = lights(case)
    assert found["Vein mask"] == ("ok", f"Corrected by hand: {changed} voxels.")
    assert found["Infarct mask"] == ("ok", "Given by the user.")
    edits = report_content(case, measure(case)).edits
    assert edits == (f"Veins: {changed} voxels changed by hand (sinus removed).",)


def test_strokes_are_summed_and_acceptance_is_said(stroke_case: Case) -> None:
    case = stroke_case.with_edit(
        "infarct", stroke_case.maps["infarct"], note="accepted as proposed"
    )
    for k in (0, 1, 2):
        veins = case.maps["veins"].data.copy()
        veins[:, :, 20 + k] = 0
        case = case.with_edit("veins", case.maps["veins"].with_data(veins))
    case = case.with_side("right").with_side("left")
    changed = int((case.maps["veins"].data != stroke_case.maps["veins"].data).sum())
    assert report_content(case, measure(case)).edits == (
        "Infarct: accepted as proposed.",
        f"Veins: {changed} voxels changed by hand in 3 steps.",
        "Side of the stroke set to left.",
    )
    assert lights(case)["Infarct mask"] == ("ok", "Accepted as proposed.")


def test_lights_of_a_poor_case(stroke_case: Case) -> None:
    half = stroke_case.maps["brain"].data.copy()
    half[:, :, 20:] = 0
    poor = replace(
        stroke_case.without(["infarct", "dwi_aligned"]),
        acquisition=Acquisition((0.02,), 3.0, warnings=("Phase was filtered",)),
    )
    poor = poor.with_given({"brain": poor.maps["brain"].with_data(half)})
    found = lights(poor)
    assert found["Side"] == ("stop", "The side of the stroke is not known.")
    assert found["Acquisition"][0] == "check"
    assert found["Brain mask"][0] == "check"
    assert "small" in found["Brain mask"][1]
    assert found["Diffusion"][0] == "check"
    assert found["Infarct mask"] == ("stop", "None in the case.")
    assert found["Veins"][0] == "stop"
    warnings = report_content(poor, measure(poor)).warnings
    assert warnings[0] == "Phase was filtered."


def test_infarct_on_both_sides_lights_up(stroke_case: Case) -> None:
    infarct = stroke_case.maps["infarct"]
    both = np.maximum(
        infarct.data, np.roll(infarct.data[::-1], 0) * (np.indices(infarct.data.shape)[2] > 22)
    )
    case = stroke_case.with_given({"infarct": infarct.with_data(both.astype(np.uint8))})
    assert lights(case)["Side"] == ("check", "Left, but infarct lies on both sides.")


def test_methods_are_written_from_the_history(stroke_case: Case) -> None:
    methods()
    method = next(m for m in METHODS.values() if m.cite and m.parameters)
    parameter = next(p for p in method.parameters if p.type in (int, float))
    value = parameter.type(parameter.default + 1)
    record = Record("run", method.name, parameters={**method.complete({}), parameter.name: value})
    case = stroke_case.with_maps(record, {})
    text = methods_text(case, measure(case))
    (step,) = text.steps
    assert step.startswith(method.outputs[0].title)
    assert f"({method.name})." in step
    assert f"{parameter.name.replace('_', ' ')} {value:g}" in step
    dois = [reference.doi for reference in text.references]
    assert set(method.cite) <= set(dois)
    assert "an open implementation of the study design of Probst et al. 2021 [1]" in (
        text.introduction
    )
    assert text.references[0] == Reference(
        "10.1038/s41598-021-95265-3", "Probst et al., Sci Rep 2021;11:16038"
    )
    assert "3.393 ppm (SI)" in text.measuring
    cited = re.findall(r"\[([\d, ]+)\]", " ".join((text.introduction, step, text.measuring)))
    assert {int(n) for c in cited for n in c.split(",")} == set(range(1, len(dois) + 1))


def test_sources_are_read_from_docstrings() -> None:
    assert source_of("10.1002/mrm.22135") == "Shmueli et al., Magn Reson Med 2009;62:1510"
    assert source_of("10.1002/mrm.24405") == "Schweser et al., Magn Reson Med 2013;69:1582"
    assert source_of("10.1000/nobody") == ""


def test_only_the_last_run_of_a_method_counts(stroke_case: Case) -> None:
    case = stroke_case
    for name, seconds in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        case = case.with_maps(Record("run", name, seconds=seconds), {})
    assert [(r.what, r.seconds) for r in last_runs(case)] == [("b", 2.0), ("a", 3.0)]


@pytest.mark.parametrize("acquisition", [None, Acquisition((0.02,), 1.5)])
def test_facts_without_an_acquisition(stroke_case: Case, acquisition: Acquisition | None) -> None:
    case = replace(stroke_case, acquisition=acquisition)
    facts = dict(report_content(case, measure(case)).facts)
    expected = "" if acquisition is None else "1.5 T; 1 echo at 20 ms; "
    assert facts["Acquisition"] == f"{expected}voxels of 3 × 3 × 3 mm"
