"""The docks in one viewer: one session, layers that follow it, closing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtWidgets import QDockWidget

from napari_qsm_stroke.gui import layers
from napari_qsm_stroke.gui.app import dock_name, open_workspace
from napari_qsm_stroke.gui.panels.measure import MeasurePanel
from napari_qsm_stroke.gui.panels.panel import Column
from napari_qsm_stroke.gui.panels.reconstruct import ReconstructPanel
from napari_qsm_stroke.gui.workbench import workbench
from napari_qsm_stroke.pipeline.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke import Case

pytestmark = pytest.mark.gl


def show_recipe(panel: Any, recipe: Recipe) -> None:
    panel._recipe = recipe
    panel._show_steps()
    panel.refresh(frozenset({"recipe"}))


def test_all_docks_share_one_session_even_behind_napari_s_proxy(desk: Any) -> None:
    viewer, bench, panels = desk()
    assert len({id(panel.session) for panel in panels.values()}) == 1
    assert workbench(PublicOnlyProxy(viewer)) is bench


def test_two_viewers_have_two_sessions(desk: Any) -> None:
    _, one, _ = desk()
    _, other, _ = desk()
    assert one.session is not other.session


def test_opening_the_workspace_twice_opens_no_dock_twice(workspace: Any) -> None:
    viewer, _, panels = workspace()
    assert open_workspace(viewer) == panels
    docks = [n for n in viewer.window.dock_widgets if "QSM Stroke" in n]
    assert len(docks) == 4
    assert dock_name(MeasurePanel) == "Measure and export (QSM Stroke)"


def test_docks_are_narrow_enough_for_a_laptop(opened: Any) -> None:
    _, _, panels = opened
    for panel in panels.values():
        assert panel.minimumSizeHint().width() <= 350, panel.TITLE
        assert panel.minimumWidth() <= 350
        assert panel.body.parentWidget().minimumSizeHint().width() <= 335, panel.TITLE


def test_the_slice_fills_a_window_of_another_size_unless_it_was_zoomed(opened: Any) -> None:
    viewer, bench, _ = opened
    bench.view.plane = "axial"
    camera = viewer.scene.camera
    fitted = camera.zoom
    height, width = viewer.canvas.size
    viewer.canvas.size = (2 * height, 2 * width)
    assert camera.zoom == pytest.approx(2 * fitted)
    camera.zoom *= 3
    kept = camera.zoom
    viewer.canvas.size = (height, width)
    assert camera.zoom == kept


def test_nothing_in_a_dock_is_cut_off(opened: Any, qtbot: Any) -> None:
    _, _, panels = opened
    for panel in panels.values():
        panel.resize(panel.minimumSizeHint().width(), 500)
        panel.show()
    for box in panels["Reconstruct"].boxes:
        box.opener.setChecked(True)
    for title, panel in panels.items():
        column = panel.findChild(Column)
        qtbot.waitUntil(
            lambda c=column: c.viewport().width() >= c.widget().minimumSizeHint().width()
        )
        assert panel.minimumSizeHint().width() <= 350, title


def test_napari_s_menu_opens_the_same_docks(make_napari_viewer: Any, npe2pm: Any) -> None:
    viewer = make_napari_viewer()
    with npe2pm.tmp_plugin(package="napari-qsm-stroke"):
        _, panel = viewer.window.add_plugin_dock_widget("napari-qsm-stroke", "Reconstruct")
    assert isinstance(panel, ReconstructPanel)
    assert panel.bench is workbench(viewer)


def test_layers_of_the_case_in_their_order_and_place(opened: Any) -> None:
    viewer, bench, _ = opened
    roles = [layers.role(layer) for layer in viewer.layers]
    assert roles == [n for n in layers.LOOKS if n in roles]
    assert roles == ["magnitude", "susceptibility", "infarct", "veins"]
    bench.scene.show("territories")
    bench.scene.show("phase")
    roles = [layers.role(layer) for layer in viewer.layers]
    assert roles == ["magnitude", "phase", "susceptibility", "territories", "infarct", "veins"]
    grid = bench.session.case.grid
    for layer in viewer.layers:
        assert layer.data.shape == grid.shape[::-1]
        assert tuple(layer.scale) == grid.voxel_size[::-1]
    assert str(viewer.layers.units[0]) == "millimeter"
    assert "Not a medical device" in viewer.title


def test_another_case_replaces_the_layers_and_leaves_foreign_ones(
    opened: Any, head_case: Callable[..., Case]
) -> None:
    viewer, bench, _ = opened
    viewer.add_image(np.zeros((3, 3, 3)), name="the user's own")
    bench.session.open(head_case((30, 28, 10), "sub-02"))
    bench.scene.flush()
    ours = [layer for layer in viewer.layers if layers.role(layer)]
    assert {layer.data.shape for layer in ours} == {(10, 28, 30)}
    assert "the user's own" in [layer.name for layer in viewer.layers]
    assert len({layers.role(layer) for layer in ours}) == len(ours)


def test_a_renamed_layer_is_still_the_mask(opened: Any, qtbot: Any) -> None:
    _viewer, bench, _ = opened
    layer = bench.scene.mask("veins")
    layer.name = "my veins"
    layer.data_setitem(tuple(np.array([i]) for i in (0, 1, 1)), 1)
    qtbot.waitUntil(lambda: "veins" in bench.session.edited)


def test_a_removed_layer_comes_back_on_demand(opened: Any) -> None:
    viewer, bench, _panels = opened
    viewer.layers.remove(bench.scene.mask("veins"))
    assert bench.scene.mask("veins") is None
    bench.scene.show("veins")
    assert (bench.session.case.maps["veins"].data == bench.scene.mask("veins").data.T).all()


def test_the_image_under_the_masks_is_chosen(opened: Any) -> None:
    _viewer, bench, panels = opened
    bench.scene.show_image("magnitude")
    assert bench.scene.image_on_top() == "magnitude"
    assert not bench.scene.layer("susceptibility").visible
    assert bench.scene.layer("veins").visible
    bar = panels["Correct masks"].view_bar
    bar.image.setCurrentIndex(bar.image.findData("susceptibility"))
    bar._show_image(0)
    assert bench.scene.image_on_top() == "susceptibility"


@pytest.fixture
def in_window(workspace: Any, head_case: Callable[..., Case]) -> Any:
    """Docks in a window, with a case of few layers."""
    viewer, bench, panels = workspace()
    case = head_case()
    bench.session.open(case.without([n for n in case.maps if n not in ("magnitude", "phase")]))
    return viewer, bench, panels


def close_dock(panel: Any) -> None:
    """As the "x" of the dock does it."""
    dock = panel
    while not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    dock.destroyOnClose()


def test_closing_the_dock_stops_its_run_and_it_can_be_opened_again(
    in_window: Any, recipe: Recipe, qtbot: Any
) -> None:
    viewer, bench, panels = in_window
    panel = panels["Reconstruct"]
    show_recipe(panel, recipe.with_parameters("slow_map", {"count": 5000}))
    before = bench.session.case
    panel.run()
    qtbot.wait(50)
    close_dock(panel)
    qtbot.waitUntil(lambda: not bench.jobs.running)
    assert bench.session.case is before
    again = open_workspace(viewer)["Reconstruct"]
    assert again is not panel
    assert again.session is bench.session
    bench.session.set_side("right")  # the closed panel hears nothing of it
    assert panels["Measure and export"].side.currentData() == "right"


def test_hiding_a_dock_behind_its_tab_stops_nothing(
    in_window: Any, recipe: Recipe, qtbot: Any
) -> None:
    _, bench, panels = in_window
    panel = panels["Reconstruct"]
    show_recipe(panel, recipe.with_parameters("slow_map", {"count": 60}))
    panel.run()
    panel.hide()
    qtbot.waitUntil(lambda: not bench.jobs.running)
    assert "Reconstructed" in panel.message.text()


def test_closing_the_window_stops_the_run(in_window: Any, recipe: Recipe, qtbot: Any) -> None:
    viewer, bench, panels = in_window
    show_recipe(panels["Reconstruct"], recipe.with_parameters("slow_map", {"count": 5000}))
    before = bench.session.case
    panels["Reconstruct"].run()
    qtbot.wait(50)
    assert bench.jobs.running
    viewer.close()
    asked = time.monotonic()
    qtbot.waitUntil(lambda: not bench.jobs.running)
    assert time.monotonic() - asked < 2
    assert bench.session.case is before
