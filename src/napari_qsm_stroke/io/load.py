"""Files to a Case: everything is checked before anything is computed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.case import Case, Side
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.acquisition import acquisition_of
from napari_qsm_stroke.io.atlas import read_atlas
from napari_qsm_stroke.io.diffusion import read_diffusion, read_image
from napari_qsm_stroke.io.echoes import READERS
from napari_qsm_stroke.io.faults import Faults, Note
from napari_qsm_stroke.io.files import CaseFiles
from napari_qsm_stroke.io.gradient_echo import read_gradient_echo
from napari_qsm_stroke.io.masks import read_mask, read_territories
from napari_qsm_stroke.io.nifti import finite, read_nifti
from napari_qsm_stroke.io.regrid import onto
from napari_qsm_stroke.io.sidecar import read_sidecar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_qsm_stroke.case.acquisition import Acquisition
    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.io.phase_sign import PhaseSign

PathLike = str | Path
HIGHEST_PPM = 10.0
"""No tissue, blood or calcification of the head comes near it; bigger values are ppb or Hz."""
ROLE_OF = {"brain": "brain_mask"}
"""Quantities whose role has another name."""
GIVEN = {"susceptibility", "brain", "veins", "infarct", "territories"}
"""Quantities that no step overwrites where a file was given."""


def load(
    *,
    magnitude: PathLike | Sequence[PathLike] = (),
    phase: PathLike | Sequence[PathLike] = (),
    real: PathLike | Sequence[PathLike] = (),
    imaginary: PathLike | Sequence[PathLike] = (),
    echo_times: Sequence[float] | None = None,
    field_strength: float | None = None,
    b0_direction: Sequence[float] | None = None,
    phase_sign: PhaseSign = "auto",
    dwi: PathLike | None = None,
    b0: PathLike | None = None,
    adc: PathLike | None = None,
    brain_mask: PathLike | None = None,
    veins: PathLike | None = None,
    infarct: PathLike | None = None,
    territories: PathLike | None = None,
    atlas: PathLike | None = None,
    susceptibility: PathLike | None = None,
    flair: PathLike | None = None,
    t1w: PathLike | None = None,
    side: Side | None = None,
    key: str | None = None,
    progress: Progress = silent,
) -> Case:
    """Load one examination from NIfTI files.

    Parameters
    ----------
    magnitude, phase : path or sequence of paths
        One file for each echo, or one file with all echoes last. Phase in rad, or in one of the
        ranges that scanners write.
    real, imaginary : path or sequence of paths
        Instead of magnitude and phase.
    echo_times : sequence of float, optional
        In seconds; else from the sidecars.
    field_strength : float, optional
        In tesla; else from the sidecars.
    b0_direction : sequence of three floats, optional
        Along the voxel axes of the gradient echo's files; else from their orientation.
    phase_sign : {"auto", "keep", "negate"}
        ``"auto"`` negates the phase of GE scanners, unless its sidecar says that this was done.
    dwi, b0, adc : path, optional
        Diffusion images, on a grid of their own. ``dwi`` may be a series with its .bval beside it;
        where it is not given it is computed from ``b0`` and ``adc``.
    brain_mask, veins, infarct, territories : path, optional
        What is given is never overwritten. What lies on another grid than the gradient echo is
        brought to it by scanner coordinates.
    atlas : path, optional
        Atlas of arterial territories in template space (MNI), to be brought to the brain instead
        of the built-in map; see ``io.atlas.read_atlas`` for its labels.
    susceptibility : path, optional
        A finished map in ppm; then magnitude and phase may be left out.
    flair, t1w : path, optional
        To look at.
    side : {"left", "right"}, optional
        Side of the stroke; else it is found.
    key : str, optional
        Subject and session, e.g. ``"sub-01_ses-1"``; else from the file name.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    Case
        In canonical order; ``acquisition.warnings`` names what is unusual.

    Raises
    ------
    MissingError
        Something that is needed was not given.
    InputError
        The data cannot be used as they are.
    """
    files = CaseFiles(
        key=key or "",
        magnitude=_paths(magnitude),
        phase=_paths(phase),
        real=_paths(real),
        imaginary=_paths(imaginary),
        dwi=_path(dwi),
        b0=_path(b0),
        adc=_path(adc),
        brain_mask=_path(brain_mask),
        veins=_path(veins),
        infarct=_path(infarct),
        territories=_path(territories),
        atlas=_path(atlas),
        susceptibility=_path(susceptibility),
        flair=_path(flair),
        t1w=_path(t1w),
        echo_times=tuple(echo_times) if echo_times is not None else None,
        field_strength=field_strength,
        b0_direction=None if b0_direction is None else _triple(b0_direction),
        phase_sign=phase_sign,
        side=side,
    )
    return load_files(files, progress)


def load_files(files: CaseFiles, progress: Progress = silent) -> Case:
    """Load one examination from files that are already sorted by role.

    Raises
    ------
    InputError
        What is wrong first, of all that ``examine`` finds.
    """
    faults = Faults()
    case, _ = examine(files, faults, progress)
    faults.raise_first()
    assert case is not None
    return case


def examine(
    files: CaseFiles, faults: Faults, progress: Progress = silent
) -> tuple[Case | None, tuple[Note, ...]]:
    """Read one examination whole, collecting all that is wrong with it.

    Parameters
    ----------
    files : CaseFiles
        Sorted by role.
    faults : Faults
        Collects everything for which the case cannot be used as it is.
    progress : Progress
        May raise ``Cancelled``.

    Returns
    -------
    case : Case or None
        None where there is a fault.
    notes : tuple of Note
        What is odd but can be used.
    """
    files.check(faults)
    if any(isinstance(error, MissingError) for error in faults.found):
        return None, ()  # what is there would only be said to be incomplete
    progress(0.0, "reading files")
    notes: list[Note] = list(files.notes)
    maps: dict[str, Volume] = {}
    echo = None
    if files.has_gradient_echo or not (files.faults or files.susceptibility):
        echo = read_gradient_echo(files, faults)
    if echo is not None:
        notes += echo.notes
        if echo.magnitude is not None and echo.phase is not None:
            maps |= {"magnitude": echo.magnitude, "phase": echo.phase}
    progress(0.5, "reading files")
    grid = (echo.first.grid or echo.second.grid) if echo is not None else None
    if files.susceptibility is not None:
        with faults:
            volume, odd = _susceptibility(files.susceptibility, grid)
            maps["susceptibility"] = volume
            notes += odd
            grid = grid or volume.grid
    others, also = _others(files, grid, faults)
    notes += also
    maps |= others
    progress(0.9, "reading files")
    acquisition = acquisition_of(files, echo, notes, faults) if echo is not None else None
    progress(1.0, "reading files")
    if faults.found:
        return None, tuple(notes)
    given = frozenset(GIVEN & set(maps))
    history = _history(files, maps, acquisition, notes)
    return Case(files.key, acquisition, maps, given, files.side, history), tuple(notes)


def _others(
    files: CaseFiles, grid: Grid | None, faults: Faults
) -> tuple[dict[str, Volume], list[Note]]:
    """Diffusion images, masks, and images that are only looked at."""
    maps, notes = read_diffusion(files, faults)
    for name in ("flair", "t1w"):
        path = getattr(files, name)
        if path is not None:
            with faults:
                maps[name], odd = read_image(path)
                notes += odd
    if files.atlas is not None:
        with faults:
            maps["atlas"], odd = read_atlas(files.atlas)
            notes += odd
    for name in ("brain", "veins", "infarct", "territories"):
        path = getattr(files, ROLE_OF.get(name, name))
        if path is not None:
            read = read_territories if name == "territories" else read_mask
            with faults:
                maps[name], odd = read(path, grid)
                notes += odd
    return maps, notes


def _susceptibility(path: Path, grid: Grid | None) -> tuple[Volume, tuple[Note, ...]]:
    file = read_nifti(path, "ppm")
    volume = finite(file.volume)
    if str(read_sidecar(path).get("Units") or "").strip().lower() == "ppb":
        volume = volume.with_data(volume.data * np.float32(1e-3))
    high = float(np.percentile(np.abs(volume.data), 99.9))
    if volume.data.ndim != 3 or not 0 < high <= HIGHEST_PPM:
        raise InputError(
            str(path),
            f"expected a map in ppm, found shape {volume.data.shape} and values up to {high:.3g}.",
            "Give the susceptibility in ppm.",
        )
    if grid is None:
        return volume, file.notes
    data, moved = onto(volume, grid, "map")
    place = volume.grid if volume.grid == grid else grid
    return Volume(data, place, "ppm", volume.source), (*file.notes, *moved)


def _history(
    files: CaseFiles,
    maps: Mapping[str, Volume],
    acquisition: Acquisition | None,
    notes: Sequence[Note],
) -> tuple[Record, ...]:
    paths: dict[str, list[Path]] = {}
    for role, path in files.roles():
        paths.setdefault(role.split(" ")[0], []).append(path)
    parts = paths.get("real", []) + paths.get("imaginary", [])
    sources = {
        "magnitude": paths.get("magnitude", parts),
        "phase": paths.get("phase", parts),
        "dwi": paths.get("dwi", paths.get("b0", []) + paths.get("adc", [])),
        "b0": paths.get("b0", paths.get("dwi", [])),
    }
    with ThreadPoolExecutor(READERS) as pool:
        digests = list(pool.map(lambda volume: volume.digest, maps.values()))
    records = []
    for quantity, digest in zip(maps, digests, strict=True):
        read = sources.get(quantity) or paths[ROLE_OF.get(quantity, quantity)]
        facts: dict[str, Any] = {"files": [files.name_of(path) for path in read]}
        if quantity == "phase" and acquisition is not None:
            facts |= {"unit": acquisition.phase_unit, "sign": acquisition.phase_sign}
        names = {str(path) for path in read}
        note = " ".join(str(n) for n in notes if n.where in names)
        outputs = {quantity: digest}
        records.append(Record("load", quantity, facts, outputs=outputs, note=note))
    return tuple(records)


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)


def _paths(paths: PathLike | Sequence[PathLike]) -> tuple[Path, ...]:
    return (Path(paths),) if isinstance(paths, (str, Path)) else tuple(Path(p) for p in paths)


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        what = f"expected three numbers, found {len(values)}."
        raise InputError("B0 direction", what, "Give it along the three voxel axes.")
    x, y, z = (float(v) for v in values)
    return (x, y, z)
