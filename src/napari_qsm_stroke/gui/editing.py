"""Hand edits on the layer of a mask, with napari's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray


def take(viewer: ViewerModel, layer: Labels, mode: str) -> None:
    """Make the mask the active layer, visible, and take a tool into the hand."""
    layer.visible = True
    viewer.layers.selection.active = layer
    layer.selected_label = max(1, layer.selected_label)
    layer.mode = mode


def set_brush(layer: Labels, millimetres: float, ball: bool) -> None:
    """Set the diameter of the brush in mm, round in the slice or a ball.

    napari counts the brush in voxels of the finest axis.
    """
    layer.brush_size = max(1, round(millimetres / min(layer.scale)))
    layer.n_edit_dimensions = 3 if ball else 2


def slice_of(data: NDArray[Any], axis: int, here: int, step: int) -> int | None:
    """Index of the next (1) or last (-1) slice with a mask, or of the fullest (0)."""
    count = np.count_nonzero(data, axis=tuple(i for i in range(data.ndim) if i != axis))
    if step == 0:
        return int(count.argmax()) if count.any() else None
    filled = np.flatnonzero(count)
    beyond = filled[filled > here] if step > 0 else filled[filled < here][::-1]
    return int(beyond[0]) if beyond.size else None
