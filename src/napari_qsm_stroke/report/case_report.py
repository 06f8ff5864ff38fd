"""Writing the report of a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.atomic import write_bytes
from napari_qsm_stroke.report.content import report_content

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.pipeline.measure import Measurements


def write_report(case: Case, measurements: Measurements, folder: Path | str) -> list[Path]:
    """Write the report of a case as HTML and as PDF.

    Parameters
    ----------
    case : Case
        The measured case.
    measurements : Measurements
        Its table.
    folder : path
        Is made where it is not there.

    Returns
    -------
    list of Path
        ``<key>_report.html`` and ``<key>_report.pdf``. Each is written under another name first,
        so that a full disk leaves no half report.

    Raises
    ------
    InputError
        The key of the case is no file name.
    """
    from napari_qsm_stroke.report.html import html
    from napari_qsm_stroke.report.pdf import pdf

    if not case.key or case.key in {".", ".."} or set(case.key) & set('/\\:*?"<>|\0'):
        raise InputError(repr(case.key), "cannot name a file.", "Use a key such as sub-01.")
    folder = Path(folder)
    content = report_content(case, measurements)
    parts = {
        folder / f"{case.key}_report.html": html(content, case, measurements).encode(),
        folder / f"{case.key}_report.pdf": pdf(content, case, measurements),
    }
    return [write_bytes(path, data) for path, data in parts.items()]
