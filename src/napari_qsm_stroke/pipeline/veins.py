"""Veins of a case segment by segment, and what follows for each region."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.measure.bootstrap import clustered_median_interval
from napari_qsm_stroke.core.measure.regions import REGIONS
from napari_qsm_stroke.core.measure.vein_graph import (
    NINETY_PERCENT,
    VeinGraph,
    matched_change,
    vein_graph,
)
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.pipeline.regions import regions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.measure.table import RegionRow
    from napari_qsm_stroke.pipeline.measure import Measurements, MeasureSettings
    from napari_qsm_stroke.pipeline.regions import Regions

DEEP_MM = 25.0
"""Veins that lie deeper below the surface of the brain are called deep, others cortical."""

VEIN_COLUMNS: dict[str, tuple[str, str]] = {
    "segment": ("Number of the segment", ""),
    "branch": ("Segments of one branch hang together end to end", ""),
    "x_mm": ("Middle of the segment in scanner coordinates, to the right", "mm"),
    "y_mm": ("To the front", "mm"),
    "z_mm": ("To the head", "mm"),
    "territory": ("Arterial territory that most of it lies in", ""),
    "side": ("Side of the head", ""),
    "region": ("Region of the study that most of it lies in", ""),
    "depth": ("cortical or deep: less or more than 25 mm below the surface of the brain", ""),
    "length_mm": ("Length", "mm"),
    "radius_mm": ("Radius", "mm"),
    "radius_sd_mm": ("Standard deviation of the radius", "mm"),
    "angle_to_b0_deg": ("Angle to the main field", "degrees"),
    "chi_blood_ppm": ("Susceptibility inside the vein, without partial volume", "ppm"),
    "chi_blood_ci_low_ppm": ("Lower end of its 90 % interval", "ppm"),
    "chi_blood_ci_high_ppm": ("Upper end of its 90 % interval", "ppm"),
    "valid": (
        "1 where blood is known: radius of 0.75 voxel, contrast 3 times the noise, error of 20 %",
        "",
    ),
}
"""Columns of ``veins.tsv``: what each holds, and its unit."""


def graph_of(case: Case, settings: MeasureSettings) -> VeinGraph | None:
    """Trace the veins of a case; None where it lacks the map or the mask."""
    chi, veins = case.maps.get("susceptibility"), case.maps.get("veins")
    if chi is None or veins is None:
        return None
    known = np.isfinite(chi.data) & (chi.data != 0)
    if "field_mask" in case.maps:
        known &= case.maps["field_mask"].data != 0
    return vein_graph(
        chi.data,
        veins.data,
        known,
        voxel_size=chi.grid.voxel_size,
        b0_dir=chi.grid.b0_dir,
        segment_length=settings.segment_length,
    )


def vein_records(case: Case, graph: VeinGraph, table: Measurements) -> list[dict[str, Any]]:
    """One record a segment, by the columns of ``VEIN_COLUMNS``; None where not known."""
    index = np.rint(graph.points).astype(int)
    count = len(graph.length)
    counts = np.maximum(np.bincount(graph.segment, minlength=count), 1)
    middle = np.stack(
        [np.bincount(graph.segment, axis, minlength=count) / counts for axis in graph.points.T], 1
    )
    grid = case.maps["veins"].grid
    places = middle @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    label = _most(_territory(case, index), graph.segment, count, 256)
    regions = regions_of(case, table.side, table.settings.guard)
    region = _most(_region(regions, index), graph.segment, count, len(REGIONS) + 1)
    deep = _depths(case, index, graph.segment, count) > DEEP_MM
    reach = NINETY_PERCENT * graph.blood_sd
    records = []
    for n in range(count):
        artery, side = LABELS.get(int(label[n]), (None, None))
        records.append(
            {
                "segment": n + 1,
                "branch": int(graph.branch[n]) + 1,
                "x_mm": float(places[n, 0]),
                "y_mm": float(places[n, 1]),
                "z_mm": float(places[n, 2]),
                "territory": artery,
                "side": side,
                "region": [None, *REGIONS][int(region[n])],
                "depth": "deep" if deep[n] else "cortical",
                "length_mm": float(graph.length[n]),
                "radius_mm": float(graph.radius[n]),
                "radius_sd_mm": float(graph.radius_sd[n]),
                "angle_to_b0_deg": float(graph.angle[n]),
                "chi_blood_ppm": float(graph.blood[n]),
                "chi_blood_ci_low_ppm": float(graph.blood[n] - reach[n]),
                "chi_blood_ci_high_ppm": float(graph.blood[n] + reach[n]),
                "valid": int(graph.valid[n]),
            }
        )
    return records


def with_calibre(case: Case, graph: VeinGraph, table: Measurements) -> Measurements:
    """Add calibre, blood and the change at matched calibre to the rows of a table."""
    regions = regions_of(case, table.side, table.settings.guard)
    if regions is None:
        return table
    values = {name: _voxels_of(case, graph, regions, name) for name in regions.voxels}
    member = _member(regions, np.rint(graph.points).astype(int))
    rows = []
    for row in table.rows:
        if row.region not in values or row.chi_median_ppm is None:
            rows.append(row)
            continue
        chi, radii = values[row.region]
        changes: dict[str, Any] = {
            f"percent_matched_vs_{side}": matched_change(chi, radii, *values[f"{side}_mca"])
            for side in ("ipsilateral", "contralateral")
        }
        here = (member >> list(REGIONS).index(row.region)) & 1
        own = graph.valid & (_most(here, graph.segment, len(graph.length), 2) == 1)
        rows.append(replace(_with_blood(row, graph, own, radii, table.settings), **changes))
    return replace(table, rows=tuple(rows))


def _with_blood(
    row: RegionRow,
    graph: VeinGraph,
    own: NDArray[np.bool_],
    radii: NDArray[np.float64],
    settings: MeasureSettings,
) -> RegionRow:
    known = radii[np.isfinite(radii)]
    found: dict[str, Any] = {"n_blood_segments": int(own.sum())}
    if len(known):
        found["vein_radius_median_mm"] = float(np.median(known))
    if own.any():
        found["chi_blood_median_ppm"] = float(np.median(graph.blood[own]))
        interval = clustered_median_interval(
            graph.blood[own],
            graph.branch[own],
            samples=settings.bootstrap_samples,
            seed=settings.seed,
        )
        if interval:
            found["chi_blood_ci_low_ppm"], found["chi_blood_ci_high_ppm"] = interval
    return replace(row, **found)


def _voxels_of(
    case: Case, graph: VeinGraph, regions: Regions, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Susceptibility of the vein voxels of a region and the radius of their veins."""
    where = tuple(graph.voxels.T)
    inside = case.maps["veins"].data[where] != 0
    inside &= _member(regions, graph.voxels) & (1 << list(REGIONS).index(name)) != 0
    chi = case.maps["susceptibility"].data[where][inside].astype(np.float64)
    return chi, graph.radius[graph.owner[inside]]


def _member(regions: Regions, index: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bits of the regions that voxels lie in."""
    low = np.array([part.start for part in regions.crop])
    moved = index - low
    inside = ((moved >= 0) & (moved < regions.member.shape)).all(1)
    found = np.zeros(len(index), np.uint8)
    found[inside] = regions.member[tuple(moved[inside].T)]
    return found


def _region(regions: Regions | None, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 + place in ``REGIONS`` of the first region that each voxel lies in, 0 for none."""
    if regions is None:
        return np.zeros(len(index), np.int64)
    member = _member(regions, index)
    first = [(member & (1 << n)) != 0 for n in range(len(REGIONS))]
    return np.select(first, [n + 1 for n in range(len(REGIONS))], 0)


def _territory(case: Case, index: NDArray[np.int64]) -> NDArray[np.int64]:
    territories = case.maps.get("territories")
    if territories is None:
        return np.zeros(len(index), np.int64)
    inside = np.clip(index, 0, np.array(territories.data.shape) - 1)
    return np.asarray(territories.data[tuple(inside.T)], np.int64)


def _most(
    labels: NDArray[np.integer], segment: NDArray[np.int64], count: int, kinds: int
) -> NDArray[np.int64]:
    """Label that most points of each segment have."""
    votes = np.zeros((count, kinds), np.int64)
    np.add.at(votes, (segment, labels), 1)
    return np.asarray(votes.argmax(1))


def _depths(
    case: Case, index: NDArray[np.int64], segment: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Median depth of each segment below the surface of the brain, in mm."""
    brain = case.maps.get("brain") or case.maps.get("field_mask") or case.maps["veins"]
    whole = ndimage.binary_fill_holes(brain.data != 0)
    depth = ndimage.distance_transform_edt(whole, sampling=brain.grid.voxel_size)
    inside = np.clip(index, 0, np.array(depth.shape) - 1)
    total = np.bincount(segment, depth[tuple(inside.T)], minlength=count)
    return np.asarray(total / np.maximum(np.bincount(segment, minlength=count), 1))
