"""The live preview: what changed parameters of a mask would make, on the slice that is shown.

It is a layer of its own, never a part of the case: nothing here writes to the session. The slice is
shown first, from a thick slab, where that can be believed; the whole mask follows and replaces it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.gui import layers
from napari_qsm_stroke.gui.jobs import Done, Failed
from napari_qsm_stroke.gui.slab import Proposals, Slice, wants_whole
from napari_qsm_stroke.pipeline.apply import missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.method import Method
    from napari_qsm_stroke.core.progress import Progress
    from napari_qsm_stroke.gui.jobs import Job, Outcome
    from napari_qsm_stroke.gui.slab import Preview
    from napari_qsm_stroke.gui.workbench import Workbench
    from napari_qsm_stroke.pipeline.recipe import Step

    Made = tuple[Preview, NDArray[np.uint8]] | None

SETTLES_MS = 250
COLOUR = "#ff4dff"
THIS = "Preview of this slice, not yet the case."
ALL = "Preview of all slices, not yet the case."
ALONE = "One slice alone would mislead here."
FLAT = "The preview is shown in slices, not in 3D."


class LivePreview(QObject):
    """Shows what one step of the recipe would make with other parameters.

    A newer change, or another slice, stops what is being computed for the last one.

    Parameters
    ----------
    bench : Workbench
        Whose viewer and case it is about.
    parent : QObject, optional
        Lives at least as long.

    Attributes
    ----------
    told : Signal
        Emitted with a sentence for the reader, empty where there is no preview, and its tone.
    """

    told = Signal(str, str)

    def __init__(self, bench: Workbench, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bench = bench
        self._step: Step | None = None
        self._case: Case | None = None
        self._proposals: Proposals | None = None
        self._job: Job | None = None
        self._words = ""
        self._again = False
        self._closed = False
        self._place: Slice | None = None
        self._all_slices = False
        self._layer: Labels | None = None
        self._timer = QTimer(self, singleShot=True, interval=SETTLES_MS)
        self._timer.timeout.connect(self._begin)
        dims = bench.viewer.dims.events
        self._moves = (dims.point, dims.order, dims.ndisplay)
        for event in self._moves:
            event.connect(self._moved)
        bench.viewer.layers.events.removed.connect(self._removed)

    def close(self) -> None:
        """Stop for good."""
        if self._closed:
            return
        self._closed = True
        for event in self._moves:
            event.disconnect(self._moved)
        self._bench.viewer.layers.events.removed.disconnect(self._removed)
        self.stop()

    @property
    def layer(self) -> Labels | None:
        """Layer of the preview, or None where nothing is shown."""
        return self._layer if self._layer is not None and self._layer.visible else None

    @property
    def working(self) -> bool:
        """Whether a preview is being made or about to be."""
        return self._job is not None or self._timer.isActive()

    # -- what is asked for -------------------------------------------------------------------

    def ask(self, step: Step) -> None:
        """Preview a step of the recipe on the slice that is shown, once the reader pauses."""
        if self._closed:
            return
        self._step = step
        self._all_slices = False
        self._later()

    def stop(self) -> None:
        """Take the preview away."""
        self._timer.stop()
        self._cancel()
        self._step = self._place = None
        self._again = False
        self._drop()
        self.told.emit("", "plain")

    def _later(self) -> None:
        self._cancel()
        self._timer.start()

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _moved(self) -> None:
        """Follow the reader to another slice, unless all slices are there or on their way."""
        if self._step is None:
            return
        if self._bench.viewer.dims.ndisplay != 2:
            self._hide()  # there are no outlines in 3D
            self._all_slices = False
        elif self._all_slices or (self._case and self._place == self._slice(self._case)):
            return
        self._later()

    def _removed(self, event: Any) -> None:
        if self._layer is not None and event.value is self._layer:
            self._layer = None
            self.stop()

    # -- making it ---------------------------------------------------------------------------

    def _begin(self) -> None:
        step, case = self._step, self._bench.session.case
        if step is None:
            return
        if self._job is not None:
            self._again = True  # it is being stopped
            return
        method = get_method(step.method)
        reason = "Open a case first." if case is None else why_not(case, method)
        place = None if case is None or reason else self._slice(case)
        self._place = place
        if case is None or place is None:
            self._hide()
            self.told.emit(reason or FLAT, "warn")
            return
        if case is not self._case:
            self._case, self._proposals = case, Proposals(case, self._bench.session.store)
        if wants_whole(method):
            self._start_whole(step, method)
        else:
            self._start_slab(step, method, place)

    def _start_slab(self, step: Step, method: Method, place: Slice) -> None:
        """Show this slice soon, where a slab is enough for it; the whole mask follows."""
        proposals = self._proposals
        assert proposals is not None
        made: list[Preview] = []

        def work(progress: Progress) -> Made:
            preview = proposals.of_slab(method, step.parameters, place, progress)
            return None if preview is None else (preview, _as_shown(preview))

        def done(result: Made) -> None:
            if result is not None and self._wanted(step):
                made.append(result[0])
                self._show(method, *result)

        def ended(outcome: Outcome) -> None:
            if self._over(outcome) and not self._all_slices:
                self._start_whole(step, method, after_slab=bool(made))

        self._words = "Preview of this slice:"
        self._run(method, work, done, ended)

    def _start_whole(self, step: Step, method: Method, *, after_slab: bool = False) -> None:
        """Show the mask of all slices; where no slab can be believed, that is all there is."""
        proposals = self._proposals
        assert proposals is not None

        def work(progress: Progress) -> Made:
            preview = proposals.of_whole(method, step.parameters, progress)
            return preview, _as_shown(preview)

        def done(result: Made) -> None:
            if result is not None and self._wanted(step):
                self._show(method, *result)

        if not after_slab:
            self._hide()
            self._all_slices = True  # on their way: another slice needs nothing else
        self._words = f"{THIS if after_slab else ALONE} All slices:"
        self._run(method, work, done, self._over)

    def _run(
        self,
        method: Method,
        work: Callable[[Progress], Made],
        done: Callable[[Made], None],
        ended: Callable[[Outcome], Any],
    ) -> None:
        title = f"Preview of {method.outputs[0].title.lower()}"
        self._job = job = self._bench.jobs.start(title, work, done, ended)
        self._progressed(0.0, "")
        job.progressed.connect(self._progressed)

    def _wanted(self, step: Step | None) -> bool:
        """Whether this is still asked for; Qt may have deleted the panel meanwhile."""
        return isalive(self) and step is not None and self._step is step

    def _over(self, outcome: Outcome) -> bool:
        """Take note of the end of a job; tell whether its preview still counts."""
        self._job = None
        if not self._wanted(self._step) or self._timer.isActive():
            return False
        if self._again:
            self._again = False
            self._begin()
            return False
        if isinstance(outcome, Done):
            return True
        self._hide()
        words = outcome.sentence if isinstance(outcome, Failed) else "The preview was stopped."
        self.told.emit(words, "bad")
        return False

    def _progressed(self, fraction: float, _stage: str) -> None:
        if self._job is not None and self._step is not None and not self._timer.isActive():
            tone = "plain" if self.layer is None else "good"
            self.told.emit(f"{self._words} {100 * fraction:.0f} %", tone)

    # -- showing it --------------------------------------------------------------------------

    def _show(self, method: Method, preview: Preview, data: NDArray[np.uint8]) -> None:
        case = self._case
        assert case is not None
        self._all_slices = preview.whole
        title = method.outputs[0].title
        if self._layer is None:
            self._layer = self._insert(case)
        self._layer.name = f"Preview: {title.lower()}"
        self._layer.data = data
        self._layer.editable = False  # which new data have undone
        self._layer.visible = True
        words = ALL if preview.whole else THIS
        self.told.emit(words if preview.found else f"{words} Nothing is found.", "good")

    def _insert(self, case: Case) -> Labels:
        """Add the layer on top; what was in the hand stays in the hand."""
        selection = self._bench.viewer.layers.selection
        active = selection.active
        layer = Labels(
            np.zeros(case.grid.shape[::-1], np.uint8),
            colormap=layers.colours(layers.Look("Preview", colours=(COLOUR,))),
            **layers.geometry(case.grid),
        )
        layer.contour = 1
        self._bench.viewer.layers.append(layer)
        selection.active = active
        return layer

    def _hide(self) -> None:
        """Show nothing; to take the layer out and put it in again would take too long."""
        if self._layer is not None:
            self._layer.visible = False

    def _drop(self) -> None:
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._bench.viewer.layers:
            self._bench.viewer.layers.remove(layer)

    def _slice(self, case: Case) -> Slice | None:
        """Slice that is shown, or None in 3D and beyond the image."""
        dims, grid = self._bench.viewer.dims, case.grid
        if dims.ndisplay != 2 or dims.ndim < 3:
            return None
        axis = self._bench.view.axis
        place = layers.geometry(grid)
        origin, size = place["translate"][2 - axis], place["scale"][2 - axis]
        index = round((dims.point[dims.order[dims.ndim - 3]] - origin) / size)
        return Slice(axis, index) if 0 <= index < grid.shape[axis] else None


def why_not(case: Case, method: Method) -> str:
    """Why there is no preview of a method, in a sentence; empty where there is one."""
    title = method.outputs[0].title
    if method.outputs[0].name in case.given:
        return f"{title}: given or corrected by hand. A run leaves it as it is: no preview."
    lacks = missing(case, method)
    if lacks:
        words = ", ".join(name.replace("_", " ") for name in lacks)
        return f"The preview needs {words}: reconstruct the case first."
    return ""


def _as_shown(preview: Preview) -> NDArray[np.uint8]:
    return np.array(layers.to_display(preview.mask), dtype=np.uint8, order="C")
