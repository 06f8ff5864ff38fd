"""From a finished case to the territory table.

Building the regions takes a second, the veins a few milliseconds: regions are kept by the
fingerprints of infarct and territories, so that a stroke into the vein mask is measured at once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Interval
from scipy import ndimage

from napari_qsm_stroke.core.measure.regions import REGIONS, region_masks, region_side
from napari_qsm_stroke.core.measure.segments import vein_segments
from napari_qsm_stroke.core.measure.side import find_side, side_voxels
from napari_qsm_stroke.core.measure.table import (
    Counting,
    RegionRow,
    VeinValues,
    vein_row,
    with_percentages,
)
from napari_qsm_stroke.core.method import Parameter, Unit, parameters_of
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case, Side
    from napari_qsm_stroke.case.volume import Volume

NEEDED = ("susceptibility", "veins", "infarct", "territories")
REFERENCE_TOLERANCE_PPM = 1e-3
KEPT_CASES = 3


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
    settings = settings or MeasureSettings()
    _check_grids(case)
    notes = [f"There is no {name}: what needs it is not measured." for name in _lacking(case)]
    side, origin = _side(case, notes)
    regions = _regions_of(case, side, settings.guard) if side else None
    if regions is not None:
        notes += regions.notes
    values = _vein_values(case, regions, settings)
    reference = _reference(case)
    rows = {}
    for region in REGIONS:
        blank = RegionRow(
            case.subject,
            case.session or None,
            region,
            region_side(region, side) if side else None,
            reference=reference,
            qc="not measured: regions are not known",
        )
        rows[region] = (
            blank
            if regions is None or (region not in regions.voxels)
            else vein_row(
                blank, regions.voxels[region], values.get(region), _counting(case, settings)
            )
        )
    return Measurements(
        rows=tuple(with_percentages(rows)),
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


@dataclass(frozen=True)
class _Regions:
    """The regions of a case, packed so that looking up vein voxels is one step."""

    crop: tuple[slice, ...]
    member: NDArray[np.uint8]
    """One bit a region, on the box that holds them all."""
    voxels: dict[str, int]
    infarct_ml: float | None
    notes: tuple[str, ...]


class _Kept:
    """The most recent results by key; several threads may ask."""

    def __init__(self, limit: int) -> None:
        self._items: OrderedDict[Hashable, Any] = OrderedDict()
        self._limit = limit
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def put(self, key: Hashable, item: Any) -> None:
        with self._lock:
            self._items[key] = item
            while len(self._items) > self._limit:
                self._items.popitem(last=False)


_REGIONS_KEPT = _Kept(KEPT_CASES)
_REFERENCES_KEPT = _Kept(KEPT_CASES)


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


def _side(case: Case, notes: list[str]) -> tuple[Side | None, Literal["found", "user"] | None]:
    if case.side:
        return case.side, "user"
    if "infarct" not in case.maps or "territories" not in case.maps:
        return None, None
    infarct, territories = case.maps["infarct"].data, case.maps["territories"].data
    try:
        side = find_side(infarct, territories)
    except InputError as error:
        notes.append(str(error))
        return None, None
    volumes = side_voxels(infarct, territories)
    other = min(volumes.values()) / sum(volumes.values())
    if other > 0.1:
        notes.append(
            f"{100 * other:.0f} % of the infarct lies on the other side: check side and infarct."
        )
    return side, "found"


def _regions_of(case: Case, side: Side, guard: float) -> _Regions | None:
    territories = case.maps.get("territories")
    if territories is None:
        return None
    infarct = case.maps.get("infarct")
    key = (infarct.digest if infarct else None, territories.digest, side, guard)
    kept: _Regions | None = _REGIONS_KEPT.get(key)
    if kept is None:
        kept = _build_regions(infarct, territories, side, guard)
        _REGIONS_KEPT.put(key, kept)
    return kept


def _build_regions(
    infarct: Volume | None, territories: Volume, side: Side, guard: float
) -> _Regions:
    ischemic = np.zeros(territories.data.shape, np.uint8) if infarct is None else infarct.data
    masks = region_masks(
        ischemic,
        territories.data,
        side,
        voxel_size=territories.grid.voxel_size,
        affine=territories.grid.affine,
        guard=guard,
    )
    if infarct is None:
        masks = {n: m for n, m in masks.items() if n in ("ipsilateral_mca", "contralateral_mca")}
    member = np.zeros(territories.data.shape, np.uint8)
    for name, mask in masks.items():
        member[mask] |= 1 << list(REGIONS).index(name)
    boxes = ndimage.find_objects((member > 0).astype(np.uint8))
    crop = boxes[0] if boxes else (slice(0, 0),) * 3
    voxels = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
    notes = _region_notes(infarct, territories, masks) if infarct is not None else ()
    whole = _volume_ml(infarct) if infarct is not None else None
    return _Regions(crop, np.ascontiguousarray(member[crop]), voxels, whole, notes)


def _region_notes(
    infarct: Volume, territories: Volume, masks: dict[str, NDArray[np.bool_]]
) -> tuple[str, ...]:
    notes = []
    ml = territories.grid.voxel_volume_ml
    ischemic = infarct.data != 0
    whole = int(np.count_nonzero(ischemic))
    core = int(np.count_nonzero(masks["infarct_core"]))
    if whole > core:
        mca = [n for n, (artery, _) in LABELS.items() if artery == "MCA"]
        elsewhere = ischemic & ~np.isin(territories.data, [0, *mca])
        notes.append(
            f"{(whole - core) * ml:.1f} ml of the infarct ({100 * (whole - core) / whole:.0f} %) "
            "lie outside the MCA territory of its side and are not in the infarct core row; "
            f"{np.count_nonzero(elsewhere) * ml:.1f} ml of it in other arterial territories."
        )
    if core and not masks["mirrored_core"].any():
        notes.append("The core cannot be mirrored: the territories show no mid-sagittal plane.")
    return tuple(notes)


def _vein_values(
    case: Case, regions: _Regions | None, settings: MeasureSettings
) -> dict[str, VeinValues]:
    veins, chi = case.maps.get("veins"), case.maps.get("susceptibility")
    if regions is None or veins is None or chi is None:
        return {}
    inside = (veins.data[regions.crop] != 0) & (regions.member != 0)
    place = np.unravel_index(np.flatnonzero(inside), inside.shape)
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
        found[name] = VeinValues(values[used], segment[used], outside)
    return found


def _counting(case: Case, settings: MeasureSettings) -> Counting:
    return Counting(
        voxel_volume_ml=case.maps["territories"].grid.voxel_volume_ml,
        min_voxels=settings.min_voxels,
        bootstrap_samples=settings.bootstrap_samples,
        seed=settings.seed,
        haematocrit=settings.haematocrit,
        arterial_saturation=settings.arterial_saturation,
    )


def _infarct_ml(case: Case, regions: _Regions | None) -> float | None:
    if regions is not None:
        return regions.infarct_ml
    infarct = case.maps.get("infarct")
    return None if infarct is None else _volume_ml(infarct)


def _volume_ml(mask: Volume) -> float:
    return int(np.count_nonzero(mask.data)) * mask.grid.voxel_volume_ml


def _reference(case: Case) -> str | None:
    """Say what the map is relative to, by looking at the map itself."""
    chi = case.maps.get("susceptibility")
    if chi is None:
        return None
    masks = [case.maps[n] for n in ("field_mask", "brain") if n in case.maps]
    key = (chi.digest, *(m.digest for m in masks))
    kept: str | None = _REFERENCES_KEPT.get(key)
    if kept is None:
        covered = np.isfinite(chi.data) & (chi.data != 0)
        means = [
            float(chi.data[area].mean(dtype=np.float64))
            for area in (covered, *(covered & (m.data != 0) for m in masks))
            if area.any()
        ]
        whole_brain = any(abs(mean) < REFERENCE_TOLERANCE_PPM for mean in means)
        kept = "whole brain" if whole_brain else "as given"
        if means and not whole_brain:
            kept = f"as given (mean of the map {means[0]:+.3f} ppm)"
        _REFERENCES_KEPT.put(key, kept)
    return kept
