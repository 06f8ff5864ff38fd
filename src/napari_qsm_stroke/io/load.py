"""Files to a Case: everything is checked before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.case.acquisition import Acquisition
from napari_qsm_stroke.case.case import Case, Side
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.diffusion import read_adc, read_b0, read_dwi
from napari_qsm_stroke.io.echoes import Series, read_gradient_echo
from napari_qsm_stroke.io.files import CaseFiles
from napari_qsm_stroke.io.masks import read_mask, read_territories
from napari_qsm_stroke.io.nifti import finite, read_volume
from napari_qsm_stroke.io.unusual import unusual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_qsm_stroke.case.volume import Volume

PathLike = str | Path
HIGHEST_PPM = 10.0
"""No tissue, blood or calcification of the head comes near it; bigger values are ppb or Hz."""
ROLE_OF = {"brain": "brain_mask"}
"""Quantities whose role has another name."""


def load(
    *,
    magnitude: PathLike | Sequence[PathLike] = (),
    phase: PathLike | Sequence[PathLike] = (),
    echo_times: Sequence[float] | None = None,
    field_strength: float | None = None,
    dwi: PathLike | None = None,
    b0: PathLike | None = None,
    adc: PathLike | None = None,
    brain_mask: PathLike | None = None,
    veins: PathLike | None = None,
    infarct: PathLike | None = None,
    territories: PathLike | None = None,
    susceptibility: PathLike | None = None,
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
    echo_times : sequence of float, optional
        In seconds; else from the sidecars.
    field_strength : float, optional
        In tesla; else from the sidecars.
    dwi, b0, adc : path, optional
        Diffusion images, on a grid of their own. ``dwi`` may be a series with its .bval beside it.
    brain_mask, veins, infarct, territories : path, optional
        On the grid of the gradient echo. What is given is never overwritten.
    susceptibility : path, optional
        A finished map in ppm; then magnitude and phase may be left out.
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
        dwi=_path(dwi),
        b0=_path(b0),
        adc=_path(adc),
        brain_mask=_path(brain_mask),
        veins=_path(veins),
        infarct=_path(infarct),
        territories=_path(territories),
        susceptibility=_path(susceptibility),
        echo_times=tuple(echo_times) if echo_times is not None else None,
        field_strength=field_strength,
        side=side,
    )
    return load_files(files, progress)


def load_files(files: CaseFiles, progress: Progress = silent) -> Case:
    """Load one examination from files that are already sorted by role."""
    files.check()
    progress(0.0, "reading files")
    maps: dict[str, Volume] = {}
    acquisition = None
    if files.susceptibility is None or files.magnitude or files.phase:
        magnitude, phase = read_gradient_echo(files)
        acquisition = _acquisition(files, magnitude, phase)
        maps |= {"magnitude": magnitude.volume, "phase": phase.volume}
    progress(0.6, "reading files")
    if files.susceptibility is not None:
        maps["susceptibility"] = _susceptibility(files.susceptibility)
    grid = next(iter(maps.values())).grid
    if "magnitude" in maps and "susceptibility" in maps:
        problem = grid.difference(maps["susceptibility"].grid)
        if problem:
            raise InputError(
                str(files.susceptibility),
                f"does not lie on the grid of the gradient echo: {problem}.",
                "Resample it to that grid.",
            )
    maps |= _diffusion(files)
    given = {"susceptibility"} & set(maps)
    for name in ("brain", "veins", "infarct"):
        path = getattr(files, ROLE_OF.get(name, name))
        if path is not None:
            maps[name] = read_mask(path, grid)
            given.add(name)
    if files.territories is not None:
        maps["territories"] = read_territories(files.territories, grid)
        given.add("territories")
    progress(1.0, "reading files")
    return Case(files.key, acquisition, maps, frozenset(given), files.side, _history(files, maps))


def _acquisition(files: CaseFiles, magnitude: Series, phase: Series) -> Acquisition:
    origins = {}
    said = magnitude.echo_times() or phase.echo_times()
    times = files.echo_times if files.echo_times is not None else said
    if not times:
        raise MissingError(
            "Echo times",
            "none given, and the sidecars have none.",
            "Give one in seconds for each echo.",
        )
    if len(times) != magnitude.echoes:
        raise InputError(
            "Echo times",
            f"{len(times)} given for {magnitude.echoes} echoes.",
            "Give one in seconds for each echo.",
        )
    warnings = [*magnitude.warnings, *phase.warnings]
    if files.echo_times is not None and said and not np.allclose(times, said, rtol=0.01):
        warnings.append(f"Echo times given differ from those of the sidecars ({list(said)} s).")
    origins["echo_times"] = "header" if files.echo_times is None else "user"
    strength = files.field_strength
    if strength is None:
        strength = magnitude.value("MagneticFieldStrength")
        strength = phase.value("MagneticFieldStrength") if strength is None else strength
        origins["field_strength"] = "header"
    else:
        origins["field_strength"] = "user"
    if isinstance(strength, bool) or not isinstance(strength, (int, float)):
        raise MissingError(
            "Field strength", "not given, and the sidecars have none.", "Give it in tesla, e.g. 3."
        )
    maker = str(magnitude.value("Manufacturer") or phase.value("Manufacturer") or "")
    if maker.upper().startswith("GE"):
        warnings.append(
            "GE scanner: its phase often has the other sign; check that veins are bright."
        )
    checked = Acquisition(times, float(strength), origins)
    warnings += unusual(magnitude.volume.grid, checked.echo_times, checked.field_strength)
    return Acquisition(times, float(strength), origins, tuple(dict.fromkeys(warnings)))


def _diffusion(files: CaseFiles) -> dict[str, Volume]:
    maps: dict[str, Volume] = {}
    if files.dwi is not None:
        maps["dwi"], plain = read_dwi(files.dwi)
        if plain is not None:
            maps["b0"] = plain
    if files.b0 is not None:
        maps["b0"] = read_b0(files.b0)
    if files.adc is not None:
        maps["adc"] = read_adc(files.adc)
    return maps


def _susceptibility(path: Path) -> Volume:
    volume = finite(read_volume(path, "ppm"))
    high = float(np.percentile(np.abs(volume.data), 99.9))
    if volume.data.ndim != 3 or not 0 < high <= HIGHEST_PPM:
        raise InputError(
            str(path),
            f"expected a map in ppm, found shape {volume.data.shape} and values up to {high:.3g}.",
            "Give the susceptibility in ppm.",
        )
    return volume


def _history(files: CaseFiles, maps: dict[str, Volume]) -> tuple[Record, ...]:
    names: dict[str, list[str]] = {}
    for role, path in files.roles():
        names.setdefault(role.split(" ")[0], []).append(files.name_of(path))
    return tuple(
        Record(
            "load",
            quantity,
            parameters={"files": names.get(ROLE_OF.get(quantity, quantity)) or names["dwi"]},
            outputs={quantity: volume.digest},
        )
        for quantity, volume in maps.items()
    )


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)


def _paths(paths: PathLike | Sequence[PathLike]) -> tuple[Path, ...]:
    return (Path(paths),) if isinstance(paths, (str, Path)) else tuple(Path(p) for p in paths)
