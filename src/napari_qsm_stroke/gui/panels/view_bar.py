"""The head of every panel: which plane, which side is where, which image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QGridLayout, QPushButton, QWidget

from napari_qsm_stroke.gui.layers import look

if TYPE_CHECKING:
    from napari_qsm_stroke.gui.workbench import Workbench


class ViewBar(QWidget):
    """Plane, side and image of the canvas.

    Parameters
    ----------
    bench : Workbench
        Of the viewer that it steers.
    """

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        layout = QGridLayout(self)
        layout.setContentsMargins(6, 4, 6, 0)
        layout.setSpacing(3)
        for column, plane in enumerate(("axial", "coronal", "sagittal")):
            button = QPushButton(plane.capitalize())
            button.setToolTip(f"Show {plane} slices")
            button.clicked.connect(lambda _on, p=plane: setattr(bench.view, "plane", p))
            layout.addWidget(button, 0, column)
        self.image = QComboBox()
        self.image.setToolTip("Image under the masks")
        self.image.activated.connect(self._show_image)
        layout.addWidget(self.image, 1, 0, 1, 2)
        self.sides = QPushButton()
        self.sides.setToolTip(
            "Which side of the patient is on the left of the screen: "
            "right in the radiological display, left in the neurological one."
        )
        self.sides.clicked.connect(self._flip)
        layout.addWidget(self.sides, 1, 2)
        self.refresh()

    def refresh(self) -> None:
        """List the images of the open case."""
        case = self._bench.session.case
        names = [] if case is None else [n for n in self._bench.scene.images() if n in case.maps]
        shown = [self.image.itemData(i) for i in range(self.image.count())]
        if names != shown:
            self.image.clear()
            for name in names:
                self.image.addItem(look(name).title, name)
        on_top = self._bench.scene.image_on_top()
        if on_top in names:
            self.image.setCurrentIndex(names.index(on_top))
        self.image.setEnabled(bool(names))
        self.sides.setText("Radiological" if self._bench.view.radiological else "Neurological")

    def _show_image(self, _index: int) -> None:
        self._bench.scene.show_image(self.image.currentData())

    def _flip(self) -> None:
        view = self._bench.view
        view.radiological = not view.radiological
        self.refresh()
