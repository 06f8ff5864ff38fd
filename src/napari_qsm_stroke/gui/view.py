"""Planes and sides: axial, coronal, sagittal; radiological display; letters at the four edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari.components.overlays import TextOverlay

from napari_qsm_stroke.case.provenance import INTENDED_USE

if TYPE_CHECKING:
    from napari.components import ViewerModel

Plane = Literal["axial", "coronal", "sagittal"]
PLANES: dict[str, tuple[int, int, int]] = {
    "axial": (0, 1, 2),
    "coronal": (1, 0, 2),
    "sagittal": (2, 0, 1),
}
"""Order of the (S, A, R) axes: the first is sliced."""
LETTERS = (("S", "I"), ("A", "P"), ("R", "L"))
"""What lies at the growing and at the falling end of each axis."""
RADIOLOGICAL = ("away", "up", "left")
NEUROLOGICAL = ("towards", "up", "right")
EDGES = {
    "top": "top_center",
    "bottom": "bottom_center",
    "left": "middle_left",
    "right": "middle_right",
}


class View:
    """Orientation of the canvas of one viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Its camera is set to the radiological display.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        for edge, position in EDGES.items():
            viewer.canvas.overlays[f"qsm_stroke_{edge}"] = TextOverlay(
                position=position, font_size=16, color="#ffd166", box=False, visible=True
            )
        viewer.canvas.overlays["qsm_stroke_use"] = TextOverlay(
            text="Research use only.\nNot a medical device.",  # short of the letter beside it
            position="top_left",
            font_size=8,
            color="#9aa0a6",
            box=False,
            visible=True,
        )
        viewer.canvas.overlays.scale_bar.visible = True
        self.radiological = True
        self._fitted: tuple[float, tuple[float, ...]] | None = None
        viewer.canvas.events.size.connect(self._resized)
        viewer.dims.events.order.connect(self._label)
        viewer.dims.events.ndisplay.connect(self._label)
        viewer.scene.camera.events.orientation.connect(self._label)
        self._label()

    @property
    def radiological(self) -> bool:
        """Whether the patient's right is on the left of the screen."""
        return str(self._viewer.scene.camera.orientation[2]) == "left"

    @radiological.setter
    def radiological(self, on: bool) -> None:
        self._viewer.scene.camera.orientation = RADIOLOGICAL if on else NEUROLOGICAL

    @property
    def plane(self) -> str | None:
        """Name of the plane that is shown, or None where it is none of the three."""
        order = tuple(self._axes())
        return next((name for name, axes in PLANES.items() if axes == order), None)

    @plane.setter
    def plane(self, name: Plane) -> None:
        dims = self._viewer.dims
        extra = dims.ndim - 3
        dims.ndisplay = 2
        dims.order = (*range(extra), *(extra + axis for axis in PLANES[name]))
        self._fit()

    @property
    def axis(self) -> int:
        """Axis (X, Y, Z) that the shown slices lie across."""
        return 2 - self._axes()[0]

    def title(self, key: str | None) -> None:
        """Say in the title bar which case is open and what the program is for."""
        use = INTENDED_USE.split(". Check")[0]
        self._viewer.title = f"QSM Stroke - {key} - {use}" if key else f"QSM Stroke - {use}"

    def letters(self) -> dict[str, str]:
        """Return which side of the patient lies at each edge of the canvas."""
        axes = self._axes()
        if self._viewer.dims.ndisplay != 2 or len(axes) < 3:
            return dict.fromkeys(EDGES, "")
        _, vertical, horizontal = (str(o) for o in self._viewer.scene.camera.orientation)
        up, down = LETTERS[axes[-2]][:: 1 if vertical == "up" else -1]
        right, left = LETTERS[axes[-1]][:: 1 if horizontal == "right" else -1]
        return {"top": up, "bottom": down, "left": left, "right": right}

    def _axes(self) -> list[int]:
        """Axes in the order of the canvas, counted among the last three (S, A, R)."""
        extra = self._viewer.dims.ndim - 3
        return [axis - extra for axis in self._viewer.dims.order if axis >= extra]

    def _fit(self) -> None:
        self._viewer.reset_view()
        camera = self._viewer.scene.camera
        self._fitted = (camera.zoom, camera.center)

    def _resized(self) -> None:
        """Fit the slice into a window of another size, unless the reader has zoomed or moved it."""
        camera = self._viewer.scene.camera
        if (camera.zoom, camera.center) == self._fitted and self._viewer.dims.ndisplay == 2:
            self._fit()

    def _label(self) -> None:
        for edge, letter in self.letters().items():
            self._viewer.canvas.overlays[f"qsm_stroke_{edge}"].text = letter
