"""The files of the report: complete, legible, the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from napari_qsm_stroke import Acquisition, Case
from napari_qsm_stroke.case.provenance import INTENDED_USE, Record
from napari_qsm_stroke.core.measure.regions import REGIONS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.report.case_report import write_report
from napari_qsm_stroke.report.content import report_content
from napari_qsm_stroke.report.figures import image_figure, median_figure, png
from napari_qsm_stroke.report.flow import TEXT_WIDTH, measured, wrapped
from napari_qsm_stroke.report.html import html
from napari_qsm_stroke.report.pdf import pages, pdf

HOSTILE = "<script>alert('$x^2$ \\alpha & \"quoted\"')</script>"


def awkward(case: Case) -> Case:
    """A case with much to say: long words, mark-up, letters that the font lacks."""
    warnings = (HOSTILE, "x" * 400, "a long warning " * 60, "脳 and \U0001f9e0")
    for i in range(40):
        case = case.with_maps(Record("skip", f"step_{i}", note="a reason"), {})
    return replace(case, acquisition=Acquisition((0.02,), 3.0, warnings=warnings))


def test_both_files_are_written(stroke_case: Case, tmp_path: Path) -> None:
    found = write_report(stroke_case, measure(stroke_case), tmp_path / "sub-01")
    assert [p.name for p in found] == ["sub-01_report.html", "sub-01_report.pdf"]
    assert sorted(tmp_path.rglob("*.*")) == sorted(found)
    assert found[1].read_bytes().startswith(b"%PDF-")


def test_html_needs_nothing_else_and_holds_the_table(stroke_case: Case) -> None:
    measurements = measure(stroke_case)
    page = html(report_content(stroke_case, measurements), stroke_case, measurements)
    assert re.findall(r'src="(?!data:)', page) == []
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == 2
    assert INTENDED_USE in page
    for title in REGIONS.values():
        assert f">{title}</td>" in page
    assert "−40.5 %" in page


def test_html_escapes_what_it_is_given(stroke_case: Case) -> None:
    case = awkward(stroke_case)
    measurements = measure(case)
    page = html(report_content(case, measurements), case, measurements)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_same_case_same_bytes_from_any_thread(stroke_case: Case) -> None:
    measurements = measure(stroke_case)
    content = report_content(stroke_case, measurements)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(pdf, content, stroke_case, measurements) for _ in range(2)]
        first, second = (job.result() for job in jobs)
    assert first == second
    assert b"CreationDate" not in first
    picture = [png(median_figure(measurements)) for _ in range(2)]
    assert picture[0] == picture[1]


@pytest.mark.parametrize("make", [lambda case: case, awkward])
def test_every_page_says_research_use_and_nothing_is_cut_off(stroke_case: Case, make) -> None:
    case = make(stroke_case)
    measurements = measure(case)
    sheets = pages(report_content(case, measurements), case, measurements)
    for sheet in sheets:
        texts = [t for t in sheet.findobj(Text) if t.get_text().strip() and t.get_visible()]
        assert INTENDED_USE in " ".join(t.get_text() for t in texts)
        sheet.dpi = 300  # fine enough that letters are as wide as in the PDF
        canvas = FigureCanvasAgg(sheet)
        canvas.draw()
        width, height = canvas.get_width_height()
        for text in texts:
            box = text.get_window_extent(canvas.get_renderer())
            assert box.x0 >= 0.04 * width, text
            assert box.x1 <= 0.96 * width, text
            assert box.y0 >= 0, text
            assert box.y1 <= height, text


def test_texts_of_the_table_do_not_overlap(stroke_case: Case) -> None:
    measurements = measure(stroke_case)
    first = pages(report_content(stroke_case, measurements), stroke_case, measurements)[0]
    first.dpi = 300
    canvas = FigureCanvasAgg(first)
    canvas.draw()
    boxes = [t.get_window_extent(canvas.get_renderer()) for t in first.texts if t.get_text()]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            down = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert across <= 2 or down <= 8, (a, b)


def test_lines_are_as_wide_as_was_thought() -> None:
    text = "Median vein susceptibility in the infarct core is 0.060 ppm, AVAVAV To We."
    for line in wrapped(text * 5, 8, TEXT_WIDTH):
        assert measured(line, 8) <= TEXT_WIDTH
    assert wrapped("", 8, 50) == []
    assert "".join(wrapped("y" * 300, 8, 20)) == "y" * 300


@pytest.mark.parametrize(
    "lacking",
    [
        ["infarct"],
        ["dwi_aligned", "swi"],
        ["dwi_aligned", "swi", "magnitude"],
        ["veins"],
        ["territories", "infarct"],
        ["brain"],
        ["susceptibility"],
    ],
)
def test_a_case_that_lacks_something_still_has_a_report(
    stroke_case: Case, lacking: list[str]
) -> None:
    case = stroke_case.without(lacking)
    measurements = measure(case)
    sheets = pages(report_content(case, measurements), case, measurements)
    for sheet in sheets:
        sheet.draw_without_rendering()
    assert len(sheets) >= 2


def test_key_that_leaves_the_folder_is_refused(stroke_case: Case, tmp_path: Path) -> None:
    for key in ("../../x", "a/b", "..", "C:\\x", ""):
        with pytest.raises(InputError, match="cannot name a file"):
            write_report(replace(stroke_case, key=key), measure(stroke_case), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_report(
    stroke_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "sub-01_report.html"
    old.write_text("old")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(stroke_case.with_side("right"), measure(stroke_case), tmp_path)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_pyplot_is_never_loaded() -> None:
    code = (
        "import sys, napari_qsm_stroke.report.case_report as r; "
        "print('matplotlib' in sys.modules, end=' '); "
        "import napari_qsm_stroke.report.pdf, napari_qsm_stroke.report.html; "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_images_have_letters_and_a_bar_in_ppm(stroke_case: Case) -> None:
    figure = image_figure(stroke_case, measure(stroke_case))
    texts = [t.get_text() for t in figure.findobj(Text)]
    assert texts.count("R") == texts.count("L") == 16
    assert "ppm" in texts
    assert np.all(np.isfinite(figure.get_size_inches()))


def test_images_show_the_infarct_and_the_veins_on_their_sides(stroke_case: Case) -> None:
    """The stroke is on the patient's left: on the right of each image."""
    figure = image_figure(stroke_case, measure(stroke_case))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    bounds = figure.axes[0].get_position()
    width = pixels.shape[1]
    left, right = int(bounds.x0 * width), int(bounds.x1 * width)
    first = pixels[:, left : left + (right - left) // 4]
    for colour, side in (("#d55e00", "right"), ("#f0e442", "right"), ("#56b4e9", "left")):
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        columns = np.nonzero(np.abs(first - wanted).max(axis=2) < 6)[1]
        assert len(columns) > 10, colour
        assert (columns.mean() > first.shape[1] / 2) == (side == "right"), colour
    assert len(np.unique(first[..., 0])) > 20
