"""Hand edits on the layer of a mask, with napari's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

CLICK_PIXELS = 3


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


class ClickTool:
    """Tells which voxel of a mask was clicked; a drag still moves the image.

    Parameters
    ----------
    clicked : callable
        Takes the index of the voxel as (X, Y, Z).
    """

    def __init__(self, clicked: Callable[[tuple[int, int, int]], None]) -> None:
        self._clicked = clicked
        self._layer: Labels | None = None
        self.tool = ""

    def take(self, layer: Labels, tool: str) -> None:
        """Listen to clicks on the layer of this mask, instead of drawing."""
        self.drop()
        self.tool = tool
        layer.mode = "pan_zoom"
        layer.mouse_drag_callbacks.append(self._press)
        self._layer = layer

    def drop(self) -> None:
        """Listen no more."""
        if self._layer is not None and self._press in self._layer.mouse_drag_callbacks:
            self._layer.mouse_drag_callbacks.remove(self._press)
        self._layer = None
        self.tool = ""

    def _press(self, layer: Labels, event: Any) -> Generator[None, None, None]:
        start = np.asarray(event.pos)
        moved = 0.0
        yield
        while event.type == "mouse_move":
            moved = max(moved, float(np.abs(np.asarray(event.pos) - start).max()))
            yield
        if moved <= CLICK_PIXELS and str(layer.mode) == "pan_zoom":
            s, a, r = (round(v) for v in layer.world_to_data(event.position)[-3:])
            self._clicked((r, a, s))
