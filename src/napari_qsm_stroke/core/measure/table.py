"""The territory table: one row a region, vein susceptibility in numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.core.measure.bootstrap import FEWEST_CLUSTERS, clustered_median_interval
from napari_qsm_stroke.core.measure.oxygenation import oxygen_extraction_fraction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_qsm_stroke.core.measure.side import Side

OK = "ok"


@dataclass(frozen=True)
class RegionRow:
    """Numbers of one region. None is "not measured" and is written ``n/a``, never 0.

    The fields are the columns of ``measurements.tsv``, in their order.
    """

    subject: str
    session: str | None
    region: str
    side: Side | None
    volume_ml: float | None = None
    vein_volume_ml: float | None = None
    n_vein_voxels: int | None = None
    n_vein_segments: int | None = None
    chi_median_ppm: float | None = None
    chi_q1_ppm: float | None = None
    chi_q3_ppm: float | None = None
    chi_p90_ppm: float | None = None
    chi_mean_ppm: float | None = None
    chi_sd_ppm: float | None = None
    chi_median_ci_low_ppm: float | None = None
    chi_median_ci_high_ppm: float | None = None
    percent_vs_ipsilateral: float | None = None
    percent_vs_contralateral: float | None = None
    oef_median: float | None = None
    reference: str | None = None
    qc: str = OK
    vein_radius_median_mm: float | None = None
    n_blood_segments: int | None = None
    chi_blood_median_ppm: float | None = None
    chi_blood_ci_low_ppm: float | None = None
    chi_blood_ci_high_ppm: float | None = None
    percent_matched_vs_ipsilateral: float | None = None
    percent_matched_vs_contralateral: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the columns and their values, None where not measured."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


COLUMNS: dict[str, tuple[str, str]] = {
    "subject": ("Label of the subject", ""),
    "session": ("Label of the session", ""),
    "region": ("Region in which veins are measured", ""),
    "side": ("Side of the head that the region lies on", ""),
    "volume_ml": ("Volume of the region", "ml"),
    "vein_volume_ml": ("Volume of the measured vein voxels", "ml"),
    "n_vein_voxels": ("Number of vein voxels with a susceptibility", ""),
    "n_vein_segments": ("Number of vein segments; see the settings for their length", ""),
    "chi_median_ppm": ("Median susceptibility of the vein voxels", "ppm"),
    "chi_q1_ppm": ("First quartile", "ppm"),
    "chi_q3_ppm": ("Third quartile", "ppm"),
    "chi_p90_ppm": ("90th percentile", "ppm"),
    "chi_mean_ppm": ("Mean", "ppm"),
    "chi_sd_ppm": ("Standard deviation over the voxels", "ppm"),
    "chi_median_ci_low_ppm": ("Lower end of the 95 % interval of the median", "ppm"),
    "chi_median_ci_high_ppm": ("Upper end of the 95 % interval of the median", "ppm"),
    "percent_vs_ipsilateral": ("100 x (median / median of ipsilateral_mca - 1)", "%"),
    "percent_vs_contralateral": ("100 x (median / median of contralateral_mca - 1)", "%"),
    "oef_median": ("Oxygen extraction fraction index from the median", ""),
    "reference": ("What the susceptibility is relative to", ""),
    "qc": ("ok, or what is wrong with the row", ""),
    "vein_radius_median_mm": ("Median radius of the veins that the voxels belong to", "mm"),
    "n_blood_segments": ("Vein segments wide enough to tell their blood from partial volume", ""),
    "chi_blood_median_ppm": ("Median susceptibility inside these veins", "ppm"),
    "chi_blood_ci_low_ppm": ("Lower end of its 95 % interval", "ppm"),
    "chi_blood_ci_high_ppm": ("Upper end of its 95 % interval", "ppm"),
    "percent_matched_vs_ipsilateral": (
        "Change against ipsilateral_mca weighted to the calibres of this region",
        "%",
    ),
    "percent_matched_vs_contralateral": (
        "Change against contralateral_mca weighted to the calibres of this region",
        "%",
    ),
}
"""What each column holds, and its unit."""


@dataclass(frozen=True)
class VeinValues:
    """Susceptibility of the veins of one region, and the segments that they belong to."""

    chi: NDArray[np.float32]
    segment: NDArray[np.int32]
    outside_map: int = 0
    """Vein voxels of the region that the susceptibility map does not cover."""


@dataclass(frozen=True)
class Counting:
    """How values become a row."""

    voxel_volume_ml: float
    min_voxels: int = 20
    bootstrap_samples: int = 1000
    seed: int = 0
    haematocrit: float = 0.42
    arterial_saturation: float = 0.98


def vein_row(
    blank: RegionRow, region_voxels: int, veins: VeinValues | None, counting: Counting
) -> RegionRow:
    """Fill the row of one region, without the percentages.

    Parameters
    ----------
    blank : RegionRow
        Subject, session, region, side and reference.
    region_voxels : int
        Number of voxels of the region.
    veins : VeinValues or None
        None where there is no vein mask or no map.
    counting : Counting
        Voxel volume, limits and constants.

    Returns
    -------
    RegionRow
        With "not measured" and the reason in ``qc`` where there are too few vein voxels.
    """
    values = {**blank.as_dict(), "volume_ml": region_voxels * counting.voxel_volume_ml}
    if veins is None:
        return RegionRow(**{**values, "qc": "not measured: no vein mask or no susceptibility map"})
    count = len(veins.chi)
    values |= {
        "vein_volume_ml": count * counting.voxel_volume_ml,
        "n_vein_voxels": count,
        "n_vein_segments": len(np.unique(veins.segment)),
    }
    notes = []
    if region_voxels == 0:
        notes.append("not measured: the region is empty")
    elif count < counting.min_voxels:
        notes.append(
            f"not measured: {count} vein voxels, at least {counting.min_voxels} are needed"
        )
    else:
        values |= _statistics(veins, counting, notes)
    if veins.outside_map and count:
        notes.append(f"{veins.outside_map} vein voxels lie outside the susceptibility map")
    return RegionRow(**{**values, "qc": "; ".join(notes) or OK})


def with_percentages(rows: Mapping[str, RegionRow]) -> list[RegionRow]:
    """Compare each row with the two reference regions.

    A percentage is left out where the median of the reference region is not above zero: a ratio
    to it has no meaning.
    """
    references = {
        "percent_vs_ipsilateral": rows["ipsilateral_mca"].chi_median_ppm,
        "percent_vs_contralateral": rows["contralateral_mca"].chi_median_ppm,
    }
    found = []
    for row in rows.values():
        values = row.as_dict()
        for column, reference in references.items():
            if row.chi_median_ppm is None or reference is None:
                continue
            if reference > 0:
                values[column] = 100 * (row.chi_median_ppm / reference - 1)
            else:
                side = column.removeprefix("percent_vs_")
                reason = f"no percentage against {side}: its median is not above zero"
                values["qc"] = reason if values["qc"] == OK else f"{values['qc']}; {reason}"
        found.append(RegionRow(**values))
    return found


def _statistics(veins: VeinValues, counting: Counting, notes: list[str]) -> dict[str, float]:
    chi = veins.chi.astype(np.float64)
    q1, median, q3, p90 = (float(v) for v in np.percentile(chi, (25, 50, 75, 90)))
    found = {
        "chi_median_ppm": median,
        "chi_q1_ppm": q1,
        "chi_q3_ppm": q3,
        "chi_p90_ppm": p90,
        "chi_mean_ppm": float(chi.mean()),
        "chi_sd_ppm": float(chi.std(ddof=1)) if len(chi) > 1 else 0.0,
    }
    interval = clustered_median_interval(
        veins.chi, veins.segment, samples=counting.bootstrap_samples, seed=counting.seed
    )
    if interval:
        found["chi_median_ci_low_ppm"], found["chi_median_ci_high_ppm"] = interval
    elif counting.bootstrap_samples:
        notes.append(f"no confidence interval: fewer than {FEWEST_CLUSTERS} vein segments")
    oef = oxygen_extraction_fraction(
        median,
        haematocrit=counting.haematocrit,
        arterial_saturation=counting.arterial_saturation,
    )
    if 0 <= oef <= 1:
        found["oef_median"] = oef
    else:
        notes.append("no oxygen extraction: the median is not that of venous blood")
    return found
