"""The report of a case as a PDF."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from matplotlib.backends.backend_pdf import PdfPages

from napari_qsm_stroke.report.figures import (
    draw_images,
    draw_medians,
    images_height,
    medians_height,
)
from napari_qsm_stroke.report.flow import (
    GREY,
    INK,
    MARGIN,
    TEXT_WIDTH,
    WIDTH,
    Flow,
    measured,
    wrapped,
)
from napari_qsm_stroke.report.quality import LEVEL_COLOURS, LEVEL_WORDS
from napari_qsm_stroke.report.wording import HEADINGS, NOT_MEASURED, REGION_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.pipeline.measure import Measurements
    from napari_qsm_stroke.report.content import Content

TABLE_SIZE = 6.4
ROW_MM = 6.4
COLUMNS_MM = (36.5, 8.5, 11.0, 10.5, 13.5, 11.5, 19.5, 19.5, 12.0, 14.5, 18.0, 11.0)


def pdf(content: Content, case: Case, measurements: Measurements) -> bytes:
    """Lay out the report of a case.

    Parameters
    ----------
    content : Content
        What it says.
    case : Case
        For the images.
    measurements : Measurements
        For the plot of the medians.

    Returns
    -------
    bytes
        The same case gives the same bytes: no date of creation is kept.
    """
    buffer = BytesIO()
    facts = {
        "Title": f"{content.title}: {content.key}",
        "Subject": content.intended_use,
        "Creator": "napari-qsm-stroke",
        "Producer": None,
        "CreationDate": None,
    }
    with PdfPages(buffer, metadata=facts) as document:
        for page in pages(content, case, measurements):
            document.savefig(page)
    return buffer.getvalue()


def pages(content: Content, case: Case, measurements: Measurements) -> list[Figure]:
    """Lay out the pages as figures; see ``pdf``."""
    flow = Flow()
    _header(flow, content)
    flow.heading("Finding")
    flow.paragraph(content.finding, 9.5)
    flow.heading("Before using the numbers", follow=40)
    _strip(flow, content)
    flow.heading("Territory table", follow=60)
    _table(flow, content)
    flow.paragraph(content.table_note, 6.8, colour=GREY)
    height = medians_height(measurements)
    flow.room_for(height + 4)
    flow.y += 3
    draw_medians(flow.page.axes(MARGIN + 52, flow.y, TEXT_WIDTH - 60, height - 10), measurements)
    flow.y += height
    if content.warnings:
        flow.heading("Warnings")
        flow.bullets(content.warnings)
    flow.turn()
    flow.heading("Images")
    flow.paragraph(
        "Radiological display: the patient's right is on the left of the image.", 7.5, colour=GREY
    )
    height = images_height(case, TEXT_WIDTH)
    draw_images(flow.page.figure, (MARGIN, flow.y, TEXT_WIDTH, height), case, measurements)
    flow.y += height
    flow.heading("What was edited")
    flow.bullets(content.edits or ("Nothing was changed by hand.",))
    flow.heading("Methods")
    text = content.methods
    flow.paragraph(text.introduction, 7.5)
    for number, step in enumerate(text.steps, start=1):
        flow.paragraph(step, 7.5, bullet=f"{number}.")
    flow.paragraph(text.measuring, 7.5)
    flow.heading("References", 9)
    for number, reference in enumerate(text.references, start=1):
        source = f"{reference.text}, " if reference.text else ""
        flow.paragraph(f"{source}https://doi.org/{reference.doi}", 7, bullet=f"[{number}]")
    return flow.finish(content.intended_use, content.key)


def _header(flow: Flow, content: Content) -> None:
    flow.y += 5
    flow.page.text(MARGIN, flow.y, content.title, 14, weight="bold")
    flow.y += 6.5
    flow.page.text(MARGIN, flow.y, content.key, 11, colour=GREY)
    flow.y += 3
    flow.page.line(flow.y, INK, 1.0)
    flow.y += 1.5
    label = 48.0
    for name, value in content.facts:
        lines = wrapped(value, 8, TEXT_WIDTH - label)
        flow.page.text(MARGIN, flow.y + 3.2, name, 8, colour=GREY)
        for line in lines:
            flow.page.text(MARGIN + label, flow.y + 3.2, line, 8)
            flow.y += 4.2


def _strip(flow: Flow, content: Content) -> None:
    """Two columns of lights; a word says what the colour says."""
    half = (TEXT_WIDTH - 6) / 2
    lights = content.lights
    for pair in (lights[i : i + 2] for i in range(0, len(lights), 2)):
        reasons = [wrapped(light.reason, 7.5, half - 45) for light in pair]
        height = 4.6 + 3.6 * (max(len(r) for r in reasons) - 1)
        flow.room_for(height)
        for column, (light, lines) in enumerate(zip(pair, reasons, strict=True)):
            x = MARGIN + column * (half + 6)
            flow.page.box(x, flow.y + 0.5, 15, 3.8, LEVEL_COLOURS[light.level])
            word = LEVEL_WORDS[light.level]
            inset = (15 - measured(word, 6, "bold")) / 2
            flow.page.text(x + inset, flow.y + 3.2, word, 6, colour="white", weight="bold")
            flow.page.text(x + 17, flow.y + 3.4, light.title, 7.5, weight="bold")
            for i, line in enumerate(lines):
                flow.page.text(x + 42, flow.y + 3.4 + 3.6 * i, line, 7.5)
        flow.y += height + 0.8


def _table(flow: Flow, content: Content) -> None:
    starts = [MARGIN + sum(COLUMNS_MM[:i]) for i in range(len(COLUMNS_MM))]
    ends = [*(s - 1.5 for s in starts[1:]), WIDTH - MARGIN]
    for i, heading in enumerate(HEADINGS):
        for j, part in enumerate(heading.split("\n")):
            _cell(flow, i, starts[i], ends[i], flow.y + 3 + 3 * j, part, GREY, "bold")
    flow.y += 7.2
    flow.page.line(flow.y, INK, 0.8)
    for region, cells in content.rows:
        if region in REGION_COLOURS:
            flow.page.box(MARGIN, flow.y + 1.2, 1.4, ROW_MM - 2.4, REGION_COLOURS[region])
        for i, cell in enumerate(cells):
            quiet = cell in (NOT_MEASURED, "reference")
            weight = "bold" if i == 5 and not quiet else "normal"
            text = "n/a" if cell == NOT_MEASURED and ends[i] - starts[i] < 15 else cell
            start = starts[i] + (2.6 if i == 0 else 0)
            _cell(flow, i, start, ends[i], flow.y + 4.2, text, GREY if quiet else INK, weight)
        flow.y += ROW_MM
        flow.page.line(flow.y)
    flow.y += 1.2


def _cell(
    flow: Flow, column: int, start: float, end: float, y: float, text: str, colour: str, weight: str
) -> None:
    """Text to the left, numbers to the right; never wider than the cell."""
    size = TABLE_SIZE
    wide = measured(text, size, weight)
    if wide > end - start:
        size *= (end - start) / wide
    if column < 2:
        flow.page.text(start, y, text, size, colour=colour, weight=weight)
    else:
        flow.page.text(end, y, text, size, colour=colour, weight=weight, align="right")
