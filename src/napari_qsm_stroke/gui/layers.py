"""How each quantity looks as a napari layer, and where it lies.

Layers carry (S, A, R) arrays: the transpose of the canonical (X, Y, Z) data, with positive scale
and translate in mm. A rotation in the affine of a layer would be drawn and painted wrongly, so
the tilt of an oblique slab stays in the Volume; the layer is the slab set upright at its centre.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.quantities import EXCLUDED, LABELS

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case

# napari silences this itself while it makes a Labels layer, but filters belong to the process: a
# thread that compiles kernels meanwhile takes napari's away, and the reader is told of colours
warnings.filterwarnings("ignore", "Conversion from CIE-LAB", UserWarning)

KEY = "napari-qsm-stroke"
AXES = ("S", "A", "R")
UNITS = ("mm", "mm", "mm")
VEINS, CORE, BRAIN = "#00e5ff", "#ff5a3c", "#ffe14d"
ARTERY_COLOURS = {"ACA": "#66c2a5", "MCA": "#fc8d62", "PCA": "#8da0cb", "VB": "#e78ac3"}


@dataclass(frozen=True)
class Look:
    """How a quantity is shown."""

    title: str
    kind: Literal["image", "labels"] = "image"
    colormap: str = "gray"
    limits: tuple[float, float] | None = None
    percentiles: tuple[float, float] = (1.0, 99.5)
    colours: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Of the labels from 1 on, for the line below the image."""
    opacity: float = 1.0
    contour: int = 0
    visible: bool = False


LOOKS: dict[str, Look] = {
    "magnitude": Look("Magnitude", visible=True),
    "phase": Look("Phase", limits=(-np.pi, np.pi)),
    "dwi": Look("DWI (not aligned)"),
    "b0": Look("b0 (not aligned)"),
    "adc": Look("ADC (not aligned)"),
    "flair": Look("FLAIR (not aligned)"),
    "t1w": Look("T1 (not aligned)"),
    "dwi_aligned": Look("DWI"),
    "adc_aligned": Look("ADC"),
    "dwi_placed": Look("DWI as taken"),
    "adc_placed": Look("ADC as taken"),
    "swi": Look("SWI"),
    "r2star": Look("R2*", limits=(0.0, 60.0)),
    "total_field": Look("Total field", limits=(-0.5, 0.5)),
    "local_field": Look("Local field", limits=(-0.05, 0.05)),
    "field_noise": Look("Field noise"),
    "phase_quality": Look("Phase quality", limits=(0.0, 1.0)),
    "susceptibility": Look("Susceptibility", limits=(-0.1, 0.2), visible=True),
    "territories": Look(
        "Arterial territories",
        "labels",
        colours=tuple(ARTERY_COLOURS[artery] for artery, _ in LABELS.values()),
        names=tuple(f"{artery} {side}" for artery, side in LABELS.values()),
        opacity=0.25,
    ),
    "excluded": Look(
        "Left out of the veins",
        "labels",
        colours=("#4477aa", "#66ccee", "#cc3311", "#bbbbbb", "#ccbb44"),
        names=tuple(EXCLUDED.values()),
        opacity=0.5,
    ),
    "field_mask": Look("Valid local field", "labels", colours=("#b0b0b0",), contour=1),
    "brain": Look("Brain mask", "labels", colours=(BRAIN,), contour=1, opacity=0.8),
    "infarct": Look("Infarct core", "labels", colours=(CORE,), contour=1, visible=True),
    "veins": Look("Veins", "labels", colours=(VEINS,), opacity=0.6, visible=True),
}
"""Looks in the order of the layers, from the bottom up."""
SHOWN = ("magnitude", "susceptibility", "infarct", "veins")
"""What gets a layer by itself. All else is shown on demand: each layer slows the canvas down."""


def look(name: str) -> Look:
    """How a quantity is shown; a plain grey image where nothing else is said."""
    return LOOKS.get(name, Look(name.replace("_", " ").capitalize()))


def geometry(grid: Grid) -> dict[str, Any]:
    """Place of a grid as napari takes it: S, A, R axes in mm, never turned."""
    scale = np.array(grid.voxel_size[::-1])
    half = (np.array(grid.shape[::-1]) - 1) / 2
    centre = grid.affine @ np.array([*(half[::-1]), 1.0])
    translate = centre[2::-1] - scale * half
    return {
        "scale": tuple(scale.tolist()),
        "translate": tuple(translate.tolist()),
        "units": UNITS,
        "axis_labels": AXES,
    }


def to_display(data: NDArray[Any]) -> NDArray[Any]:
    """(X, Y, Z) data as a layer carries them."""
    return data.T


def from_display(data: NDArray[Any]) -> NDArray[Any]:
    """Data of a layer as the program takes them, (X, Y, Z)."""
    return data.T


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Tell whether two masks are equal."""
    return bool(np.array_equal(one, other))


def metadata(name: str, volume: Volume, case: Case | None = None) -> dict[str, Any]:
    """Return what a layer remembers of the volume that it shows."""
    facts: dict[str, Any] = {"role": name, "grid": volume.grid, "unit": volume.unit}
    if case is not None:
        facts["case"] = case
    return {KEY: facts}


def role(layer: Layer) -> str | None:
    """Quantity that a layer shows, or None where it is not one of ours."""
    return layer.metadata.get(KEY, {}).get("role")


def case_of(layer: Layer) -> Case | None:
    """Case that came with a layer (sample data, a BIDS folder), or None."""
    return layer.metadata.get(KEY, {}).get("case")


def volume_of(data: NDArray[Any], meta: dict[str, Any]) -> Volume:
    """Data of a layer with their true place, from its metadata or else from its scale.

    Parameters
    ----------
    data : ndarray of shape (S, A, R)
        As the layer carries them.
    meta : dict
        Attributes of the layer: ``metadata``, ``scale``, ``translate``.
    """
    facts = meta.get("metadata", {}).get(KEY, {})
    array = from_display(np.asarray(data))
    grid = facts.get("grid")
    if grid is None or grid.shape != array.shape[:3]:
        scale = np.asarray(meta.get("scale", np.ones(3)), float)[-3:]
        translate = np.asarray(meta.get("translate", np.zeros(3)), float)[-3:]
        affine = np.diag([*scale[::-1], 1.0])
        affine[:3, 3] = translate[::-1]
        grid = Grid(array.shape[:3], affine)
    return Volume(array, grid, facts.get("unit", ""), str(meta.get("name", "layer")))


def window(data: NDArray[Any], style: Look) -> tuple[float, float]:
    """Contrast limits: those of the quantity, or percentiles of what is not zero."""
    if style.limits is not None:
        return style.limits
    step = tuple(slice(None, None, max(1, n // 48)) for n in data.shape)
    some = np.asarray(data[step], dtype=np.float32)
    some = some[np.isfinite(some) & (some != 0)]
    if some.size == 0:
        return (0.0, 1.0)
    low, high = np.percentile(some, style.percentiles)
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def colours(style: Look) -> CyclicLabelColormap:
    """Colours of a mask by label.

    A DirectLabelColormap would look the same, but napari 0.9 compiles its lookup with numba on
    first use: the window would stand still for seconds.
    """
    return CyclicLabelColormap(colors=["transparent", *(style.colours or ("#ffffff",))])


def layer_data(
    name: str, volume: Volume, *, echo: int = 0, case: Case | None = None, title: str = ""
) -> tuple[NDArray[Any], dict[str, Any], str]:
    """Layer of a volume as napari takes it: data, attributes and type.

    Parameters
    ----------
    name : str
        Quantity.
    volume : Volume
        Of echoes, one is shown.
    echo : int
        Index of that echo.
    case : Case, optional
        Travels with the layer, so that the panels can take it up.
    title : str
        Name of the layer; the quantity's own by default.
    """
    style = look(name)
    data = volume.data[..., min(echo, volume.data.shape[3] - 1)] if volume.data.ndim == 4 else None
    shown = to_display(volume.data if data is None else data)
    attributes: dict[str, Any] = {
        "name": title or style.title,
        "metadata": metadata(name, volume, case),
        "visible": style.visible,
        "opacity": style.opacity,
        **geometry(volume.grid),
    }
    if style.kind == "labels":
        attributes |= {"colormap": colours(style)}
        if style.names:
            names = ["", *style.names]
            attributes["features"] = {"index": list(range(len(names))), "name": names}
        return np.array(shown, dtype=np.uint8, order="C"), attributes, "labels"
    if np.iscomplexobj(shown):
        shown = np.abs(shown)
    shown = np.asarray(shown, dtype=np.float32)
    attributes |= {"colormap": style.colormap, "contrast_limits": window(shown, style)}
    return shown, attributes, "image"
