"""DICOM folders in the window: imported into a data set, whose only examination is then loaded."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.core.progress import part
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.dicom.importer import Result, import_dicom
from napari_qsm_stroke.io.dicom.scan import holds_dicom
from napari_qsm_stroke.io.load import load_files

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.progress import Progress
    from napari_qsm_stroke.io.files import CaseFiles

PREFIX = "qsm-stroke-import-"


@dataclass(frozen=True)
class Opened:
    """What an import brought: the case, or several examinations to choose from."""

    result: Result
    case: Case | None
    found: tuple[CaseFiles, ...]

    @property
    def sentence(self) -> str:
        """What became of the series."""
        what = f"{self.case.key} was imported" if self.case else f"{len(self.found)} examinations"
        left = {x.kind.name for e in self.result.examinations for x in e.left_out}
        failed = [why for _, why in self.result.failures]
        parts = [f"{what}{' and is open' if self.case else ': double-click one to open it'}."]
        if left:
            parts.append(f"Left out: {', '.join(sorted(left))}.")
        return " ".join([*parts, *failed])


def is_dicom_folder(folder: Path) -> bool:
    """Tell a folder of DICOM files from a BIDS folder."""
    return folder.is_dir() and not any(folder.glob("sub-*")) and holds_dicom(folder)


def import_and_load(folder: Path, target: Path | None, progress: Progress) -> Opened:
    """Import a DICOM folder and load its examination, where there is one.

    Parameters
    ----------
    folder : path
        Of DICOM files.
    target : path, optional
        The data set; else one that is removed when the program ends.
    progress : Progress
        May raise ``Cancelled``.
    """
    kept = target or _passing()
    result = import_dicom(folder, kept, progress=part(progress, 0.0, 0.7))
    keys = {examination.key for examination in result.examinations}
    found = tuple(files for files in find_cases(kept) if files.key in keys)
    if len(found) != 1:
        return Opened(result, None, found)
    return Opened(result, load_files(found[0], part(progress, 0.7, 1.0)), found)


def _passing() -> Path:
    """Make a folder that is removed when the program ends."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
