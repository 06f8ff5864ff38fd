"""Whether changed parameters of a mask are previewed, and what the preview shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.gui.live_preview import COLOUR, LivePreview
from napari_qsm_stroke.gui.slab import makes_masks

if TYPE_CHECKING:
    from napari_qsm_stroke.gui.panels.panel import Ears
    from napari_qsm_stroke.gui.workbench import Workbench
    from napari_qsm_stroke.pipeline.recipe import Step

TONES = {
    "plain": "color: #9aa0a6;",
    "good": f"color: {COLOUR};",
    "warn": "color: #ffd166;",
    "bad": "color: #ff7b63;",
}


class PreviewBar(QWidget):
    """The switch of the live preview, and its one line.

    Parameters
    ----------
    bench : Workbench
        Whose viewer and case are previewed.
    ears : Ears
        Of the panel that the bar is in.
    """

    def __init__(self, bench: Workbench, ears: Ears) -> None:
        super().__init__()
        self.preview = LivePreview(bench, self)
        ears.listen(self.preview.told, self._tell)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self.switch = QCheckBox("Live preview of masks")
        self.switch.setToolTip(
            "A changed parameter of a mask is shown on the current slice at once, in a colour of "
            "its own. The case stays as it is until you reconstruct."
        )
        self.switch.setChecked(True)
        self.switch.toggled.connect(self._switched)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setVisible(False)
        layout.addWidget(self.switch)
        layout.addWidget(self.line)
        self._last: Step | None = None

    def ask(self, step: Step) -> None:
        """Preview a step that has changed, where it makes masks and the switch is on."""
        if not makes_masks(get_method(step.method)):
            return
        self._last = step
        if self.switch.isChecked():
            self.preview.ask(step)

    def stop(self) -> None:
        """Take the preview away until the next change."""
        self._last = None
        self.preview.stop()

    def _switched(self, on: bool) -> None:
        if on and self._last is not None:
            self.preview.ask(self._last)
        elif not on:
            self.preview.stop()

    def _tell(self, sentence: str, tone: str) -> None:
        self.line.setText(sentence)
        self.line.setStyleSheet(TONES[tone])
        self.line.setVisible(bool(sentence))
