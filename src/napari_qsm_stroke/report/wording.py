"""Numbers and names as a reader of the report sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_qsm_stroke.core.measure.regions import REGIONS

if TYPE_CHECKING:
    from napari_qsm_stroke.core.measure.table import RegionRow

NOT_MEASURED = "not measured"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"

REGION_COLOURS = {
    "infarct_core": "#d55e00",
    "ipsilateral_mca": "#f0e442",
    "contralateral_mca": "#56b4e9",
}
"""Colours that colour-blind readers tell apart (Okabe and Ito), on grey images too."""

HEADINGS = (
    "Region",
    "Side",
    "Volume\nml",
    "Veins\nml",
    "Vein\nsegments",
    "Median\nppm",
    "95 % interval\nppm",
    "Quartiles\nppm",
    "90th pct.\nppm",
    "Against\nipsilateral",
    "Against\ncontralateral",
    "OEF\nindex",
)


def number(value: float | None, decimals: int = 3) -> str:
    """Return a value with a real minus sign, or "not measured"."""
    if value is None:
        return NOT_MEASURED
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def percent(value: float | None) -> str:
    """Return a signed percentage, or "not measured"."""
    if value is None:
        return NOT_MEASURED
    text = f"{value:+.1f} %"
    return ("0.0 %" if text in {"+0.0 %", "-0.0 %"} else text).replace("-", MINUS)


def span(low: float | None, high: float | None) -> str:
    """Return "low to high", or "not measured"."""
    if low is None or high is None:
        return NOT_MEASURED
    return f"{number(low)} to {number(high)}"


def table_cells(row: RegionRow) -> tuple[str, ...]:
    """Return the cells of one row of the territory table, in the order of ``HEADINGS``."""
    return (
        REGIONS[row.region],
        row.side or "unknown",
        number(row.volume_ml, 1),
        number(row.vein_volume_ml, 2),
        NOT_MEASURED if row.n_vein_segments is None else str(row.n_vein_segments),
        number(row.chi_median_ppm),
        span(row.chi_median_ci_low_ppm, row.chi_median_ci_high_ppm),
        span(row.chi_q1_ppm, row.chi_q3_ppm),
        number(row.chi_p90_ppm),
        "reference" if row.region == "ipsilateral_mca" else percent(row.percent_vs_ipsilateral),
        "reference" if row.region == "contralateral_mca" else percent(row.percent_vs_contralateral),
        number(row.oef_median, 2),
    )


def sentence(text: str) -> str:
    """Return a text that starts with a capital and ends with a full stop."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def listing(items: list[str]) -> str:
    """Return "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def compared(value: float) -> str:
    """Return "41 % lower than" or "5 % higher than"."""
    return f"{abs(value):.0f} % {'lower' if value < 0 else 'higher'} than"
