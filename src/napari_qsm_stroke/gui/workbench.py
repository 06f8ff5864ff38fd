"""What all panels of one viewer share: the session, the jobs, the layers and the view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.viewer import current_viewer
from psygnal import Signal
from qtpy.QtWidgets import QApplication

from napari_qsm_stroke.case.provenance import software
from napari_qsm_stroke.cohort.export import export
from napari_qsm_stroke.cohort.manifest import Job as Asked
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.gui.jobs import Failed, Job, Jobs, Outcome
from napari_qsm_stroke.gui.scene import Scene
from napari_qsm_stroke.gui.view import View
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.pipeline.run import run
from napari_qsm_stroke.session import MEASURED, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.gui.jobs import Work
    from napari_qsm_stroke.pipeline.recipe import Recipe

_WORKBENCHES: WeakKeyDictionary[Any, Workbench] = WeakKeyDictionary()


class Workbench:
    """The shared state of the panels of one viewer.

    Parameters
    ----------
    viewer : ViewerModel
        With or without a window.

    Attributes
    ----------
    unmeasured : Signal
        Emitted with the reason where the table cannot be measured.
    measuring : Signal
        Emitted with True when measuring begins and with False when the table is up to date.
    """

    unmeasured = Signal(str)
    measuring = Signal(bool)

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.session = Session()
        self.jobs = Jobs()
        self.view = View(viewer)
        self._running: Job | None = None
        self._measuring: Job | None = None
        self._again = False
        self._recipe: Recipe | None = None
        self._opened: Case | None = None
        self.session.changed.connect(self._follow)
        self.scene = Scene(viewer, self.session)
        self.view.title(self.session.case.key if self.session.case else None)

    def load(
        self,
        title: str,
        work: Callable[[Progress], Case],
        ended: Callable[[Outcome], None] | None = None,
    ) -> Job:
        """Make or read a case in the background and open it."""
        return self.jobs.start(title, work, self.session.open, ended)

    def reconstruct(self, recipe: Recipe, ended: Callable[[Outcome], None] | None = None) -> Job:
        """Run a recipe on the open case in the background and take its result.

        Raises
        ------
        MissingError
            No case is open.
        """
        self.scene.collect()
        case, store = self.session.require(), self.session.store

        def work(progress: Progress) -> Case:
            return run(case, recipe, progress, store, lean=True)

        def done(result: Case) -> None:
            self._recipe = recipe
            self.session.commit(result)

        job = self.jobs.start(f"Reconstruct ({recipe.name})", work, done, ended)
        self._running = job
        return job

    def export(self, folder: Path, ended: Callable[[Outcome], None] | None = None) -> Job:
        """Measure the open case and write all its files in the background.

        Raises
        ------
        MissingError
            No case is open.
        """
        self.scene.collect()
        case, settings, opened = self.session.require(), self.session.settings, self._opened
        asked = Asked(
            config={
                "recipe": self._recipe.to_toml() if self._recipe else None,
                "measure": settings.as_dict(),
                "side": case.side,
                "given_or_edited": sorted(case.given),
                "version": software().napari_qsm_stroke,
            }
        )

        def work(progress: Progress) -> Any:
            progress(0.0, "measure")
            table = measure(case, settings)
            progress(0.2, "write")
            return table, export(case, table, folder, asked)

        def done(result: Any) -> None:
            if self._opened is opened:
                self.session.measurements = result[0]

        return self.jobs.start("Export", work, done, ended)

    def measure(self) -> None:
        """Measure again in the background; of several calls meanwhile only the last counts."""
        if self._measuring is not None:
            self._again = True
            return
        reason = self.session.can_measure()
        case, settings = self.session.case, self.session.settings
        if reason or case is None:
            self.session.measurements = None
            self.unmeasured.emit(reason or "")
            return

        def work(progress: Progress) -> Any:
            part(progress, 0, 1)(0.0, "measure")
            return measure(case, settings)

        def done(table: Any) -> None:
            self.session.measurements = table

        self._measuring = self.jobs.start("Measure", work, done, self._measured)
        self.measuring.emit(True)

    def _measured(self, outcome: Outcome) -> None:
        self._measuring = None
        if isinstance(outcome, Failed):
            self.session.measurements = None
            self.unmeasured.emit(outcome.sentence)
        if self._again:
            self._again = False
            self.measure()
        if self._measuring is None:
            self.measuring.emit(False)

    def _follow(self, names: frozenset[str]) -> None:
        case = self.session.case
        if "case" in names and case is not None:
            self._recipe = None
            self._opened = case
            for job in (self._running, self._measuring):
                if job is not None:
                    job.cancel()  # what it makes belongs to the case that was open before
            self.view.title(case.key)
        if names & {"case", "side", "settings", *MEASURED}:
            self.measure()


def wait_for(title: str, work: Work) -> Any:
    """Do what napari wants the result of at once, without the window standing still.

    Where there is no window the work is done here and now.
    """
    viewer = current_viewer()
    if viewer is None or QApplication.instance() is None:
        return work(silent)
    return workbench(viewer).jobs.wait(title, work)


def workbench(viewer: Any) -> Workbench:
    """Return what the panels of a viewer share; panels are given a proxy of the viewer."""
    own = getattr(viewer, "__wrapped__", viewer)
    if own not in _WORKBENCHES:
        _WORKBENCHES[own] = Workbench(own)
    return _WORKBENCHES[own]
