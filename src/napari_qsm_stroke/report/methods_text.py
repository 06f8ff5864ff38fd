"""The methods paragraph, written from the history of the case: text and numbers cannot diverge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.case.provenance import Record, software
from napari_qsm_stroke.core.physics.constants import BLOOD_SUSCEPTIBILITY_PPM
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.report.wording import TIMES, listing, sentence

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.method import Method
    from napari_qsm_stroke.pipeline.measure import Measurements

STUDY = "10.1038/s41598-021-95265-3"
BLOOD = "10.1002/mrm.1072"
CONSENSUS = "10.1002/mrm.30006"


@dataclass(frozen=True)
class MethodsText:
    """Paragraphs with numbers in brackets, and the references that these stand for."""

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]
    """DOIs, the first is [1]."""


class _Citations:
    def __init__(self) -> None:
        self.dois: list[str] = []

    def mark(self, *dois: str) -> str:
        """Return " [1, 2]" for these sources, or nothing."""
        for doi in dois:
            if doi not in self.dois:
                self.dois.append(doi)
        numbers = ", ".join(str(self.dois.index(doi) + 1) for doi in dois)
        return f" [{numbers}]" if dois else ""


def methods_text(case: Case, measurements: Measurements) -> MethodsText:
    """Describe how the numbers were made.

    Parameters
    ----------
    case : Case
        Its history tells the steps.
    measurements : Measurements
        Its settings tell how veins were counted.

    Returns
    -------
    MethodsText
    """
    citations = _Citations()
    paragraphs = (
        _acquisition(case, citations),
        _steps(case, citations),
        _measuring(measurements, citations),
    )
    return MethodsText(tuple(p for p in paragraphs if p), tuple(citations.dois))


def acquisition_words(case: Case) -> str:
    """Field strength, echoes and voxel size in words."""
    parts = []
    if case.acquisition:
        times = [f"{1000 * t:.4g}" for t in case.acquisition.echo_times]
        echoes = "1 echo" if len(times) == 1 else f"{len(times)} echoes"
        parts += [f"{case.acquisition.field_strength:g} T", f"{echoes} at {', '.join(times)} ms"]
    if set(case.maps) & {"magnitude", "phase", "susceptibility"}:
        size = f" {TIMES} ".join(f"{d:.3g}" for d in case.grid.voxel_size)
        parts.append(f"voxels of {size} mm")
        if case.grid.obliquity_degrees > 0.5:
            parts.append(f"slab tilted by {case.grid.obliquity_degrees:.0f} degrees")
    return "; ".join(parts)


def last_runs(case: Case) -> list[Record]:
    """Return the last run of each method, in order; earlier ones were replaced."""
    last = {r.what: i for i, r in enumerate(case.history) if r.action == "run"}
    return [case.history[i] for i in sorted(last.values())]


def _acquisition(case: Case, citations: _Citations) -> str:
    what = acquisition_words(case)
    data = f" Gradient-echo data: {what}." if what else ""
    return (
        f"Processed with napari-qsm-stroke {software().napari_qsm_stroke}, an open implementation "
        f"of the study design of Probst et al. 2021{citations.mark(STUDY)}; that study's own "
        f"processing is not published in full.{data}"
    )


def _steps(case: Case, citations: _Citations) -> str:
    known = methods()
    runs = last_runs(case)
    texts = [_step(record, known.get(record.what), citations) for record in runs]
    given = sorted(case.given - {"magnitude", "phase", "dwi", "b0", "adc"})
    steps = f"Steps in order: {'; '.join(texts)}." if texts else ""
    if given:
        steps += f" Given or corrected by the user: {listing(given)}."
    return steps.replace("_", " ").strip()


def _step(record: Record, method: Method | None, citations: _Citations) -> str:
    if method is None:
        return record.what
    made = listing(
        [q.title.lower() if q.title != q.title.upper() else q.title for q in method.outputs]
    )
    changed = {
        p.name: record.parameters[p.name]
        for p in method.parameters
        if record.parameters.get(p.name, p.default) != p.default
    }
    units = {p.name: p.unit for p in method.parameters}
    values = ", ".join(f"{k} {_value(v)} {units[k]}".strip() for k, v in changed.items())
    return (
        f"{made} by {record.what}"
        + (f" ({values})" if values else "")
        + citations.mark(*method.cite)
    )


def _measuring(measurements: Measurements, citations: _Citations) -> str:
    settings = measurements.settings
    reference = measurements.reference or "not known"
    interval = (
        f"its 95 % interval is a bootstrap of {settings.bootstrap_samples} samples over vein "
        f"segments of up to {settings.segment_length:g} mm"
        if settings.bootstrap_samples
        else "no interval was computed"
    )
    return sentence(
        "Each value is the median over the vein voxels of a region; "
        f"{interval}. The ipsilateral territory leaves out the infarct and a band of "
        f"{settings.guard:g} mm around it. Regions with fewer than {settings.min_voxels} vein "
        f"voxels are not measured. Susceptibility is relative to: {reference}"
        f"{citations.mark(CONSENSUS)}. The OEF index assumes a haematocrit of "
        f"{settings.haematocrit:g}, an arterial saturation of {settings.arterial_saturation:g} and "
        f"{BLOOD_SUSCEPTIBILITY_PPM:g} ppm (SI) between deoxygenated and oxygenated "
        f"blood{citations.mark(BLOOD)}, and takes each voxel as full of blood: narrow veins, and "
        "veins squeezed by swelling, read too low"
    )


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
