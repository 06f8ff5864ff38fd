"""The live preview: a changed parameter of a mask on the slice that is shown, never in the case."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pytest
from annotated_types import Interval

from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.progress import Progress, steps
from napari_qsm_stroke.core.quantities import Susceptibility, Veins
from napari_qsm_stroke.gui import live_preview
from napari_qsm_stroke.gui.layers import role
from napari_qsm_stroke.pipeline.apply import apply
from napari_qsm_stroke.pipeline.recipe import Recipe, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_qsm_stroke import Case

pytestmark = pytest.mark.gl
SHAPE = (20, 30, 40)
SLAB = 20 * 30 * 15
"""Voxels within 20 mm of an axial slice."""


def lowest(shape: tuple[int, ...], share: float) -> Any:
    z = np.indices(shape)[2]
    return (z < share * shape[2]).astype(np.uint8)


@pytest.fixture
def calls() -> Iterator[list[tuple[str, int, float]]]:
    """Two ways to find veins: by each voxel alone, and by the whole map; who was called on what."""
    made: list[tuple[str, int, float]] = []

    @method()
    def local_veins(
        susceptibility: Susceptibility,
        progress: Progress,
        level: Annotated[float, Interval(gt=0)] = 0.1,
        wait: float = 0.0,
    ) -> Veins:
        """Take what is bright."""
        assert threading.current_thread() is not threading.main_thread()
        made.append(("local", susceptibility.size, level))
        for _ in steps(round(100 * wait) if susceptibility.shape == SHAPE else 1, progress, "wait"):
            time.sleep(min(wait, 0.01))
        return (susceptibility > level).astype(np.uint8)

    @method()
    def whole_veins(
        susceptibility: Susceptibility, progress: Progress, share: float = 0.45
    ) -> Veins:
        """Take the lowest part of the image."""
        made.append(("whole", susceptibility.size, share))
        progress(0.5, "share")
        return lowest(susceptibility.shape, share)

    yield made
    forget("local_veins")
    forget("whole_veins")


@pytest.fixture
def tall(desk: Any, head_case: Any, calls: Any, qtbot: Any) -> Any:
    """Panels on a case that is taller than a slab, with veins of a recorded run."""
    _, bench, panels = desk()
    case = head_case(SHAPE)
    case = case.without({"veins"}).with_given({"susceptibility": case.maps["susceptibility"]})
    ran: list[Case] = []
    thread = threading.Thread(target=lambda: ran.append(apply(case, "local_veins")))
    thread.start()
    thread.join()
    bench.session.open(ran[0])
    bench.scene.flush()
    qtbot.waitUntil(lambda: bench.session.measurements is not None)
    calls.clear()
    bench.view.plane = "axial"
    bench.viewer.dims.set_point(0, 0.0)
    return bench, panels["Reconstruct"]


def offer(panel: Any, name: str, **parameters: Any) -> Any:
    """Show the panel with one step, and return the form of it."""
    panel._recipe = Recipe("one", (Step(name, parameters),))
    panel._show_steps()
    return panel.boxes[0].form


def settled(panel: Any, qtbot: Any) -> Any:
    """Wait until the preview has come to rest."""
    preview = panel.previews.preview
    qtbot.waitUntil(lambda: not preview.working, timeout=20_000)
    return preview


def slice_shown(bench: Any) -> int:
    volume = bench.session.case.maps["susceptibility"]
    affine = volume.grid.affine
    return round((bench.viewer.dims.point[0] - affine[2, 3]) / affine[2, 2])


def test_a_changed_parameter_is_shown_on_this_slice_and_is_not_the_case(
    tall: Any, calls: Any, qtbot: Any
) -> None:
    bench, panel = tall
    before = bench.session.case
    form = offer(panel, "local_veins", wait=30.0)
    form.fields["level"].widget.setText("0.15")
    preview = panel.previews.preview
    qtbot.waitUntil(lambda: preview.layer is not None, timeout=20_000)
    here = slice_shown(bench)
    chi = before.maps["susceptibility"].data
    assert preview.layer.data[here].any()
    assert (preview.layer.data[here] == (chi[:, :, here] > 0.15).T).all()
    assert not np.delete(preview.layer.data, here, axis=0).any()
    assert panel.previews.line.text().startswith("Preview of this slice, not yet the case.")
    assert [(size, level) for _, size, level in calls][:2] == [(SLAB, 0.1), (SLAB, 0.15)]
    assert bench.session.case is before
    assert role(preview.layer) is None
    assert preview.layer.name == "Preview: veins"
    assert not preview.layer.editable
    bench.viewer.dims.set_point(0, 9.0)  # the whole is on its way; the new slice comes before it
    qtbot.waitUntil(lambda: preview.layer.data[slice_shown(bench)].any(), timeout=20_000)
    assert slice_shown(bench) != here
    assert (
        preview.layer.data[slice_shown(bench)] == (chi[:, :, slice_shown(bench)] > 0.15).T
    ).all()
    bench.viewer.dims.set_point(1, -11.0)
    bench.view.plane = "coronal"
    data = preview.layer.data
    qtbot.waitUntil(lambda: preview.layer.data is not data, timeout=20_000)
    assert (preview.layer.data[:, 9] == (chi[:, 9] > 0.15).T).all()
    assert not np.delete(preview.layer.data, 9, axis=1).any()


def test_the_whole_follows_and_then_every_slice_is_there(tall: Any, calls: Any, qtbot: Any) -> None:
    bench, panel = tall
    form = offer(panel, "local_veins")
    form.fields["level"].widget.setText("0.15")
    preview = settled(panel, qtbot)
    chi = bench.session.case.maps["susceptibility"].data
    assert (preview.layer.data == (chi > 0.15).T).all()
    assert panel.previews.line.text() == live_preview.ALL
    assert [size for _, size, _ in calls] == [SLAB, SLAB, chi.size]
    calls.clear()
    bench.viewer.dims.set_point(0, 9.0)
    bench.view.plane = "sagittal"
    settled(panel, qtbot)
    assert calls == []
    bench.view.plane = "axial"
    bench.viewer.dims.set_point(0, 0.0)
    form.fields["level"].widget.setText("0.16")
    settled(panel, qtbot)
    assert [size for _, size, _ in calls] == [SLAB, chi.size], "what the slab is worth is known"


def test_where_a_slab_would_mislead_the_whole_is_shown_and_said(
    tall: Any, calls: Any, qtbot: Any
) -> None:
    bench, panel = tall
    form = offer(panel, "whole_veins")
    bench.viewer.dims.set_point(0, -13.5)
    assert slice_shown(bench) == 15
    shape = bench.session.case.grid.shape
    form.fields["share"].widget.setText("0.44")
    preview = settled(panel, qtbot)
    assert (preview.layer.data == lowest(shape, 0.44).T).all()
    assert panel.previews.line.text() == live_preview.ALL
    calls.clear()
    form.fields["share"].widget.setText("0.43")  # now there is a mask to hold the slab against
    preview = settled(panel, qtbot)
    assert [size < np.prod(shape) for _, size, _ in calls] == [True, False]
    assert (preview.layer.data == lowest(shape, 0.43).T).all()
    calls.clear()
    bench.viewer.dims.set_point(0, 30.0)  # the whole is there already
    settled(panel, qtbot)
    assert calls == []


def test_a_newer_change_stops_the_last_one(tall: Any, calls: Any, qtbot: Any) -> None:
    _, panel = tall
    form = offer(panel, "local_veins", wait=30.0)
    form.fields["level"].widget.setText("0.11")
    qtbot.waitUntil(lambda: bool(calls))
    form.fields["wait"].widget.setText("0.0")
    form.fields["level"].widget.setText("0.12")
    form.fields["level"].widget.setText("0.13")
    preview = settled(panel, qtbot)
    assert preview.layer.data.any()
    assert calls[-1][2] == 0.13
    assert 0.12 not in {level for _, _, level in calls}


def test_it_goes_when_it_is_turned_off_when_a_run_starts_and_with_the_dock(
    tall: Any, qtbot: Any
) -> None:
    bench, panel = tall
    names = [layer.name for layer in bench.viewer.layers]
    form = offer(panel, "local_veins")
    form.fields["level"].widget.setText("0.15")
    settled(panel, qtbot)
    assert len(bench.viewer.layers) == len(names) + 1
    panel.previews.switch.setChecked(False)
    assert [layer.name for layer in bench.viewer.layers] == names
    assert panel.previews.line.isHidden()
    panel.previews.switch.setChecked(True)
    preview = settled(panel, qtbot)
    assert preview.layer is not None
    panel.run_button.click()
    assert preview.layer is None
    qtbot.waitUntil(lambda: not panel.working, timeout=20_000)
    bench.scene.flush()
    names = [layer.name for layer in bench.viewer.layers]
    form.fields["level"].widget.setText("0.16")
    assert settled(panel, qtbot).layer is not None
    panel.close_down()
    assert [layer.name for layer in bench.viewer.layers] == names
    form.fields["level"].widget.setText("0.17")
    assert not preview.working


def test_a_mask_that_was_corrected_gets_no_preview(tall: Any, calls: Any, qtbot: Any) -> None:
    bench, panel = tall
    corrected = bench.session.case.maps["veins"].data.copy()
    corrected[3:9, 3:9, 20] = 1
    bench.scene.set_mask("veins", corrected)
    bench.scene.collect()
    calls.clear()
    form = offer(panel, "local_veins")
    form.fields["level"].widget.setText("0.15")
    preview = settled(panel, qtbot)
    assert "corrected by hand" in panel.previews.line.text()
    assert preview.layer is None
    assert calls == []
    assert (bench.session.case.maps["veins"].data == corrected).all()


def test_what_cannot_be_previewed_is_said_in_plain_words(tall: Any, qtbot: Any) -> None:
    bench, panel = tall
    form = offer(panel, "local_veins")
    bench.scene.mask("infarct").contour = 0  # which napari warns of in 3D
    bench.viewer.dims.ndisplay = 3
    form.fields["level"].widget.setText("0.15")
    assert settled(panel, qtbot).layer is None
    assert "3D" in panel.previews.line.text()
    bench.viewer.dims.ndisplay = 2
    assert settled(panel, qtbot).layer is not None
    form.fields["level"].widget.setText("-1")
    assert panel.previews.preview.layer is None, "a preview of other numbers than those typed"
    case = bench.session.case
    assert "susceptibility" in live_preview.why_not(
        case.without({"susceptibility"}), live_preview.get_method("local_veins")
    )


def test_maps_that_are_no_masks_have_no_preview(tall: Any, recipe: Recipe, qtbot: Any) -> None:
    _, panel = tall
    form = offer(panel, "slow_map")
    form.fields["count"].set(5)
    assert not panel.previews.preview.working


def test_a_preview_that_the_reader_removes_is_over(tall: Any, qtbot: Any) -> None:
    bench, panel = tall
    form = offer(panel, "local_veins")
    form.fields["level"].widget.setText("0.15")
    preview = settled(panel, qtbot)
    active = bench.scene.mask("veins")
    bench.viewer.layers.selection.active = active
    bench.viewer.layers.remove(preview.layer)
    assert preview.layer is None
    assert panel.previews.line.isHidden()
    form.fields["level"].widget.setText("0.16")
    assert settled(panel, qtbot).layer is not None
    assert bench.viewer.layers.selection.active == active, "the tool stays in the hand"
