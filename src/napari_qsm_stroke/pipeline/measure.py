"""From a finished case to the territory table."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke.core.measure.regions import REGIONS, region_side
from napari_qsm_stroke.core.measure.segments import vein_segments
from napari_qsm_stroke.core.measure.table import (
    Counting,
    RegionRow,
    VeinValues,
    vein_row,
    with_percentages,
)
from napari_qsm_stroke.core.method import Parameter, Unit, parameters_of
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.pipeline.doubts import doubts, with_doubts
from napari_qsm_stroke.pipeline.regions import (
    KEPT_CASES,
    Kept,
    Regions,
    regions_of,
    side_of,
    volume_ml,
)

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case, Side
    from napari_qsm_stroke.case.volume import Volume

NEEDED = ("susceptibility", "veins", "infarct", "territories")
REFERENCE_TOLERANCE_PPM = 1e-3


@dataclass(frozen=True)
class MeasureSettings:
    """How regions are built and veins are counted.

    Parameters
    ----------
    guard : float
        Band around the infarct that the non-ischemic territory leaves out.
    min_voxels : int
        A region with fewer vein voxels is not measured.
    segment_length : float
        How far a vein segment reaches; segments are the units of the confidence interval.
    bootstrap_samples : int
        Samples of the confidence interval of the median; 0 leaves it out.
    haematocrit : float
        For the oxygen extraction fraction; use the patient's own where it is known.
    arterial_saturation : float
        Oxygen saturation of arterial blood, for the oxygen extraction fraction.
    seed : int
        Start of the random numbers of the confidence interval.
    """

    guard: Annotated[float, Interval(ge=0, le=20), Unit("mm")] = 3.0
    min_voxels: Annotated[int, Interval(ge=1, le=10_000)] = 20
    segment_length: Annotated[float, Interval(ge=2, le=100), Unit("mm")] = 10.0
    bootstrap_samples: Annotated[int, Interval(ge=0, le=20_000)] = 1000
    haematocrit: Annotated[float, Interval(ge=0.2, le=0.7)] = 0.42
    arterial_saturation: Annotated[float, Interval(ge=0.5, le=1)] = 0.98
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        for parameter in self.parameters():
            value = parameter.check(getattr(self, parameter.name), "measure")
            object.__setattr__(self, parameter.name, value)

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Each setting with its default, bounds, unit and description."""
        return parameters_of(cls)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


DEFAULTS = MeasureSettings()


@dataclass(frozen=True)
class Measurements:
    """The territory table of one case.

    Parameters
    ----------
    rows : tuple of RegionRow
        One a region, always all six, in the order of ``REGIONS``.
    settings : MeasureSettings
        What they were made with.
    side : {"left", "right"} or None
        Side of the stroke; None where it is not known.
    side_origin : {"found", "user"} or None
        Whether the infarct showed the side or the user said it.
    reference : str or None
        What the susceptibility is relative to.
    infarct_volume_ml : float or None
        Whole infarct, also outside the MCA territory.
    notes : tuple of str
        What a reader of the numbers has to know, in words.
    """

    rows: tuple[RegionRow, ...]
    settings: MeasureSettings
    side: Side | None
    side_origin: Literal["found", "user"] | None
    reference: str | None
    infarct_volume_ml: float | None
    notes: tuple[str, ...]

    def row(self, region: str) -> RegionRow:
        """Return the row of that region."""
        return next(row for row in self.rows if row.region == region)

    def records(self) -> list[dict[str, Any]]:
        """Rows as plain values by column, None where not measured."""
        return [row.as_dict() for row in self.rows]


def measure(case: Case, settings: MeasureSettings | None = None) -> Measurements:
    """Measure vein susceptibility in the regions of the study.

    A map or a mask that the case lacks leaves its numbers "not measured", and a note says so:
    call ``check_inputs`` first where that should be an error.

    Parameters
    ----------
    case : Case
        With ``susceptibility``, ``veins``, ``infarct`` and ``territories`` on one grid.
    settings : MeasureSettings, optional
        The defaults where not given.

    Raises
    ------
    InputError
        Two of the maps do not lie on one grid.
    """
    settings = settings or DEFAULTS
    _check_grids(case)
    side, origin, side_note = side_of(case)
    regions = regions_of(case, side, settings.guard)
    lacking = [f"There is no {name}: what needs it is not measured." for name in _lacking(case)]
    notes = [*lacking, *([side_note] if side_note else []), *(regions.notes if regions else ())]
    notes += doubts(case)
    values = _vein_values(case, regions, settings)
    reference = _reference(case)
    rows = {}
    for region in REGIONS:
        where = region_side(region, side) if side else None
        row = RegionRow(case.subject, case.session or None, region, where, reference=reference)
        if regions is None or region not in regions.voxels:
            rows[region] = replace(row, qc=f"not measured: {_reason(case, side)}")
        else:
            counting = _counting(case, settings)
            rows[region] = _row(row, regions.voxels[region], values.get(region), counting)
            if region == "infarct_core":
                rows[region] = replace(rows[region], volume_ml=regions.core_ml)
    return Measurements(
        rows=tuple(with_percentages(with_doubts(case, rows))),
        settings=settings,
        side=side,
        side_origin=origin,
        reference=reference,
        infarct_volume_ml=_infarct_ml(case, regions),
        notes=tuple(notes),
    )


def check_inputs(case: Case) -> None:
    """Make sure that a case can be measured in full.

    Raises
    ------
    MissingError
        A map or a mask is not there.
    InputError
        A mask is empty, or two maps do not lie on one grid.
    """
    lacking = _lacking(case)
    if lacking:
        raise MissingError(
            case.key,
            f"measuring needs {', '.join(lacking)}; not in the case.",
            "Run the steps that make them first, or give them.",
        )
    _check_grids(case)
    for name in NEEDED:
        if not np.any(case.maps[name].data):
            raise InputError(case.key, f"{name} is empty.", "Give one with voxels in it.")


_REFERENCES_KEPT = Kept(KEPT_CASES)
_ROWS_KEPT = Kept(KEPT_CASES * len(REGIONS))


def _lacking(case: Case) -> list[str]:
    return [name for name in NEEDED if name not in case.maps]


def _check_grids(case: Case) -> None:
    present = [name for name in NEEDED if name in case.maps]
    for name in present[1:]:
        problem = case.maps[present[0]].grid.difference(case.maps[name].grid)
        if problem:
            raise InputError(
                case.key,
                f"{name} does not lie on the grid of {present[0]}: {problem}.",
                "Bring both to one grid.",
            )


def _vein_values(
    case: Case, regions: Regions | None, settings: MeasureSettings
) -> dict[str, VeinValues]:
    veins, chi = case.maps.get("veins"), case.maps.get("susceptibility")
    if regions is None or veins is None or chi is None:
        return {}
    flat = np.flatnonzero(veins.data[regions.crop] != 0)
    flat = flat[regions.member.ravel()[flat] != 0]
    place = np.unravel_index(flat, regions.member.shape)
    member = regions.member[place]
    values = chi.data[regions.crop][place]
    measured = np.isfinite(values) & (values != 0)
    if "field_mask" in case.maps:
        measured &= case.maps["field_mask"].data[regions.crop][place] != 0
    segment = vein_segments(
        np.stack(place, axis=1),
        voxel_size=veins.grid.voxel_size,
        segment_length=settings.segment_length,
    )
    found = {}
    for name in regions.voxels:
        here = (member & (1 << list(REGIONS).index(name))) != 0
        used = here & measured
        outside = int(np.count_nonzero(here & ~measured))
        _, own = np.unique(segment[used], return_inverse=True)
        found[name] = VeinValues(values[used], own.astype(np.int32), outside)
    return found


def _row(blank: RegionRow, voxels: int, veins: VeinValues | None, counting: Counting) -> RegionRow:
    """Count the veins of a region, unless nothing has changed in it since the last time."""
    if veins is None:
        return vein_row(blank, voxels, None, counting)
    state = blake2b(veins.chi.tobytes())
    state.update(veins.segment.tobytes())
    key = (blank, voxels, counting, veins.outside_map, state.hexdigest())
    row: RegionRow = _ROWS_KEPT.find(key, lambda: vein_row(blank, voxels, veins, counting))
    return row


def _counting(case: Case, settings: MeasureSettings) -> Counting:
    return Counting(
        voxel_volume_ml=case.maps["territories"].grid.voxel_volume_ml,
        min_voxels=settings.min_voxels,
        bootstrap_samples=settings.bootstrap_samples,
        seed=settings.seed,
        haematocrit=settings.haematocrit,
        arterial_saturation=settings.arterial_saturation,
    )


def _infarct_ml(case: Case, regions: Regions | None) -> float | None:
    if regions is not None:
        return regions.infarct_ml
    infarct = case.maps.get("infarct")
    return None if infarct is None else volume_ml(infarct)


def _reason(case: Case, side: Side | None) -> str:
    """Say why a region is not known."""
    if "territories" not in case.maps:
        return "there are no territories"
    if "infarct" not in case.maps:
        return "there is no infarct mask"
    return "the side of the stroke is not known" if side is None else "the region is not known"


def _reference(case: Case) -> str | None:
    """Say what the map is relative to, by looking at the map itself."""
    chi = case.maps.get("susceptibility")
    if chi is None:
        return None
    masks = [case.maps[n] for n in ("field_mask", "brain") if n in case.maps]
    key = (chi.digest, *(m.digest for m in masks))
    found: str = _REFERENCES_KEPT.find(key, lambda: _read_reference(chi, masks))
    return found


def _read_reference(chi: Volume, masks: list[Volume]) -> str:
    covered = np.isfinite(chi.data) & (chi.data != 0)
    means = [
        float(chi.data[area].mean(dtype=np.float64))
        for area in (covered, *(covered & (m.data != 0) for m in masks))
        if area.any()
    ]
    if any(abs(mean) < REFERENCE_TOLERANCE_PPM for mean in means):
        return "whole brain"
    return f"as given (mean of the map {means[0]:+.3f} ppm)" if means else "as given"
