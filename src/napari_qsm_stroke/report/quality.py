"""The quality strip: what to look at before using the numbers, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_qsm_stroke.core.measure.regions import REGIONS
from napari_qsm_stroke.core.measure.table import OK
from napari_qsm_stroke.report.wording import listing, sentence

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.pipeline.measure import Measurements

Level = Literal["ok", "check", "stop"]
LEVEL_WORDS: dict[Level, str] = {"ok": "OK", "check": "CHECK", "stop": "NOT DONE"}
LEVEL_COLOURS: dict[Level, str] = {"ok": "#2e7d32", "check": "#b26a00", "stop": "#b3261e"}
MAIN_REGIONS = ("infarct_core", "ipsilateral_mca", "contralateral_mca")
WHOLE_BRAIN_ML = (900.0, 2000.0)
LARGE_OFFSET_RAD = 0.5
ROUGH_OFFSET_RAD_PER_MM = 0.1


@dataclass(frozen=True)
class Light:
    """One point of the strip: how it stands, and why."""

    title: str
    level: Level
    reason: str


def quality_strip(case: Case, measurements: Measurements) -> list[Light]:
    """Judge side, data, masks, veins and reference of a case.

    Parameters
    ----------
    case : Case
        The measured case.
    measurements : Measurements
        Its table.

    Returns
    -------
    list of Light
        In reading order.
    """
    return [
        _side(measurements),
        _acquisition(case),
        *_phase_offset(case),
        _coverage(case),
        _diffusion(case),
        _territories(case),
        _mask(case, "infarct", "Infarct mask"),
        _mask(case, "veins", "Vein mask"),
        _veins(measurements),
        _reference(measurements),
    ]


def _side(measurements: Measurements) -> Light:
    side, origin = measurements.side, measurements.side_origin
    if side is None:
        return Light("Side", "stop", "The side of the stroke is not known.")
    if origin == "user":
        return Light("Side", "ok", f"{side.capitalize()}, said by the user.")
    if any("other side" in note for note in measurements.notes):
        return Light("Side", "check", f"{side.capitalize()}, but infarct lies on both sides.")
    return Light("Side", "ok", f"{side.capitalize()}, found from the infarct. Confirm by eye.")


def _acquisition(case: Case) -> Light:
    if case.acquisition is None:
        return Light("Acquisition", "check", "Not known: only finished maps were given.")
    if case.acquisition.warnings:
        count = len(case.acquisition.warnings)
        return Light("Acquisition", "check", f"{count} unusual: see the warnings below.")
    echoes = len(case.acquisition.echo_times)
    if echoes == 1:
        return Light("Acquisition", "check", "One echo: phase offset and noise are less sure.")
    return Light("Acquisition", "ok", f"{echoes} echoes, complete.")


def _phase_offset(case: Case) -> list[Light]:
    """Say how large and how rough the phase at echo time zero is, where it was computed."""
    offset, brain = case.maps.get("offset_left"), case.maps.get("brain")
    if offset is None or brain is None:
        return []
    inside = brain.data != 0
    values = offset.data[inside]
    size = 1.4826 * float(np.median(np.abs(values - np.median(values)))) if values.size else 0.0
    steps = []
    for axis, length in enumerate(brain.grid.voxel_size):
        both = np.take(inside, range(1, inside.shape[axis]), axis) & np.take(
            inside, range(inside.shape[axis] - 1), axis
        )
        steps.append(np.abs(np.diff(offset.data, axis=axis)[both]) / length)
    rough = float(np.percentile(np.concatenate(steps), 95)) if values.size > 1 else 0.0
    words = f"{size:.2f} rad across the brain, up to {rough:.2f} rad/mm."
    if size > LARGE_OFFSET_RAD or rough > ROUGH_OFFSET_RAD_PER_MM:
        return [Light("Phase offset of the coils", "check", f"{words} Large or rough.")]
    return [Light("Phase offset of the coils", "ok", f"{words} Small and smooth.")]


def _coverage(case: Case) -> Light:
    brain = case.maps.get("brain")
    if brain is None:
        return Light("Brain mask", "check", "None in the case.")
    ml = int(np.count_nonzero(brain.data)) * brain.grid.voxel_volume_ml
    low, high = WHOLE_BRAIN_ML
    if low <= ml <= high:
        return Light("Brain mask", "ok", f"{ml:.0f} ml, as of a whole brain.")
    word = "small: part of the brain is missing" if ml < low else "large: it may hold skull"
    return Light("Brain mask", "check", f"{ml:.0f} ml is {word}.")


def _diffusion(case: Case) -> Light:
    if "dwi_aligned" not in case.maps:
        return Light("Diffusion", "check", "No diffusion image: the infarct cannot be verified.")
    quality = case.maps["dwi_aligned"].quality
    if quality.doubt:
        return Light("Diffusion", "check", quality.doubt)
    apart = quality.figures.get("disagreement_mm")
    parts = "" if apart is None else f"; halves of the brain agree within {apart:.1f} mm"
    return Light("Diffusion", "ok", f"Aligned{parts}. Compare its contour with the images below.")


def _territories(case: Case) -> Light:
    title = "Territories"
    territories = case.maps.get("territories")
    if territories is None:
        return Light(title, "stop", "None in the case.")
    if territories.quality.doubt:
        return Light(title, "check", territories.quality.doubt)
    if "territories" in case.given:
        return _mask(case, "territories", title)
    return Light(title, "check", "From a template: real borders differ by centimetres.")


def _mask(case: Case, name: str, title: str) -> Light:
    if name not in case.maps:
        return Light(title, "stop", "None in the case.")
    if name not in case.given:
        return Light(title, "check", "Automatic proposal, not corrected by hand.")
    edits = [r for r in case.history if r.action == "edit" and r.what == name]
    changed = sum(int(r.parameters.get("changed_voxels", 0)) for r in edits)
    if changed:
        return Light(title, "ok", f"Corrected by hand: {changed} voxels.")
    return Light(title, "ok", "Accepted as proposed." if edits else "Given by the user.")


def _veins(measurements: Measurements) -> Light:
    rows = [measurements.row(name) for name in MAIN_REGIONS]
    lacking = [REGIONS[r.region] for r in rows if r.chi_median_ppm is None]
    if lacking:
        return Light("Veins", "stop", f"Too few to measure: {listing(lacking)}.")
    odd = [REGIONS[r.region] for r in rows if r.qc != OK]
    if odd:
        return Light("Veins", "check", sentence(f"notes on {listing(odd)}: see below"))
    fewest = min(r.n_vein_segments or 0 for r in rows)
    return Light("Veins", "ok", f"At least {fewest} vein segments in each of the three regions.")


def _reference(measurements: Measurements) -> Light:
    if measurements.reference == "whole brain":
        return Light("Reference", "ok", "Susceptibility is relative to the whole brain.")
    return Light("Reference", "check", sentence(f"{measurements.reference or 'not known'}"))
