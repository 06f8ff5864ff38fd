"""Correct masks: draw where you look, on the mask's own layer, with napari's own tools."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
)

from napari_qsm_stroke.core.masks import edit
from napari_qsm_stroke.errors import InputError, QsmStrokeError
from napari_qsm_stroke.gui import editing
from napari_qsm_stroke.gui.layers import from_display, look, same, to_display
from napari_qsm_stroke.gui.panels.panel import Panel, heading, note
from napari_qsm_stroke.session import EDITABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke.core.progress import Progress
    from napari_qsm_stroke.core.quantities import ByteArray

    Change = Callable[[ByteArray], ByteArray]

TOOLS = (
    ("paint", "Paint", "Draw with the left button (2)"),
    ("erase", "Erase", "Take away (1)"),
    ("fill", "Fill", "Fill what is enclosed in this slice (4)"),
    ("pan_zoom", "Move", "Move and zoom without drawing (Z)"),
)


PART_TOOLS = (
    ("remove_part", "Remove part", "Click on a part of the mask: it goes"),
    ("keep_part", "Keep part", "Click on a part of the mask: all others go"),
)
PARTS = {key for key, _, _ in PART_TOOLS}
NEIGHBOUR = "Show the next slice that the mask reaches into"
SPECK_MM3 = 10.0


class CorrectPanel(Panel):
    """The dock Correct masks."""

    TITLE = "Correct masks"
    TAB = "Correct"
    HINT = "Choose a mask, then draw on the image. The table follows each stroke."

    def build(self) -> None:
        """Add the mask, the tools and the ways back."""
        self.masks = QComboBox()
        for name in EDITABLE:
            self.masks.addItem(look(name).title, name)
        self.masks.currentIndexChanged.connect(self._choose)
        self.body.addWidget(self.masks)
        self.state = note("")
        self.body.addWidget(self.state)
        self._build_tools()
        self._build_whole()
        self._build_display()
        self._build_verdict()
        self.ears.listen(self.bench.scene.shown, self._show_tool)

    def _build_tools(self) -> None:
        self.body.addWidget(heading("Draw"))
        grid = QGridLayout()
        self.tools: dict[str, QPushButton] = {}
        for index, (mode, title, tip) in enumerate(TOOLS):
            button = QPushButton(title)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setMinimumWidth(56)
            button.clicked.connect(lambda _on, m=mode: self.use(m))
            grid.addWidget(button, 0, index)
            self.tools[mode] = button
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.undo_button.setToolTip("Take back the last stroke on this mask (Ctrl+Z)")
        self.redo_button.setToolTip("Draw it again (Ctrl+Shift+Z)")
        self.undo_button.clicked.connect(lambda: self._on_layer("undo"))
        self.redo_button.clicked.connect(lambda: self._on_layer("redo"))
        grid.addWidget(self.undo_button, 1, 0, 1, 2)
        grid.addWidget(self.redo_button, 1, 2, 1, 2)
        self.body.addLayout(grid)
        row = QHBoxLayout()
        self.brush = QSlider(Qt.Orientation.Horizontal)
        self.brush.setRange(1, 40)
        self.brush.setValue(4)
        self.brush.valueChanged.connect(self._set_brush)
        self.brush_label = QLabel()
        self._tell_brush()
        row.addWidget(QLabel("Brush"))
        row.addWidget(self.brush, 1)
        row.addWidget(self.brush_label)
        self.body.addLayout(row)
        self.ball = QCheckBox("Draw in neighbouring slices too (ball)")
        self.ball.toggled.connect(lambda _on: self._set_brush())
        self.body.addWidget(self.ball)

    def _build_whole(self) -> None:
        self.body.addWidget(heading("Whole mask"))
        grid = QGridLayout()
        self.distance = QDoubleSpinBox()
        self.distance.setRange(0.1, 20.0)
        self.distance.setValue(1.0)
        self.distance.setSingleStep(0.5)
        self.distance.setSuffix(" mm")
        self.distance.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        grid.addWidget(self.distance, 0, 0)
        self.whole: list[QPushButton] = []
        for place, (title, tip, change) in {
            (0, 1): ("Grow", "Add a margin", self._grow),
            (0, 2): ("Shrink", "Take a margin away", self._shrink),
            (1, 0): ("Fill holes", "Fill what the mask shuts in", self._fill_holes),
            (1, 1): ("Fill between", "Fill empty slices between drawn ones", self._fill_between),
            (1, 2): ("Drop specks", "Take away parts below 10 mm3", self._drop_specks),
        }.items():
            button = QPushButton(title)
            button.setToolTip(tip)
            button.clicked.connect(lambda _on, c=change, t=title: self.transform(t, c()))
            grid.addWidget(button, *place)
            self.whole.append(button)
        for column, (key, title, tip) in enumerate(PART_TOOLS):
            button = QPushButton(title)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(lambda _on, k=key: self.use(k))
            grid.addWidget(button, 2, column)
            self.tools[key] = button
            self.whole.append(button)
        self.body.addLayout(grid)
        self._click = editing.ClickTool(self._part_clicked)

    def _build_display(self) -> None:
        self.body.addWidget(heading("Look"))
        row = QHBoxLayout()
        self.outline = QCheckBox("Outline")
        self.outline.toggled.connect(self._set_outline)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(5, 100)
        self.opacity.valueChanged.connect(self._set_opacity)
        row.addWidget(self.outline)
        row.addWidget(QLabel("Opacity"))
        row.addWidget(self.opacity, 1)
        self.body.addLayout(row)
        jumps = QHBoxLayout()
        for title, step in (("< Slice", -1), ("Largest", 0), ("Slice >", 1)):
            button = QPushButton(title)
            button.setToolTip("Show the slice with most of the mask" if step == 0 else NEIGHBOUR)
            button.clicked.connect(lambda _on, s=step: self._jump(s))
            jumps.addWidget(button)
        self.body.addLayout(jumps)

    def _build_verdict(self) -> None:
        self.body.addWidget(heading("Proposal"))
        row = QHBoxLayout()
        self.accept_button = QPushButton("Accept")
        self.accept_button.setToolTip("No later run replaces the mask")
        self.accept_button.clicked.connect(self._accept)
        self.reset_button = QPushButton("Back to proposal")
        self.reset_button.clicked.connect(self._reset)
        row.addWidget(self.accept_button)
        row.addWidget(self.reset_button)
        self.body.addLayout(row)

    # -- what is chosen ----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Quantity of the chosen mask."""
        return str(self.masks.currentData())

    def use(self, mode: str) -> None:
        """Take one of napari's tools into the hand, on the layer of the chosen mask."""
        layer = self._layer()
        if layer is None:
            return
        self._click.drop()
        part = mode in PARTS
        editing.take(self.bench.viewer, layer, "pan_zoom" if part else mode)
        if part:
            self._click.take(layer, mode)
            self.say("Click on a part of the mask.")
        self._set_brush()
        self._show_tool()

    def _layer(self) -> Any:
        self.bench.scene.flush()
        case = self.session.case
        if case is None:
            self.say("Open a case first.", "warn")
            return None
        if self.bench.scene.mask(self.name) is None and self.name in case.maps:
            self.bench.scene.show(self.name)
        return self.bench.scene.mask(self.name) or self.bench.scene.new_mask(self.name)

    def refresh(self, names: frozenset[str]) -> None:
        """Tell how the mask came about and what can be done with it."""
        if names and not names & {"case", "job", self.name}:
            return
        case = self.session.case
        there = case is not None and self.name in case.maps
        self.state.setText(self._origin())
        self.accept_button.setEnabled(there and case is not None and self.name not in case.given)
        self.reset_button.setEnabled(self.session.can_reset(self.name))
        for button in (*self.tools.values(), self.undo_button, self.redo_button):
            button.setEnabled(case is not None)
        binary = case is not None and look(self.name).colours[1:] == ()
        for button in self.whole:
            button.setEnabled(binary and not self.working)
        self._show_tool()

    def _show_tool(self) -> None:
        """Show what is in the hand, whoever put it there, and how the mask is drawn."""
        layer = self.bench.scene.mask(self.name)
        active = layer is not None and self.bench.viewer.layers.selection.active == layer
        in_hand = (self._click.tool or str(layer.mode)) if active else ""
        for name, button in self.tools.items():
            button.setChecked(name == in_hand)
        if layer is None:
            return
        with QSignalBlocker(self.opacity), QSignalBlocker(self.outline):
            self.opacity.setValue(round(100 * layer.opacity))
            self.outline.setChecked(bool(layer.contour))

    def _origin(self) -> str:
        case = self.session.case
        if case is None or self.name not in case.maps:
            return "Not there yet: reconstruct the case, or draw it."
        if self.name in self.session.edited:
            return "Changed by hand."
        records = case.made_by(self.name)
        if not records:
            return "Loaded."
        last = records[-1]
        proposed = f"Proposed by {last.what.replace('_', ' ')}."
        made = {"run": proposed, "load": "Loaded from a file."}
        return made.get(last.action, f"By hand: {last.note or 'corrected'}.")

    def _choose(self, _index: int) -> None:
        mode = next((m for m, b in self.tools.items() if b.isChecked()), None)
        case = self.session.case
        if mode and case is not None:
            self.use(mode)
        elif case is not None and self.name in case.maps:
            self.bench.scene.show(self.name)
        self.refresh(frozenset())

    # -- the whole mask ----------------------------------------------------------------------

    def transform(self, title: str, change: Callable[[ByteArray], ByteArray]) -> None:
        """Change the whole mask in the background, as one step that Undo takes back."""
        layer = self._layer()
        if layer is None or self.working:
            return
        name, before = self.name, from_display(layer.data).copy()

        def done(after: ByteArray) -> None:
            if not same(layer.data, to_display(before)):
                raise InputError(look(name).title, "was drawn in meanwhile.", "Do it again.")
            self.bench.scene.set_mask(name, after)

        def work(progress: Progress) -> ByteArray:
            progress(0.0, title)
            return change(before)

        self.follow(self.bench.jobs.start(title, work, done))

    def _size(self) -> tuple[float, float, float]:
        return self.session.require().grid.voxel_size

    def _grow(self) -> Change:
        return partial(edit.grow, distance=self.distance.value(), voxel_size=self._size())

    def _shrink(self) -> Change:
        return partial(edit.shrink, distance=self.distance.value(), voxel_size=self._size())

    def _fill_holes(self) -> Change:
        return edit.fill_holes

    def _fill_between(self) -> Change:
        return partial(edit.fill_between, axis=self.bench.view.axis, voxel_size=self._size())

    def _drop_specks(self) -> Change:
        return partial(edit.remove_small, volume=SPECK_MM3, voxel_size=self._size())

    def _part_clicked(self, voxel: tuple[int, int, int]) -> None:
        keep = self._click.tool == "keep_part"
        change = edit.keep_component if keep else edit.remove_component
        self.transform("Keep part" if keep else "Remove part", partial(change, voxel=voxel))

    # -- actions -----------------------------------------------------------------------------

    def _on_layer(self, action: str) -> None:
        layer = self.bench.scene.mask(self.name)
        if layer is not None:
            getattr(layer, action)()

    def _tell_brush(self) -> float:
        millimetres = self.brush.value() / 2
        self.brush_label.setText(f"{millimetres:.1f} mm")
        return millimetres

    def _set_brush(self, _value: int = 0) -> None:
        millimetres = self._tell_brush()
        layer = self.bench.scene.mask(self.name)
        if layer is not None:
            editing.set_brush(layer, millimetres, self.ball.isChecked())

    def _set_outline(self, on: bool) -> None:
        layer = self.bench.scene.mask(self.name)
        if layer is not None:
            layer.contour = 1 if on else 0

    def _set_opacity(self, percent: int) -> None:
        layer = self.bench.scene.mask(self.name)
        if layer is not None:
            layer.opacity = percent / 100

    def _jump(self, step: int) -> None:
        self.bench.scene.jump(self.name, step)

    def _accept(self) -> None:
        self._do(lambda: self.session.accept(self.name))

    def _reset(self) -> None:
        self._do(lambda: self.session.reset(self.name))

    def _do(self, action: Any) -> None:
        self.bench.scene.collect()
        try:
            action()
        except QsmStrokeError as error:
            self.say(str(error), "bad")
        self.refresh(frozenset())
