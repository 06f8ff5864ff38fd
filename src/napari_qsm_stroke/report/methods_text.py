"""The methods paragraph, written from the history of the case: text and numbers cannot diverge."""

from __future__ import annotations

import inspect
import re
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
RAW = {"magnitude", "phase", "dwi", "b0", "adc"}


SOURCES = {
    STUDY: "Probst et al., Sci Rep 2021;11:16038",
    BLOOD: "Spees et al., Magn Reson Med 2001;45:533",
    CONSENSUS: "QSM Consensus Organization Committee, Magn Reson Med 2024;91:1834",
}
SOURCE = re.compile(
    r"((?:[A-Z][\w'’-]+)(?: [A-Z][\w'’-]+)*(?: et al\.| and [A-Z][\w'’-]+)?, "
    r"[^,;:]+ \d{4};[^,;]+),? $"
)
"""The source before a DOI in a docstring: "Shmueli et al., Magn Reson Med 2009;62:1510, "."""


@dataclass(frozen=True)
class Reference:
    """A source: its DOI, and authors, journal and page where a docstring names them."""

    doi: str
    text: str = ""


@dataclass(frozen=True)
class MethodsText:
    """Paragraphs and steps with numbers in brackets, and the references that these stand for."""

    introduction: str
    steps: tuple[str, ...]
    measuring: str
    references: tuple[Reference, ...]
    """The first is [1]."""


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
    known = methods()
    introduction = _introduction(case, citations)
    steps = tuple(_step(r, known.get(r.what), citations) for r in last_runs(case))
    measuring = _measuring(case, measurements, citations)
    references = tuple(Reference(doi, source_of(doi)) for doi in citations.dois)
    return MethodsText(introduction, steps, measuring, references)


def source_of(doi: str) -> str:
    """Return authors, journal and page of a source, as some method's docstring names them."""
    if doi in SOURCES:
        return SOURCES[doi]
    for method in methods().values():
        text = " ".join((inspect.getdoc(method.function) or "").split())
        before, found, _ = text.partition(f"doi:{doi}")
        match = SOURCE.search(before) if found else None
        if match:
            return match[1]
    return ""


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


def _introduction(case: Case, citations: _Citations) -> str:
    what = acquisition_words(case)
    data = f" Gradient echo: {what}." if what else ""
    return (
        f"Processed with napari-qsm-stroke {software().napari_qsm_stroke}, an open implementation "
        f"of the study design of Probst et al. 2021{citations.mark(STUDY)}; the processing of that "
        f"study is not known in full.{data}"
    )


def _step(record: Record, method: Method | None, citations: _Citations) -> str:
    if method is None:
        return sentence(record.what)
    made = listing([q.title for q in method.outputs])
    does = method.summary.rstrip(".")
    units = {p.name: p.unit for p in method.parameters}
    values = [
        f"{p.name.replace('_', ' ')} {_value(record.parameters[p.name])} {units[p.name]}".strip()
        for p in method.parameters
        if record.parameters.get(p.name, p.default) != p.default
    ]
    changed = f" Changed from the default: {', '.join(values)}." if values else ""
    text = f"{made}: {does[:1].lower()}{does[1:]} ({record.what})."
    return f"{text}{changed}{citations.mark(*method.cite)}"


def _measuring(case: Case, measurements: Measurements, citations: _Citations) -> str:
    settings = measurements.settings
    reference = measurements.reference or "not known"
    interval = (
        f"its 95 % interval is a bootstrap of {settings.bootstrap_samples} samples over vein "
        f"segments of up to {settings.segment_length:g} mm"
        if settings.bootstrap_samples
        else "no interval was computed"
    )
    given = [g.replace("_", " ") for g in sorted(case.given - RAW)]
    corrected = f"Given or corrected by the user: {listing(given)}. " if given else ""
    return sentence(
        f"{corrected}Each value is the median over the vein voxels of a region; "
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
