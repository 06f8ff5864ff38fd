"""Reconstruct: choose a recipe and its methods, run it, see what each step did."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.errors import ParameterError, QsmStrokeError
from napari_qsm_stroke.gui.forms import Form, cautions
from napari_qsm_stroke.gui.panels.panel import Panel, note
from napari_qsm_stroke.gui.panels.preview_bar import PreviewBar
from napari_qsm_stroke.pipeline.recipe import Recipe, Step, recipe_names
from napari_qsm_stroke.session import alternatives

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent

    from napari_qsm_stroke.case.case import Case


class StepBox(QFrame):
    """One step of the recipe: its method, its parameters, and how it went.

    Parameters
    ----------
    recipe : Recipe
        The recipe as chosen so far.
    index : int
        Which of its steps this is.
    """

    chosen = Signal(int, str)
    changed = Signal()

    def __init__(self, recipe: Recipe, index: int) -> None:
        super().__init__()
        self._index = index
        self.step = recipe.steps[index]
        method = get_method(self.step.method)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setSpacing(1)
        top = QHBoxLayout()
        top.setSpacing(3)
        self.opener = QToolButton()
        self.opener.setArrowType(Qt.ArrowType.RightArrow)
        self.opener.setCheckable(True)
        self.opener.setMaximumWidth(20)
        self.opener.setToolTip("Show the parameters")
        self.opener.toggled.connect(self._open)
        made = {q.name for q in method.outputs}
        improves = any(a.source.name in made for a in method.inputs)
        words = method.name.replace("_", " ").capitalize()
        name = words if improves else method.outputs[0].title
        title = QLabel(name)
        title.setWordWrap(True)
        title.setToolTip("Makes: " + ", ".join(q.title for q in method.outputs))
        self.outcome = note("")
        self.outcome.setWordWrap(False)
        self.outcome.setMinimumWidth(26)
        self.methods = self._methods(recipe)
        top.addWidget(self.opener)
        top.addWidget(title, 1)
        top.addWidget(self.methods)
        top.addWidget(self.outcome)
        layout.addLayout(top)
        self.details = QWidget()
        inner = QVBoxLayout(self.details)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(note(method.summary))
        for words in cautions(method):
            inner.addWidget(note(words))
        self.form = Form(method.name, method.parameters)
        self.form.set_values(self.step.parameters)
        self.form.changed.connect(self.changed)
        inner.addWidget(self.form)
        self.details.setVisible(False)
        layout.addWidget(self.details)

    def _methods(self, recipe: Recipe) -> QComboBox:
        box = QComboBox()
        for other in alternatives(recipe, self._index):
            suffix = "" if other.recommended else " (not recommended)"
            box.addItem(other.name + suffix, other.name)
            words = "\n".join((other.summary, *cautions(other)))
            box.setItemData(box.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        box.setCurrentIndex(box.findData(self.step.method))
        box.setToolTip(get_method(self.step.method).summary)
        box.setMinimumContentsLength(9)
        box.setStyleSheet("QComboBox { font-size: 8pt; padding: 1px 2px; }")
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        box.currentIndexChanged.connect(self._choose)
        return box

    def current(self) -> Step:
        """Return the step with the parameters as typed.

        Raises
        ------
        ParameterError
            A value is not allowed.
        """
        return replace(self.step, parameters=self.form.differing())

    def tell(self, case: Case | None) -> None:
        """Show what the last run did with this step."""
        records = (
            []
            if case is None
            else [
                r
                for r in case.history
                if r.action in ("run", "skip") and r.what == self.step.method
            ]
        )
        if not records:
            self.outcome.setText("")
            return
        last = records[-1]
        ran = last.action == "run"
        self.outcome.setText(f"{last.seconds:.0f} s" if ran else "-")
        what = "Time of the last run" if ran else "Left out"
        self.outcome.setToolTip(": ".join(filter(None, (what, last.note))))

    def _open(self, on: bool) -> None:
        self.opener.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.details.setVisible(on)

    def _choose(self, _index: int) -> None:
        self.chosen.emit(self._index, self.methods.currentData())


class ReconstructPanel(Panel):
    """The dock Reconstruct."""

    TITLE = "Reconstruct"
    TAB = "Reconstruct"
    HINT = "From magnitude and phase to the susceptibility map, with proposals for all masks."

    def build(self) -> None:
        """Add recipe, steps and the buttons."""
        self.recipes = QComboBox()
        self.recipes.addItems(recipe_names())
        self.body.addWidget(self.recipes)
        self.description = note("")
        self.body.addWidget(self.description)
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        self.body.addLayout(self._list)
        self.boxes: list[StepBox] = []
        self.run_button = QPushButton("Reconstruct")
        self.run_button.clicked.connect(self.run)
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip("Back to the case before the last run or correction")
        self.undo_button.clicked.connect(self._undo)
        self.redo_button = QPushButton("Redo")
        self.redo_button.clicked.connect(self._redo)
        row = QHBoxLayout()
        row.addWidget(self.run_button, 2)
        row.addWidget(self.undo_button)
        row.addWidget(self.redo_button)
        self.previews = PreviewBar(self.bench, self.ears)
        self.actions.addWidget(self.previews)
        self.actions.addLayout(row)
        self._recipe = Recipe("none", ())
        if "multi-echo" in recipe_names():
            self.recipes.setCurrentText("multi-echo")
        self._take_recipe(self.recipes.currentText())
        self.recipes.currentTextChanged.connect(self._take_recipe)

    @property
    def recipe(self) -> Recipe:
        """The recipe as chosen and typed.

        Raises
        ------
        ParameterError
            A value is not allowed.
        """
        return replace(self._recipe, steps=tuple(box.current() for box in self.boxes))

    def choose_method(self, index: int, name: str) -> None:
        """Let another method do one step; what is typed elsewhere stays."""
        steps = [box.current() for box in self.boxes]
        steps[index] = Step(name, optional=steps[index].optional)
        self._recipe = replace(self._recipe, steps=tuple(steps))
        self._show_steps()

    def run(self) -> None:
        """Run the recipe on the open case."""
        self.previews.stop()
        try:
            recipe = self.recipe
            job = self.bench.reconstruct(recipe)
        except QsmStrokeError as error:
            self.say(str(error), "bad")
            return
        self.follow(job, _summary)
        self.refresh(frozenset({"job"}))

    def refresh(self, names: frozenset[str]) -> None:
        """Enable what can be done; tell how the steps went."""
        if "case" in names and self.session.case is not None:
            self._suggest_recipe(self.session.case)
        reason = self._reason()
        self.run_button.setEnabled(reason is None)
        self.run_button.setToolTip(reason or "Only what follows a changed parameter is computed.")
        self.undo_button.setEnabled(self.session.can_undo and not self.working)
        self.redo_button.setEnabled(self.session.can_redo and not self.working)
        for box in self.boxes:
            box.tell(self.session.case)

    def _reason(self) -> str | None:
        if not self.boxes:
            return "Choose a recipe."
        if self.working:
            return "A reconstruction is running."
        try:
            return self.session.can_run(self.recipe)
        except ParameterError as error:
            return str(error)

    def _suggest_recipe(self, case: Case) -> None:
        echoes = len(case.acquisition.echo_times) if case.acquisition else 0
        fitting = "multi-echo" if echoes > 1 else "single-echo"
        other = "single-echo" if echoes > 1 else "multi-echo"
        if self.recipes.currentText() == other and self.recipes.findText(fitting) >= 0:
            self.recipes.setCurrentText(fitting)

    def _take_recipe(self, name: str) -> None:
        try:
            self._recipe = Recipe.load(name)
        except QsmStrokeError as error:
            self.say(str(error), "bad")
            return
        self._show_steps()
        self.refresh(frozenset({"recipe"}))

    def _show_steps(self) -> None:
        self.previews.stop()
        self.description.setText(self._recipe.description)
        while self._list.count():
            old = self._list.takeAt(0).widget()
            old.hide()
            old.deleteLater()
        self.boxes = [StepBox(self._recipe, i) for i in range(len(self._recipe.steps))]
        for box in self.boxes:
            box.chosen.connect(self.choose_method)
            box.changed.connect(partial(self._typed, box))
            box.tell(self.session.case)
            self._list.addWidget(box)

    def _typed(self, box: StepBox) -> None:
        """Take a changed parameter: the button, and the preview of a mask."""
        self.refresh(frozenset({"recipe"}))
        try:
            step = box.current()
        except ParameterError:
            self.previews.stop()
        else:
            if not self.working:
                self.previews.ask(step)

    def _changed(self, names: frozenset[str]) -> None:
        if names - {"side", "settings", "measurements"}:
            self.previews.stop()  # it was made from maps that are no longer those of the case
        super()._changed(names)

    def hideEvent(self, event: QHideEvent) -> None:
        """Take the preview away with the parameters that it shows."""
        self.previews.stop()
        super().hideEvent(event)

    def close_down(self) -> None:
        """End the preview as well."""
        self.previews.preview.close()
        super().close_down()

    def _undo(self) -> None:
        self.bench.scene.collect()
        self.session.undo()
        self.refresh(frozenset({"job"}))

    def _redo(self) -> None:
        self.session.redo()
        self.refresh(frozenset({"job"}))


def _summary(case: Any) -> str:
    seconds = sum(r.seconds for r in case.history if r.action == "run")
    skipped = [r.what for r in case.history if r.action == "skip"]
    left_out = f" Left out: {', '.join(skipped)}." if skipped else ""
    return f"Reconstructed in {seconds:.0f} s.{left_out}"
