"""Pictures of a case. Figures are made without pyplot: a window's worker may draw them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

from napari_qsm_stroke.core.measure.regions import REGIONS
from napari_qsm_stroke.report.views import (
    OTHER_VEINS,
    SHOWN_REGIONS,
    SLAB_MM,
    Frame,
    Plane,
    Reduction,
    frame_of,
    planes_of,
    vein_regions,
)
from napari_qsm_stroke.report.wording import REGION_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.measure.table import RegionRow
    from napari_qsm_stroke.pipeline.measure import Measurements

CHI_WINDOW_PPM = (-0.1, 0.2)
OTHER_COLOUR = "#b0b0b0"
INFARCT_COLOUR = "#d55e00"
INK = "#1c1c1c"
GREY = "#5f6368"
LEFT_MM, RIGHT_MM, TOP_MM, FOOT_MM, GAP_MM = 9.0, 13.0, 6.0, 8.0, 1.2
ROWS = 4
Extent = tuple[float, float, float, float]
"""Left, right, bottom and top."""


@dataclass(frozen=True)
class Row:
    """One row of images: what is shown, and between which values."""

    title: str
    data: NDArray[Any] | None
    window: tuple[float, float]
    reduction: Reduction = "slice"
    overlay: NDArray[np.uint8] | None = None
    contour: NDArray[Any] | None = None
    bar: bool = False
    lacking: str = ""


@dataclass(frozen=True)
class Strip:
    """The images of a row side by side, in mm of the head; the last start is their end."""

    frame: Frame
    planes: tuple[Plane, ...]
    starts: tuple[float, ...]
    tallest: float
    width_mm: float
    """On the page, and so is the height of a row:"""
    cell_mm: float


def image_figure(case: Case, measurements: Measurements, width_mm: float = 186.0) -> Figure:
    """Draw the images of a case as a figure of its own; see ``draw_images``."""
    height_mm = images_height(case, width_mm)
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), facecolor="white")
    draw_images(figure, (0.0, 0.0, width_mm, height_mm), case, measurements)
    return figure


def median_figure(measurements: Measurements, width_mm: float = 150.0) -> Figure:
    """Draw the medians as a figure of its own; see ``draw_medians``."""
    height_mm = medians_height(measurements)
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), facecolor="white")
    left = 50 / width_mm
    axes = figure.add_axes((left, 9 / height_mm, 0.97 - left, 1 - 10 / height_mm))
    draw_medians(axes, measurements)
    return figure


def images_height(case: Case, width_mm: float) -> float:
    """Height in mm of the images at this width."""
    cell = _strip(case, width_mm).cell_mm
    return TOP_MM + FOOT_MM + ROWS * cell + (ROWS - 1) * GAP_MM


def draw_images(
    figure: Figure,
    place: tuple[float, float, float, float],
    case: Case,
    measurements: Measurements,
) -> None:
    """Draw diffusion, susceptibility, veins by region and SWI through the infarct core.

    Radiological display with letters; windows are fixed, so that cases compare.

    Parameters
    ----------
    figure : Figure
        Figure to draw into.
    place : tuple of float
        Left, top, width and height in mm, from the figure's top left corner.
    case : Case
        The measured case.
    measurements : Measurements
        Its table: side and guard of the regions.
    """
    left, top, width, height = place
    sheet = tuple(25.4 * float(n) for n in figure.get_size_inches())

    def box(x: float, y: float, w: float, h: float) -> tuple[float, float, float, float]:
        return x / sheet[0], 1 - (y + h) / sheet[1], w / sheet[0], h / sheet[1]

    strip = _strip(case, width)
    y = top + TOP_MM
    for i, row in enumerate(_rows(case, measurements)):
        axes = figure.add_axes(box(left + LEFT_MM, y, strip.width_mm, strip.cell_mm))
        shown = _draw_row(axes, strip, row)
        if i == 0:
            _plane_titles(axes, strip)
        middle = box(left, y + strip.cell_mm / 2, 0, 0)
        _row_title(figure, row.title, middle[0], middle[1])
        if row.bar and shown is not None:
            bar = box(left + LEFT_MM + strip.width_mm + 1.5, y + 3, 2.5, strip.cell_mm - 6)
            _colour_bar(figure, bar, shown)
        y += strip.cell_mm + GAP_MM
    _legend(figure, box(left, top + height - 5, width, 5))


def medians_height(measurements: Measurements) -> float:
    """Height in mm of the plot of the medians."""
    return 14.0 + 6.0 * max(len(_measured(measurements)), 1)


def draw_medians(axes: Axes, measurements: Measurements) -> None:
    """Draw the median of each region, its 95 % interval and its quartiles."""
    rows = _measured(measurements)
    for y, row in enumerate(rows):
        colour = REGION_COLOURS.get(row.region, "#a3a8ad")
        quartiles = (row.chi_q1_ppm, row.chi_q3_ppm, colour, 6.0)
        interval = (row.chi_median_ci_low_ppm, row.chi_median_ci_high_ppm, INK, 1.2)
        for low, high, ink, width in (quartiles, interval):
            if low is not None and high is not None:
                axes.hlines(y, low, high, color=ink, linewidth=width)
        if row.chi_median_ppm is not None:
            axes.plot([row.chi_median_ppm], [y], "o", color=INK, ms=3.5)
    axes.set_yticks(range(len(rows)), [REGIONS[row.region] for row in rows], fontsize=7.5)
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    label = "Vein susceptibility in ppm: median (dot), its 95 % interval (line), quartiles (bar)"
    axes.set_xlabel(label, fontsize=7, color=GREY)
    axes.tick_params(axis="x", labelsize=7)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e3e5e8", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if not rows:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "No region was measured.", transform=axes.transAxes, ha="center")


def png(figure: Figure, dpi: int = 160) -> bytes:
    """Render a figure; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _rows(case: Case, measurements: Measurements) -> list[Row]:
    infarct = _data(case, "infarct")
    chi = _within_brain(case, _data(case, "susceptibility"))
    dwi, dwi_title = _first(case, (("dwi_aligned", "DWI"), ("adc_aligned", "ADC")))
    swi, swi_title = _first(case, (("swi", "SWI"),))
    if swi is None:
        swi, swi_title = _first(case, (("magnitude", "Magnitude"),))
    veins = vein_regions(case, measurements.side, measurements.settings.guard)
    background = dwi if dwi is not None else chi
    lacking = "No diffusion image: infarct on susceptibility"
    return [
        Row(
            f"{dwi_title or 'Susceptibility'}\nwith infarct",
            background,
            _window(case, background) if dwi is not None else CHI_WINDOW_PPM,
            contour=infarct,
            lacking="" if dwi is not None else lacking,
        ),
        Row("Susceptibility", chi, CHI_WINDOW_PPM, bar=True),
        Row(f"Veins by region\n{SLAB_MM:g} mm slab", chi, CHI_WINDOW_PPM, "maximum", overlay=veins),
        Row(f"{swi_title or 'SWI'}\n{SLAB_MM:g} mm slab", swi, _window(case, swi), "minimum"),
    ]


def _data(case: Case, name: str) -> NDArray[Any] | None:
    volume = case.maps.get(name)
    if volume is None or case.grid.difference(volume.grid):
        return None
    return volume.data[..., -1] if volume.data.ndim == 4 else volume.data


def _within_brain(case: Case, chi: NDArray[Any] | None) -> NDArray[Any] | None:
    """Show what lies outside the brain as black, not as the grey of 0 ppm."""
    if chi is None:
        return None
    brain = _data(case, "brain")
    inside = chi != 0 if brain is None else brain != 0
    return np.where(inside, chi, np.float32(CHI_WINDOW_PPM[0]))


def _first(case: Case, wanted: tuple[tuple[str, str], ...]) -> tuple[NDArray[Any] | None, str]:
    for name, title in wanted:
        data = _data(case, name)
        if data is not None:
            return data, title
    return None, ""


def _window(case: Case, data: NDArray[Any] | None) -> tuple[float, float]:
    """Display range of an image without a physical unit: 1st to 99.5th percentile of the brain."""
    if data is None:
        return 0.0, 1.0
    brain = _data(case, "brain")
    values = data[brain != 0] if brain is not None and brain.any() else data[data != 0]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, (1, 99.5))
    return (0.0 if low > 0 else float(low)), float(high if high > low else low + 1)


def _draw_row(axes: Axes, strip: Strip, row: Row) -> AxesImage | None:
    """Draw the images of one row side by side on one pair of axes."""
    total, tallest = strip.starts[-1], strip.tallest
    axes.set_axis_off()
    axes.set_xlim(0, total)
    axes.set_ylim(0, tallest)
    shown: AxesImage | None = None
    for plane, start in zip(strip.planes, strip.starts, strict=False):
        _, width, _, height = strip.frame.extent(plane)
        ground = Rectangle((start, 0), width, tallest, color="black", linewidth=0, zorder=-1)
        axes.add_patch(ground)
        below = (tallest - height) / 2
        extent = (start, start + width, below, below + height)
        if row.data is None:
            _label(axes, start + width / 2, tallest / 2, "not in the case", "center")
            continue
        shown = _draw_image(axes, strip.frame, plane, row, extent)
        _label(axes, start + 0.02 * width, tallest / 2, "R", "left")
        _label(axes, start + 0.98 * width, tallest / 2, "L", "right")
    axes.set_xlim(0, total)
    axes.set_ylim(0, tallest)
    axes.set_aspect("auto")
    return shown


def _draw_image(axes: Axes, frame: Frame, plane: Plane, row: Row, extent: Extent) -> AxesImage:
    assert row.data is not None
    low, high = row.window
    shown = axes.imshow(
        frame.image(row.data, plane, row.reduction),
        cmap="gray",
        vmin=low,
        vmax=high,
        extent=extent,
        origin="lower",
        interpolation="nearest",
    )
    if row.overlay is not None:
        labels = frame.image(row.overlay, plane, "maximum")
        axes.imshow(
            np.ma.masked_equal(labels, 0),
            cmap=ListedColormap([*(REGION_COLOURS[n] for n in SHOWN_REGIONS), OTHER_COLOUR]),
            vmin=1,
            vmax=OTHER_VEINS,
            extent=extent,
            origin="lower",
            interpolation="nearest",
        )
    if row.contour is not None:
        _contour(axes, frame.image(row.contour, plane), extent)
    return shown


def _contour(axes: Axes, mask: NDArray[Any], extent: Extent) -> None:
    if not mask.any() or mask.all():
        return
    left, right, bottom, top = extent
    height, width = mask.shape
    x = left + (np.arange(width) + 0.5) * (right - left) / width
    y = bottom + (np.arange(height) + 0.5) * (top - bottom) / height
    inside = (mask != 0).astype(float)
    axes.contour(x, y, inside, levels=[0.5], colors=[INFARCT_COLOUR], linewidths=0.9)


def _label(axes: Axes, x: float, y: float, text: str, ha: str) -> None:
    axes.text(
        x,
        y,
        text,
        ha=ha,
        va="center",
        fontsize=7,
        color="white",
        path_effects=[withStroke(linewidth=1.5, foreground="black")],
    )


def _plane_titles(axes: Axes, strip: Strip) -> None:
    for plane, start in zip(strip.planes, strip.starts, strict=False):
        middle = start + strip.frame.extent(plane)[1] / 2
        above = strip.tallest * (1 + 1.2 / strip.cell_mm)
        axes.text(middle, above, plane.title, ha="center", va="bottom", fontsize=7, color=GREY)


def _row_title(figure: Figure, text: str, x: float, y: float) -> None:
    figure.text(x, y, text, rotation=90, ha="left", va="center", fontsize=7, color=INK)


def _colour_bar(figure: Figure, place: tuple[float, float, float, float], shown: AxesImage) -> None:
    bar = figure.add_axes(place)
    figure.colorbar(shown, cax=bar)
    bar.tick_params(labelsize=6, length=2, pad=1.5, colors=INK)
    bar.set_title("ppm", fontsize=6.5, color=INK, pad=5, loc="left")


def _legend(figure: Figure, place: tuple[float, float, float, float]) -> None:
    colours = [(REGIONS[n], REGION_COLOURS[n]) for n in SHOWN_REGIONS]
    named = [(f"Veins: {title}", colour) for title, colour in colours]
    patches = [
        Patch(facecolor=colour, edgecolor=INK, linewidth=0.4, label=title)
        for title, colour in [*named, ("Other veins", OTHER_COLOUR)]
    ]
    outline = Patch(facecolor="none", edgecolor=INFARCT_COLOUR, linewidth=1.2, label="Infarct")
    figure.legend(
        handles=[*patches, outline],
        loc="center",
        ncols=5,
        frameon=False,
        fontsize=6.5,
        handlelength=1.2,
        columnspacing=1.3,
        bbox_to_anchor=place,
        borderaxespad=0.0,
    )


def _strip(case: Case, width_mm: float) -> Strip:
    frame, planes = frame_of(case), planes_of(case)
    widths = [frame.extent(p)[1] for p in planes]
    tallest = max(frame.extent(p)[3] for p in planes)
    room = width_mm - LEFT_MM - RIGHT_MM
    gap = GAP_MM * sum(widths) / (room - GAP_MM * (len(planes) - 1))
    starts = [sum(widths[:i]) + gap * i for i in range(len(planes))]
    total = starts[-1] + widths[-1]
    return Strip(frame, tuple(planes), (*starts, total), tallest, room, tallest * room / total)


def _measured(measurements: Measurements) -> list[RegionRow]:
    return [row for row in measurements.rows if row.chi_median_ppm is not None]
