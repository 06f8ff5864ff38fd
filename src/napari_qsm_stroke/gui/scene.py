"""The layers of the open case: they follow the session, and hand edits follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psygnal
from napari.layers import Labels, Layer
from qtpy.QtCore import QObject, QTimer

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.gui import editing, layers
from napari_qsm_stroke.session import EDITABLE

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.session import Session

STROKE_SETTLES_MS = 40


class Scene(QObject):
    """Keeps the layers of a viewer and the maps of a session the same.

    Layers are known by the role in their metadata, never by their name: the user may rename them.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layers live.
    session : Session
        The case that is open.

    Attributes
    ----------
    shown : Signal
        Emitted when a layer of the case came or was replaced, or another tool is in the hand.
    """

    shown = psygnal.Signal()

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        super().__init__()
        self._viewer = viewer
        self._session = session
        self._echo = 0
        self._opened: Case | None = None
        self._asked: set[str] = set()
        self._wanted: list[str] = []
        self._touched: set[str] = set()
        self._drawn_on: dict[str, Volume] = {}
        self._adding = QTimer(self, singleShot=True, interval=0)
        self._adding.timeout.connect(self._update_one)
        self._strokes = QTimer(self, singleShot=True, interval=STROKE_SETTLES_MS)
        self._strokes.timeout.connect(self.collect)
        session.changed.connect(self._follow)
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.selection.events.active.connect(self._announce)
        for layer in list(viewer.layers):
            self._adopt(layer)

    # -- layers of the case ------------------------------------------------------------------

    def layer(self, name: str) -> Layer | None:
        """Layer that shows a quantity of the open case, or None."""
        return next((layer for layer in self._viewer.layers if layers.role(layer) == name), None)

    def mask(self, name: str) -> Labels | None:
        """Layer of a mask that the user can draw in, or None."""
        layer = self.layer(name)
        return layer if isinstance(layer, Labels) else None

    @property
    def echo(self) -> int:
        """Index of the echo that is shown."""
        return self._echo

    @echo.setter
    def echo(self, index: int) -> None:
        self._echo = index
        case = self._session.case
        if case is not None:
            shown = [n for n, v in case.maps.items() if v.data.ndim == 4 and self.layer(n)]
            self._want(shown)

    def show(self, name: str) -> None:
        """Give a map of the case a layer and make it visible."""
        self._asked.add(name)
        self._want([name])
        self.flush()
        layer = self.layer(name)
        if layer is not None:
            layer.visible = True
            self._viewer.layers.selection.active = layer

    def images(self) -> list[str]:
        """Maps of the open case that can lie under the masks."""
        case = self._session.case
        if case is None:
            return []
        known = [n for n, style in layers.LOOKS.items() if style.kind == "image"]
        return [n for n in known if n in case.maps]

    def image_on_top(self) -> str | None:
        """Map that is seen under the masks."""
        shown = [
            name
            for layer in self._viewer.layers
            if layer.visible and (name := layers.role(layer)) and layers.look(name).kind == "image"
        ]
        return shown[-1] if shown else None

    def show_image(self, name: str) -> None:
        """Show this map under the masks and hide the other maps of the case."""
        active = self._viewer.layers.selection.active
        self.show(name)
        for layer in self._viewer.layers:
            other = layers.role(layer)
            if other and layers.look(other).kind == "image":
                layer.visible = other == name
        if isinstance(active, Labels):
            self._viewer.layers.selection.active = active  # the tool stays in the hand
        self.shown.emit()

    def flush(self) -> None:
        """Bring every layer up to date now."""
        while self._wanted:
            self._update_one()

    def set_mask(self, name: str, mask: NDArray[Any]) -> int:
        """Change a mask as one step that the layer's own undo takes back.

        Parameters
        ----------
        name : str
            Quantity of the mask.
        mask : ndarray of shape (X, Y, Z)
            What it becomes.

        Returns
        -------
        int
            Number of voxels that changed.
        """
        layer = self.mask(name)
        if layer is None:
            raise InputError(name, "has no layer to draw in.", "Open the mask first.")
        shown = layers.to_display(mask)
        where = np.nonzero(layer.data != shown)
        if where[0].size:
            layer.data_setitem(where, shown[where])
        return int(where[0].size)

    def new_mask(self, name: str) -> Labels:
        """Give the case an empty mask to draw; it counts once something is drawn."""
        case = self._session.case
        if case is None:
            raise MissingError("Case", "none is open.", "Open a case first.")
        empty = Volume(np.zeros(case.grid.shape, np.uint8), case.grid)
        self._insert(name, empty)
        layer = self.mask(name)
        assert layer is not None
        return layer

    def jump(self, name: str, step: int) -> None:
        """Show the next slice that a mask reaches into, the last one, or (0) the fullest."""
        layer = self.mask(name)
        if layer is None:
            return
        dims = self._viewer.dims
        axis = dims.order[dims.ndim - 3]
        own = axis - (dims.ndim - 3)
        origin, size = float(layer.translate[own]), float(layer.scale[own])
        here = round((dims.point[axis] - origin) / size)
        target = editing.slice_of(layer.data, own, here, step)
        if target is not None:
            dims.set_point(axis, origin + size * target)

    def collect(self) -> None:
        """Take what was drawn since the last time into the session.

        Strokes lie on top of what the session has now: a script or a run may have changed it since
        the layer was brought up to date.
        """
        self._strokes.stop()
        touched, self._touched = self._touched, set()
        for name in touched:
            layer, case = self.mask(name), self._session.case
            if layer is None or case is None:
                continue
            drawn = layers.from_display(layer.data)
            base, now = self._drawn_on.get(name), case.maps.get(name)
            if base is None or base is now:
                self._session.edit(name, drawn)
                self._note(name)
            else:
                under = now.data if now is not None else np.zeros_like(drawn)
                self._session.edit(name, np.where(drawn != base.data, drawn, under))
                if name in self._session.case.maps:  # else nothing was drawn on what is gone
                    self._update(layer, name)

    # -- session to layers -------------------------------------------------------------------

    def _follow(self, names: frozenset[str]) -> None:
        if names & self._touched and "case" not in names:
            self.collect()
        case = self._session.case
        if case is None:
            return
        if "case" in names:
            self._touched.clear()  # was drawn on the case that was open before
            self._drawn_on = {n: case.maps[n] for n in EDITABLE if n in case.maps}
            self._drop_others()
        for layer in list(self._viewer.layers):
            name = layers.role(layer)
            if name in names and name not in case.maps:
                self._viewer.layers.remove(layer)
        self._want([n for n in layers.LOOKS if n in names & set(case.maps)])

    def _drop_others(self) -> None:
        """Remove the layers of the case that was open before."""
        case = self._session.case
        assert case is not None
        for layer in list(self._viewer.layers):
            name = layers.role(layer)
            came_with = layers.case_of(layer)
            if name and came_with is not case:
                self._viewer.layers.remove(layer)

    # -- one layer -----------------------------------------------------------------------------

    def _want(self, names: list[str]) -> None:
        """Update these layers, one in each turn of the event loop: adding one takes a while."""
        self._wanted += [n for n in names if n not in self._wanted]
        if self._wanted:
            self._adding.start()

    def _update_one(self) -> None:
        name = self._wanted.pop(0) if self._wanted else None
        if name in self._touched:
            self.collect()
        case = self._session.case
        if name is not None and case is not None and name in case.maps:
            layer = self.layer(name)
            if layer is not None:
                self._update(layer, name)
            elif name in layers.SHOWN or name in self._asked:
                self._insert(name, case.maps[name])
            self.shown.emit()
        if self._wanted:
            self._adding.start()

    def _insert(self, name: str, volume: Volume) -> None:
        layer = Layer.create(*layers.layer_data(name, volume, echo=self._echo))
        if name in EDITABLE:
            self._drawn_on[name] = volume
        order = list(layers.LOOKS)
        rank = order.index(name) if name in order else -1
        above = [
            i
            for i, other in enumerate(self._viewer.layers)
            if (role := layers.role(other)) in order and order.index(role) > rank
        ]
        self._viewer.layers.insert(min(above, default=len(self._viewer.layers)), layer)

    def _update(self, layer: Layer, name: str) -> None:
        case = self._session.case
        assert case is not None
        data, attributes, _ = layers.layer_data(name, case.maps[name], echo=self._echo)
        if not isinstance(layer, Labels):
            layer.data = data
        elif layer.data.shape == data.shape and name in case.given:
            self.set_mask(name, layers.from_display(data))
        elif layer.data.shape != data.shape or (layer.data != data).any():
            layer.data = data
            layer.editable = False  # forgets the strokes on the old mask: undo would punch holes
            layer.editable = True
        came_with = layers.case_of(layer)
        layer.metadata = {**layer.metadata, **attributes["metadata"]}
        if came_with is not None:
            layer.metadata[layers.KEY]["case"] = came_with
        layer.scale, layer.translate = attributes["scale"], attributes["translate"]
        self._note(name)

    def _note(self, name: str) -> None:
        """Note that the layer of a mask shows what the session has."""
        case = self._session.case
        if case is not None and name in EDITABLE and name in case.maps:
            self._drawn_on[name] = case.maps[name]

    # -- layers to session -------------------------------------------------------------------

    def _inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _announce(self, _event: Any) -> None:
        self.shown.emit()

    def _removed(self, _event: Any) -> None:
        """Bring nothing back where the viewer was emptied: so it is when the window closes."""
        if not self._viewer.layers:
            self._wanted.clear()
            self._adding.stop()

    def _adopt(self, layer: Layer) -> None:
        """Open the case that comes with a layer; follow the strokes into a mask."""
        if isinstance(layer, Labels) and layers.role(layer) in EDITABLE:
            layer.events.paint.connect(self._drawn)
            layer.events.set_data.connect(self._drawn)  # undo and redo emit nothing else
            layer.events.mode.connect(self._announce)
            layer.contour = layers.look(layers.role(layer) or "").contour
        case = layers.case_of(layer)
        if case is not None and case is not self._opened:
            self._opened = case
            self._session.open(case)

    def _drawn(self, event: Any) -> None:
        name = layers.role(event.source)
        if name is not None:
            self._touched.add(name)
            self._strokes.start()
