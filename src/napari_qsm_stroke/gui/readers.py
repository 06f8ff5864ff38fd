"""File > Open: NIfTI files one by one, BIDS and DICOM folders as a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_qsm_stroke.gui.roles import QUANTITY, guess_role, is_nifti

PathOrPaths = str | Path | Sequence[str | Path]
Layers = list[tuple[Any, dict[str, Any], str]]
Reader = Callable[[PathOrPaths], Layers]


def get_reader(path: PathOrPaths) -> Reader | None:
    """Return a reader for NIfTI files, a BIDS or a DICOM folder, None for anything else."""
    paths = [Path(p) for p in (path if isinstance(path, (list, tuple)) else [path])]
    if paths and all(is_nifti(p) for p in paths):
        return read_files
    if len(paths) == 1 and paths[0].is_dir() and any(paths[0].glob("sub-*")):
        return read_folder
    if len(paths) == 1 and paths[0].is_dir() and _is_dicom_folder(paths[0]):
        return read_dicom
    return None


def _is_dicom_folder(folder: Path) -> bool:
    from napari_qsm_stroke.gui.dicom import is_dicom_folder

    return is_dicom_folder(folder)


def read_files(path: PathOrPaths) -> Layers:
    """Read NIfTI files, each to a layer in canonical orientation."""
    from napari_qsm_stroke.gui.layers import layer_data, look
    from napari_qsm_stroke.gui.workbench import wait_for
    from napari_qsm_stroke.io.nifti import read_volume

    paths = [Path(p) for p in (path if isinstance(path, (list, tuple)) else [path])]
    found = []
    for file in paths:
        role = guess_role(file) or "image"
        name = QUANTITY.get(role, role)
        volume = wait_for(f"Open {file.name}", lambda _progress, file=file: read_volume(file))
        title = file.name.removesuffix(".gz").removesuffix(".nii")
        data, attributes, kind = layer_data(name, volume, title=title)
        if look(name).kind == "image" and look(name).limits is not None:
            attributes.pop("contrast_limits")  # the unit of a foreign file is not known
        found.append((data, {**attributes, "visible": True}, kind))
    return found


def read_folder(path: PathOrPaths) -> Layers:
    """Read the first examination of a BIDS folder; its case travels with the layers."""
    from napari_qsm_stroke.gui.workbench import wait_for
    from napari_qsm_stroke.io.bids import find_cases
    from napari_qsm_stroke.io.load import load_files

    assert isinstance(path, (str, Path, list, tuple))
    folder = Path(path if isinstance(path, (str, Path)) else path[0])
    files = find_cases(folder)[0]
    case = wait_for(f"Open {files.key}", lambda progress: load_files(files, progress))
    return _layers(case)


def read_dicom(path: PathOrPaths) -> Layers:
    """Import a DICOM folder and read its first examination; nothing is kept on disk."""
    from napari_qsm_stroke.gui.dicom import import_and_load
    from napari_qsm_stroke.gui.workbench import wait_for
    from napari_qsm_stroke.io.load import load_files

    assert isinstance(path, (str, Path, list, tuple))
    folder = Path(path if isinstance(path, (str, Path)) else path[0])

    def work(progress: Any) -> Any:
        opened = import_and_load(folder, None, progress)
        return opened.case or load_files(opened.found[0], progress)

    return _layers(wait_for("Import DICOM", work))


def _layers(case: Any) -> Layers:
    from napari_qsm_stroke.gui.layers import layer_data

    shown = [n for n in ("magnitude", "phase", "susceptibility") if n in case.maps]
    return [layer_data(name, case.maps[name], case=case) for name in shown]
