"""The docks on a small case in a viewer: one session, tools, undo, closing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.progress import Progress, steps
from napari_qsm_stroke.core.quantities import (
    LocalField,
    Magnitude,
    Susceptibility,
    Veins,
)
from napari_qsm_stroke.errors import Cancelled
from napari_qsm_stroke.gui import layers
from napari_qsm_stroke.gui.app import dock_name, open_workspace, show_case
from napari_qsm_stroke.gui.panels.measure import MeasurePanel
from napari_qsm_stroke.gui.panels.reconstruct import ReconstructPanel
from napari_qsm_stroke.gui.readers import get_reader
from napari_qsm_stroke.gui.workbench import workbench
from napari_qsm_stroke.io.nifti import write_volume
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.pipeline.recipe import Recipe, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_qsm_stroke import Case

pytestmark = pytest.mark.gl


@pytest.fixture
def recipe() -> Iterator[Recipe]:
    """A slow step that can be stopped, and a quick one."""

    @method()
    def slow_map(magnitude: Magnitude, progress: Progress, count: int = 3) -> Susceptibility:
        """Wait, then scale the first echo."""
        for _ in steps(count, progress, "slow_map"):
            time.sleep(0.01)
        return (magnitude[..., 0] / 400).astype(np.float32)

    @method()
    def bright_veins(susceptibility: Susceptibility, level: float = 0.22) -> Veins:
        """Take what is bright."""
        return (susceptibility > level).astype(np.uint8)

    yield Recipe("quick", (Step("slow_map"), Step("bright_veins")))
    forget("slow_map")
    forget("bright_veins")


@pytest.fixture
def opened(desk: Any, head_case: Callable[..., Case], qtbot: Any) -> Any:
    """Panels that show a measured case."""
    viewer, bench, panels = desk()
    bench.session.open(head_case())
    bench.scene.flush()
    qtbot.waitUntil(lambda: bench.session.measurements is not None)
    return viewer, bench, panels


def paint(layer: Any, value: int, *voxels: tuple[int, int, int]) -> None:
    """One stroke, as napari's own tools make it."""
    with layer.block_history():
        for voxel in voxels:
            layer.data_setitem(tuple(np.array([v]) for v in voxel), value)


def show_recipe(panel: Any, recipe: Recipe) -> None:
    panel._recipe = recipe
    panel._show_steps()
    panel.refresh(frozenset({"recipe"}))


# -- one session -----------------------------------------------------------------------------


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


def test_napari_s_menu_opens_the_same_docks(make_napari_viewer: Any, npe2pm: Any) -> None:
    viewer = make_napari_viewer()
    with npe2pm.tmp_plugin(package="napari-qsm-stroke"):
        _, panel = viewer.window.add_plugin_dock_widget("napari-qsm-stroke", "Reconstruct")
    assert isinstance(panel, ReconstructPanel)
    assert panel.bench is workbench(viewer)


# -- layers follow the case ------------------------------------------------------------------


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
    paint(layer, 1, (0, 1, 1))
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


# -- hand edits ------------------------------------------------------------------------------


def test_the_table_follows_a_stroke_its_undo_and_its_redo(opened: Any, qtbot: Any) -> None:
    _, bench, panels = opened
    panel = panels["Measure and export"]
    before = panel.median("infarct_core")
    voxels = bench.session.measurements.row("infarct_core").n_vein_voxels
    layer = bench.scene.mask("veins")
    core = np.argwhere(bench.session.case.maps["infarct"].data.T)
    paint(layer, 1, *(tuple(v) for v in core[:2500]))
    qtbot.waitUntil(lambda: panel.median("infarct_core") != before)
    assert bench.session.measurements.row("infarct_core").n_vein_voxels > voxels
    layer.undo()
    qtbot.waitUntil(lambda: panel.median("infarct_core") == before)
    layer.redo()
    qtbot.waitUntil(lambda: panel.median("infarct_core") != before)


def test_strokes_become_one_recorded_edit(opened: Any, qtbot: Any) -> None:
    _, bench, _ = opened
    layer = bench.scene.mask("veins")
    for i in range(3):
        paint(layer, 1, (i, 1, 1))
        bench.scene.collect()
    history = bench.session.require().history
    assert [r.action for r in history] == ["run", "edit"]
    assert history[-1].parameters["changed_voxels"] == 3


def test_whole_mask_edits_are_one_step_of_undo(opened: Any, qtbot: Any) -> None:
    _, bench, panels = opened
    panel = panels["Correct masks"]
    panel.masks.setCurrentIndex(panel.masks.findData("infarct"))
    before = bench.scene.mask("infarct").data.copy()
    panel.distance.setValue(2.0)
    panel.transform("Grow", panel._grow())
    qtbot.waitUntil(lambda: not panel.working)
    after = bench.scene.mask("infarct").data
    assert after.sum() > before.sum()
    assert (after >= before).all()
    panel._on_layer("undo")
    assert (bench.scene.mask("infarct").data == before).all()
    bench.scene.collect()
    qtbot.waitUntil(lambda: (bench.session.case.maps["infarct"].data == before.T).all())


def test_a_click_takes_one_part_away(opened: Any, qtbot: Any) -> None:
    _, bench, panels = opened
    panel = panels["Correct masks"]
    panel.masks.setCurrentIndex(panel.masks.findData("infarct"))
    layer = bench.scene.mask("infarct")
    paint(layer, 1, (11, 35, 39))
    whole = layer.data.sum()
    panel.use("remove_part")
    assert layer.mode == "pan_zoom"
    panel._part_clicked((39, 35, 11))
    qtbot.waitUntil(lambda: not panel.working)
    assert layer.data.sum() == whole - 1
    panel._part_clicked((0, 0, 0))
    qtbot.waitUntil(lambda: not panel.working)
    assert "not part of it" in panel.message.text()
    panel.use("paint")
    assert layer.mode == "paint"
    assert panel._click._press not in layer.mouse_drag_callbacks


def test_a_mask_that_is_not_there_can_be_drawn(
    desk: Any, head_case: Callable[..., Case], qtbot: Any
) -> None:
    _, bench, panels = desk()
    bench.session.open(head_case().without(["infarct"]))
    bench.scene.flush()
    qtbot.waitUntil(lambda: "infarct core" in panels["Measure and export"].notes.text())
    panel = panels["Correct masks"]
    panel.masks.setCurrentIndex(panel.masks.findData("infarct"))
    panel.use("paint")
    layer = bench.scene.mask("infarct")
    assert not bench.session.edited
    assert layer.selected_label == 1
    paint(layer, 1, (5, 10, 8), (5, 11, 8))
    qtbot.waitUntil(lambda: bench.session.measurements is not None)
    assert bench.session.case.maps["infarct"].data.sum() == 2


def test_reset_brings_the_proposal_back(opened: Any, qtbot: Any) -> None:
    _, bench, panels = opened
    panel = panels["Correct masks"]
    proposal = bench.scene.mask("veins").data.copy()
    assert panel.accept_button.isEnabled()
    assert not panel.reset_button.isEnabled()
    paint(bench.scene.mask("veins"), 1, (0, 1, 1))
    bench.scene.collect()
    assert panel.reset_button.isEnabled()
    assert "hand" in panel.state.text()
    panel.reset_button.click()
    bench.scene.flush()
    assert (bench.scene.mask("veins").data == proposal).all()
    assert "veins" not in bench.session.case.given


def test_undo_after_a_new_proposal_punches_no_holes(
    opened: Any, recipe: Recipe, qtbot: Any
) -> None:
    _, bench, _ = opened
    layer = bench.scene.mask("veins")
    paint(layer, 1, (0, 1, 1))
    bench.scene.collect()
    bench.session.reset("veins")
    bench.reconstruct(recipe)
    qtbot.waitUntil(lambda: not bench.jobs.running)
    bench.scene.flush()
    proposed = bench.session.case.maps["veins"].data.T.copy()
    assert (layer.data == proposed).all()
    layer.undo()
    assert (layer.data == proposed).all()


def test_the_brush_is_in_millimetres(opened: Any) -> None:
    _, bench, panels = opened
    panel = panels["Correct masks"]
    panel.use("paint")
    panel.brush.setValue(16)
    layer = bench.scene.mask("veins")
    assert layer.brush_size * min(layer.scale) == 8.0
    assert panel.brush_label.text() == "8.0 mm"
    panel.ball.setChecked(True)
    assert layer.n_edit_dimensions == 3


def test_jumping_between_slices(opened: Any) -> None:
    viewer, bench, _ = opened
    layer = bench.scene.mask("infarct")

    def here() -> int:
        return round((viewer.dims.point[0] - layer.translate[0]) / layer.scale[0])

    bench.scene.jump("infarct", 0)
    first = here()
    assert layer.data[first].any()
    bench.scene.jump("infarct", 1)
    assert here() == first + 1
    viewer.dims.set_point(0, layer.translate[0])
    bench.scene.jump("infarct", 1)
    assert here() == 2
    bench.scene.jump("infarct", -1)
    assert here() == 2


# -- reconstruct -----------------------------------------------------------------------------


def test_reconstruct_cancel_and_again(opened: Any, recipe: Recipe, qtbot: Any) -> None:
    _, bench, panels = opened
    panel = panels["Reconstruct"]
    show_recipe(panel, recipe.with_parameters("slow_map", {"count": 5000}))
    before = bench.session.case
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.bar.value() > 0)
    assert not panel.run_button.isEnabled()
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.working)
    assert bench.session.case is before
    assert "Stopped" in panel.message.text()
    assert panel.run_button.isEnabled()
    show_recipe(panel, recipe)
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.working)
    assert "Reconstructed" in panel.message.text()
    assert bench.session.case is not before
    panel.undo_button.click()
    assert bench.session.case is before
    bench.scene.flush()
    assert (before.maps["veins"].data == bench.scene.mask("veins").data.T).all()


def test_a_failing_step_says_why_and_changes_nothing(opened: Any, qtbot: Any) -> None:
    @method()
    def failing_map(magnitude: Magnitude) -> Susceptibility:
        """Fail."""
        raise RuntimeError("solver diverged")

    try:
        _, bench, panels = opened
        before = bench.session.case
        panel = panels["Reconstruct"]
        show_recipe(panel, Recipe("failing", (Step("failing_map"),)))
        panel.run_button.click()
        qtbot.waitUntil(lambda: not panel.working)
        assert "solver diverged" in panel.message.text()
        assert bench.session.case is before
        assert panel.run_button.isEnabled()
    finally:
        forget("failing_map")


def test_a_new_method_appears_in_the_form_by_itself(desk: Any) -> None:
    @method()
    def temporary_inversion(
        local_field: LocalField, strength: float = 1e-5, turns: int = 3
    ) -> Susceptibility:
        """Stand in for tv."""
        return strength * local_field

    try:
        _, _, panels = desk()
        panel = panels["Reconstruct"]
        names = [step.method for step in panel.recipe.steps]
        box = panel.boxes[names.index("tv")]
        assert box.methods.findData("temporary_inversion") >= 0
        assert box.methods.findData("tkd") >= 0
        box.methods.setCurrentIndex(box.methods.findData("temporary_inversion"))
        new = panel.boxes[names.index("tv")]
        assert new.form.values() == {"strength": 1e-5, "turns": 3}
        assert [step.method for step in panel.recipe.steps].count("temporary_inversion") == 1
    finally:
        forget("temporary_inversion")


def test_a_wrong_parameter_is_told_at_the_button(desk: Any) -> None:
    _, _, panels = desk()
    panel = panels["Reconstruct"]
    field = next(
        f for box in panel.boxes for f in box.form.fields.values() if f.parameter.type is float
    )
    field.widget.setText("many")
    assert not panel.run_button.isEnabled()
    assert "many" in panel.run_button.toolTip()


# -- closing ---------------------------------------------------------------------------------


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


# -- measure and open ------------------------------------------------------------------------


def test_side_and_settings_change_the_table(opened: Any, qtbot: Any) -> None:
    _, bench, panels = opened
    panel = panels["Measure and export"]
    assert panel.side.currentText() == "found: left"
    panel.side.setCurrentIndex(panel.side.findData("right"))
    qtbot.waitUntil(lambda: bench.session.measurements.side == "right")
    panel.side.setCurrentIndex(0)
    qtbot.waitUntil(lambda: bench.session.measurements.side == "left")
    panel.form.fields["min_voxels"].set(9999)
    qtbot.waitUntil(lambda: panel.median("infarct_core") == "n/a")
    panel.form.fields["guard"].widget.setText("-1")
    assert "out of bounds" in panel.message.text()


def test_bad_files_are_one_sentence_in_the_dock(desk: Any, tmp_path: Any, qtbot: Any) -> None:
    _, bench, panels = desk()
    panel = panels["Open case"]
    (tmp_path / "mag.nii").write_bytes(b"no image")
    panel.take([tmp_path / "mag.nii"])
    panel.open_files()
    qtbot.waitUntil(lambda: not panel.working)
    assert panel.message.text()
    assert "Traceback" not in panel.message.text()
    assert "\n" not in panel.message.text()
    assert bench.session.case is None
    panel.echo_times.setText("five")
    panel.open_files()
    assert "'five' is no number" in panel.message.text()
    panel.take([tmp_path / "unknown.nii"])
    assert "does not say what it is" in panel.message.text()
    panel.choose_folder(tmp_path)
    assert panel.message.text()


def test_files_are_opened_by_role(
    desk: Any, head_case: Callable[..., Case], tmp_path: Any, qtbot: Any
) -> None:
    case = head_case()
    (tmp_path / "sub-07_part-phase_MEGRE.json").write_text('{"Units": "rad"}')
    paths = [
        write_volume(case.maps["magnitude"], tmp_path / "sub-07_part-mag_MEGRE.nii.gz"),
        write_volume(case.maps["phase"], tmp_path / "sub-07_part-phase_MEGRE.nii.gz"),
        write_volume(case.maps["veins"], tmp_path / "sub-07_desc-vein_mask.nii.gz"),
    ]
    _, bench, panels = desk()
    panel = panels["Open case"]
    panel.take(paths)
    panel.echo_times.setText("0.005 0.010")
    panel.field_strength.setText("3")
    panel.open_files()
    qtbot.waitUntil(lambda: not panel.working)
    assert "sub-07 is open" in panel.message.text(), panel.message.text()
    assert "veins" in bench.session.case.given
    assert "typed in" in panel.facts.text()
    bench.scene.flush()
    panel.echo.setValue(2)
    bench.scene.flush()
    shown = bench.scene.layer("magnitude").data
    assert (shown == bench.session.case.maps["magnitude"].data[..., 1].T).all()


def test_a_sample_travels_with_its_case(head_case: Callable[..., Case], qtbot: Any) -> None:
    """The docks take up a case whose layers were there before them."""
    case = head_case()
    viewer = ViewerModel()
    for name in ("magnitude", "phase"):
        data, attributes, _ = layers.layer_data(name, case.maps[name], case=case)
        viewer.add_image(data, **attributes)
    bench = workbench(viewer)
    assert bench.session.case is case
    bench.scene.flush()
    assert [layers.role(x) for x in viewer.layers].count("magnitude") == 1
    qtbot.waitUntil(lambda: not bench.jobs.running)


@pytest.fixture
def bids(head_case: Callable[..., Case], tmp_path: Any) -> Path:
    """A data set of two small examinations."""
    for subject in ("01", "02"):
        case = head_case((30, 28, 10), f"sub-{subject}")
        folder = tmp_path / "bids" / f"sub-{subject}" / "anat"
        folder.mkdir(parents=True)
        for name, part in (("magnitude", "mag"), ("phase", "phase")):
            for echo in range(2):
                stem = f"sub-{subject}_echo-{echo + 1}_part-{part}_MEGRE"
                volume = case.maps[name]
                one = Volume(volume.data[..., echo], volume.grid)
                write_volume(one, folder / f"{stem}.nii.gz")
                facts = {"EchoTime": 0.005 * (echo + 1), "MagneticFieldStrength": 3}
                facts |= {"Units": "rad"} if part == "phase" else {}
                (folder / f"{stem}.json").write_text(json.dumps(facts))
    return tmp_path / "bids"


def test_a_folder_lists_its_examinations(desk: Any, bids: Path, qtbot: Any) -> None:
    _, bench, panels = desk()
    panel = panels["Open case"]
    panel.take([bids])
    listed = [panel.participants.item(i).text() for i in range(panel.participants.count())]
    assert listed == ["sub-01", "sub-02"]
    panel._open_item(panel.participants.item(1))
    qtbot.waitUntil(lambda: not panel.working)
    assert bench.session.case.key == "sub-02"
    assert "from the files" in panel.facts.text()


def test_napari_opens_a_folder_as_a_case(bids: Path, qtbot: Any) -> None:
    reader = get_reader(str(bids))
    assert reader is not None
    viewer = ViewerModel()
    bench = workbench(viewer)
    for data, attributes, kind in reader(str(bids)):
        getattr(viewer, f"add_{kind}")(data, **attributes)
    assert bench.session.case.key == "sub-01"
    qtbot.waitUntil(lambda: not bench.jobs.running)


def test_work_that_napari_waits_for_is_shown_and_can_be_stopped(desk: Any, qtbot: Any) -> None:
    _, bench, panels = desk()
    panel = panels["Open case"]

    def endless(progress: Progress) -> None:
        for i in range(10_000):
            progress(i / 10_000, "endless")
            time.sleep(0.005)

    QTimer.singleShot(200, panel.cancel_button.click)
    with pytest.raises(Cancelled):
        bench.jobs.wait("Wait", endless)
    assert "Stopped" in panel.message.text()


def test_a_finished_case_is_shown_with_its_table(
    make_napari_viewer: Any,
    head_case: Callable[..., Case],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What ``qsm-stroke demo`` does at its end."""
    monkeypatch.setattr("napari_qsm_stroke.gui.app.napari.Viewer", make_napari_viewer)
    case = head_case()
    measurements = measure(case)
    bench = show_case(case, measurements, block=False)
    assert bench.session.case is case
    assert bench.session.measurements is measurements
    assert bench.view.plane == "axial"
    layer = bench.scene.mask("infarct")
    here = round((bench.viewer.dims.point[0] - layer.translate[0]) / layer.scale[0])
    assert layer.data[here].any()
    qtbot.waitUntil(lambda: not bench.jobs.running)
    assert bench.session.measurements == measurements
