"""What all panels have in common: a narrow, scrolling column that ends cleanly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_qsm_stroke.gui.jobs import Done, Failed, Outcome
from napari_qsm_stroke.gui.panels.view_bar import ViewBar
from napari_qsm_stroke.gui.workbench import workbench
from napari_qsm_stroke.pipeline.warm_up import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QShowEvent

    from napari_qsm_stroke.gui.jobs import Job

MINIMUM_WIDTH = 320
TONES = {
    "plain": "",
    "good": "color: #7bd88f;",
    "warn": "color: #ffd166;",
    "bad": "color: #ff7b63;",
}


class Ears:
    """What a panel listens to: it must stop when Qt deletes the widget, whoever asked for that."""

    def __init__(self) -> None:
        self._connected: list[tuple[Any, Any]] = []

    def listen(self, signal: Any, slot: Callable[..., None]) -> None:
        """Connect a signal of the session or the workbench."""
        signal.connect(slot)
        self._connected.append((signal, slot))

    def close(self) -> None:
        """Disconnect all."""
        for signal, slot in self._connected:
            signal.disconnect(slot, missing_ok=True)
        self._connected.clear()


class Column(QScrollArea):
    """Scrolls up and down only, and is never narrower than what it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the widget inside."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(self.widget().minimumSizeHint().width() + bar)
        return bool(super().eventFilter(watched, event))


class Panel(QWidget):
    """A dock of the plugin.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer, or napari's proxy of it.
    """

    TITLE = ""
    TAB = ""
    HINT = ""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.bench = workbench(napari_viewer)
        self.session = self.bench.session
        self.ears = ears = Ears()
        self.destroyed.connect(lambda: ears.close())
        self._closed = False
        self._watched = False
        self._job: Job | None = None
        self._good: Callable[[Any], str] | None = None
        self.setMinimumWidth(MINIMUM_WIDTH)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(2)
        self.view_bar = ViewBar(self.bench)
        outer.addWidget(self.view_bar)
        scroll = Column()
        inner = QWidget()
        self.body = QVBoxLayout(inner)
        self.body.setContentsMargins(6, 2, 6, 2)
        if self.HINT:
            self.body.addWidget(note(self.HINT))
        scroll.setWidget(inner)
        outer.addWidget(scroll, 1)
        self.actions = QVBoxLayout()
        self.actions.setContentsMargins(6, 2, 6, 2)
        outer.addLayout(self.actions)
        outer.addLayout(self._foot())
        self.build()
        self.body.addStretch(1)
        self.ears.listen(self.session.changed, self._changed)
        self.ears.listen(self.bench.scene.shown, self.view_bar.refresh)
        self.refresh(frozenset({"case", "side", "settings", "measurements"}))

    # -- to be filled in ---------------------------------------------------------------------

    def build(self) -> None:
        """Add the widgets to ``body``."""

    def refresh(self, names: frozenset[str]) -> None:
        """Show what is new in the session."""

    # -- messages and jobs -------------------------------------------------------------------

    def say(self, sentence: str, tone: str = "plain") -> None:
        """Show one sentence at the foot of the panel."""
        self.message.setText(sentence)
        self.message.setStyleSheet(TONES[tone])
        self.message.setVisible(bool(sentence))

    def follow(self, job: Job, good: Callable[[Any], str] | None = None) -> None:
        """Show the progress of a job, with its Cancel button, and how it ended."""
        self._job, self._good = job, good
        self.say("")
        self.bar.setValue(0)
        self.stage.setText(f"{job.title} ...")
        self._show_progress(True)
        job.progressed.connect(self._progressed)
        job.ended.connect(self._ended)  # a method of this widget: cut when Qt deletes it

    def _progressed(self, fraction: float, stage: str) -> None:
        if self._closed or self._job is None:
            return
        self.bar.setValue(round(1000 * fraction))
        self.stage.setText(stage.replace("_", " "))

    def _ended(self, outcome: Outcome) -> None:
        self._job, good = None, self._good
        if self._closed:
            return
        self._show_progress(False)
        match outcome:
            case Done(value):
                self.say(good(value) if good else "", "good")
            case Failed():
                self.say(outcome.sentence, "bad")
            case _:
                self.say("Stopped; nothing was changed.", "warn")
        self.refresh(frozenset({"job"}))

    @property
    def working(self) -> bool:
        """Whether a job that this panel started is running."""
        return self._job is not None

    def cancel(self) -> None:
        """Stop the job that this panel started."""
        if self._job is not None:
            self.stage.setText("Stopping ...")
            self.cancel_button.setEnabled(False)
            self._job.cancel()

    # -- frame -------------------------------------------------------------------------------

    def _foot(self) -> QVBoxLayout:
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        self.stage = QLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(8)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(self.cancel)
        row = QHBoxLayout()
        row.addWidget(self.stage, 1)
        row.addWidget(self.cancel_button)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        foot.addLayout(row)
        foot.addWidget(self.bar)
        foot.addWidget(self.message)
        use = note("Research use only. Not a medical device.")
        foot.addWidget(use)
        self._show_progress(False)
        self.message.setVisible(False)
        return foot

    def _show_progress(self, on: bool) -> None:
        self.cancel_button.setEnabled(on)
        for widget in (self.stage, self.bar, self.cancel_button):
            widget.setVisible(on)

    # -- life --------------------------------------------------------------------------------

    def _changed(self, names: frozenset[str]) -> None:
        if "case" in names:
            self.view_bar.refresh()
        self.refresh(names)

    def showEvent(self, event: QShowEvent) -> None:
        """Watch the window that the panel is docked in: jobs stop when it goes."""
        super().showEvent(event)
        if not self._watched:
            self._watched = True
            top: QWidget = self
            while top.parentWidget() is not None:
                top = top.parentWidget()
                if isinstance(top, QDockWidget):
                    top.setWindowTitle(self.TAB)  # tabs are narrow
            if top is not self:
                top.destroyed.connect(self.bench.jobs.close)
                self.bench.jobs.prepare(warm_up)

    def event(self, event: QEvent) -> bool:
        """Notice that the dock was closed: napari then takes the widget out of its parent."""
        if event.type() == QEvent.Type.ParentChange and self.parentWidget() is None:
            self.close_down()
        return bool(super().event(event))

    def close_down(self) -> None:
        """Stop what this panel does; it will not be shown again."""
        if self._closed:
            return
        self._closed = True
        if self._job is not None:
            self._job.cancel()
        self.ears.close()


def note(text: str) -> QLabel:
    """Explaining text."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setStyleSheet("color: #9aa0a6;")
    return label


def heading(text: str) -> QLabel:
    """Title of a section."""
    title = QLabel(f"<b>{text}</b>")
    title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return title
