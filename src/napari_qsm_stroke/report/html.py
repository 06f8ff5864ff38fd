"""The report of a case as one HTML file that holds its pictures."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from napari_qsm_stroke.report.figures import image_figure, median_figure, png
from napari_qsm_stroke.report.quality import LEVEL_COLOURS, LEVEL_WORDS
from napari_qsm_stroke.report.wording import HEADINGS, REGION_COLOURS

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.pipeline.measure import Measurements
    from napari_qsm_stroke.report.content import Content


def html(content: Content, case: Case, measurements: Measurements) -> str:
    """Render the report of a case; every text in it is escaped.

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
    str
        A page that needs no other file and no network.
    """
    environment = Environment(
        loader=PackageLoader("napari_qsm_stroke.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("case_report.html").render(
        c=content,
        headings=HEADINGS,
        colours=LEVEL_COLOURS,
        words=LEVEL_WORDS,
        regions=REGION_COLOURS,
        medians=b64encode(png(median_figure(measurements))).decode(),
        images=b64encode(png(image_figure(case, measurements))).decode(),
    )
