"""Hand edits: the tools, the way back, and the table that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_qsm_stroke.pipeline.recipe import Recipe
from napari_qsm_stroke.pipeline.run import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke import Case

pytestmark = pytest.mark.gl


def paint(layer: Any, value: int, *voxels: tuple[int, int, int]) -> None:
    """One stroke, as napari's own tools make it."""
    with layer.block_history():
        for voxel in voxels:
            layer.data_setitem(tuple(np.array([v]) for v in voxel), value)


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
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
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
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
    assert layer.data.sum() == whole - 1
    panel._part_clicked((0, 0, 0))
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
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


def mask_with(mask: Any, *voxels: tuple[int, int, int]) -> Any:
    """Mask (X, Y, Z) with more voxels in it, as a script makes it."""
    changed = np.array(mask)
    for voxel in voxels:
        changed[voxel] = 1
    return changed


@pytest.mark.parametrize("order", ["stroke first", "script first"])
@pytest.mark.parametrize("shown", [False, True], ids=["at once", "layer up to date"])
def test_a_stroke_and_an_edit_of_a_script_both_count(
    opened: Any, qtbot: Any, order: str, shown: bool
) -> None:
    _, bench, _ = opened
    bench.scene._strokes.setInterval(60_000)  # the stroke never settles by itself
    layer = bench.scene.mask("veins")
    start = bench.session.case.maps["veins"].data.copy()
    drawn, written = (1, 1, 1), (2, 2, 2)
    assert not start[drawn]
    assert not start[written]
    todo = [
        lambda: paint(layer, 1, drawn[::-1]),
        lambda: bench.session.edit("veins", mask_with(start, written)),
    ]
    for act in todo if order == "stroke first" else todo[::-1]:
        act()
        if shown:
            bench.scene.flush()
    bench.scene.collect()
    bench.scene.flush()
    whole = mask_with(start, written, drawn)
    assert (bench.session.case.maps["veins"].data == whole).all()
    assert (layer.data == whole.T).all()
    layer.undo()
    bench.scene.collect()
    assert not (bench.session.case.maps["veins"].data == whole).all()


def test_a_stroke_meanwhile_stays_on_top_of_a_result(
    opened: Any, recipe: Recipe, qtbot: Any
) -> None:
    _, bench, _ = opened
    layer = bench.scene.mask("veins")
    result = run(bench.session.case, recipe)
    proposal = result.maps["veins"].data
    erased = tuple(np.argwhere(proposal & (layer.data.T > 0))[0])
    paint(layer, 0, erased[::-1])
    bench.session.commit(result)
    bench.scene.flush()
    whole = proposal.copy()
    whole[erased] = 0
    assert (bench.session.case.maps["veins"].data == whole).all()
    assert (layer.data == whole.T).all()
    assert bench.session.edited == {"veins"}


def test_a_stroke_taken_back_does_not_hold_what_a_result_drops(opened: Any) -> None:
    _, bench, _ = opened
    layer, case = bench.scene.mask("veins"), bench.session.case
    spot = tuple(np.argwhere(layer.data == 0)[0])
    paint(layer, 1, spot)
    layer.undo()
    bench.session.commit(case.without({"veins"}))
    bench.scene.flush()
    assert "veins" not in bench.session.case.maps
    assert not bench.session.edited


def test_a_stroke_meanwhile_does_not_follow_into_another_case(
    opened: Any, head_case: Callable[..., Case], qtbot: Any
) -> None:
    _, bench, _ = opened
    paint(bench.scene.mask("veins"), 1, (1, 1, 1))
    other = head_case(key="sub-02")
    bench.session.open(other)
    bench.scene.flush()
    qtbot.wait(100)
    assert not bench.session.edited
    assert bench.session.case is other
