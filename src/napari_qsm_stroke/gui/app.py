"""The whole workspace: its docks, and napari opened on a finished case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import napari
from qtpy.QtWidgets import QDockWidget

from napari_qsm_stroke.gui.panels.correct_masks import CorrectPanel
from napari_qsm_stroke.gui.panels.measure import MeasurePanel
from napari_qsm_stroke.gui.panels.open_case import OpenPanel
from napari_qsm_stroke.gui.panels.reconstruct import ReconstructPanel
from napari_qsm_stroke.gui.workbench import Workbench, workbench

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.gui.panels.panel import Panel
    from napari_qsm_stroke.pipeline.measure import Measurements

PANELS: tuple[type[Panel], ...] = (OpenPanel, ReconstructPanel, CorrectPanel, MeasurePanel)
DISPLAY_NAME = "QSM Stroke"


def dock_name(panel: type[Panel]) -> str:
    """Name that napari's own menu gives the dock, so that it never exists twice."""
    return f"{panel.TITLE} ({DISPLAY_NAME})"


def open_workspace(viewer: napari.Viewer | None = None) -> dict[str, Panel]:
    """Open all docks of the plugin as tabs on the right, or show those that are there.

    Parameters
    ----------
    viewer : Viewer, optional
        The one in front by default.

    Returns
    -------
    dict
        Panels by title.
    """
    viewer = viewer if viewer is not None else napari.current_viewer()
    if viewer is None:
        viewer = napari.Viewer()
    own = getattr(viewer, "__wrapped__", viewer)
    window = own.window
    found: dict[str, Panel] = {}
    first: QDockWidget | None = None
    for panel in PANELS:
        name = dock_name(panel)
        inner = window.dock_widgets.get(name)
        if inner is None:
            inner = panel(own)
            dock = window.add_dock_widget(inner, name=name, area="right", tabify=True)
        else:
            dock = _dock_of(inner)
        dock.show()
        first = first or dock
        found[panel.TITLE] = inner
    if first is not None:
        first.raise_()
    return found


def open_workspace_command() -> None:
    """Open all docks of the plugin, from the command palette or a menu."""
    open_workspace()


def _dock_of(widget: Any) -> QDockWidget:
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget


def show_panel(panel: Panel) -> None:
    """Bring a dock to the front of its tabs."""
    _dock_of(panel).raise_()


def show_case(
    case: Case, measurements: Measurements | None = None, *, block: bool = True
) -> Workbench:
    """Open napari with the workspace on a case.

    Parameters
    ----------
    case : Case
        Finished or not.
    measurements : Measurements, optional
        Its table; it is measured in the background where not given.
    block : bool
        Wait until the window is closed.
    """
    viewer = napari.Viewer()
    panels = open_workspace(viewer)
    bench = workbench(viewer)
    bench.session.open(case)
    if measurements is not None:
        bench.session.measurements = measurements
    bench.scene.flush()
    bench.view.plane = "axial"
    bench.scene.jump("infarct", 0)
    if "susceptibility" in case.maps:
        show_panel(panels[MeasurePanel.TITLE])
    if block:
        napari.run()
    return bench
