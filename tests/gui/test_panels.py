"""The docks Reconstruct, Measure and export, and Open case."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QTimer

from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.progress import Progress
from napari_qsm_stroke.core.quantities import (
    LocalField,
    Magnitude,
    Susceptibility,
)
from napari_qsm_stroke.errors import Cancelled
from napari_qsm_stroke.gui import layers
from napari_qsm_stroke.gui.app import show_case
from napari_qsm_stroke.gui.panels.reconstruct import StepBox
from napari_qsm_stroke.gui.readers import get_reader
from napari_qsm_stroke.gui.workbench import workbench
from napari_qsm_stroke.io.nifti import write_volume
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.pipeline.recipe import Recipe, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_qsm_stroke import Case

pytestmark = pytest.mark.gl


def show_recipe(panel: Any, recipe: Recipe) -> None:
    panel._recipe = recipe
    panel._show_steps()
    panel.refresh(frozenset({"recipe"}))


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


def test_a_step_says_that_it_ran_or_was_left_out(
    qtbot: Any, head_case: Callable[..., Case], recipe: Recipe
) -> None:
    box = StepBox(recipe, 0)
    qtbot.addWidget(box)
    case = head_case()
    for action, note, said in (
        ("run", "", "Time of the last run"),
        (
            "run",
            "took its usual 30 iterations",
            "Time of the last run: took its usual 30 iterations",
        ),
        ("skip", "there is no DWI", "Left out: there is no DWI"),
    ):
        box.tell(case.with_maps(Record(action, "slow_map", note=note), {}))
        assert box.outcome.toolTip() == said


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


def test_export_says_what_was_asked_for_and_is_found_again(
    opened: Any, recipe: Recipe, qtbot: Any, tmp_path: Path
) -> None:
    _, bench, panels = opened
    panel = panels["Measure and export"]
    assert panel.report_button.isHidden()
    bench.reconstruct(recipe)
    qtbot.waitUntil(lambda: not bench.jobs.running)
    bench.session.set_side("left")
    panel.export(tmp_path / "out")
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
    assert str(tmp_path / "out") in panel.message.text(), panel.message.text()
    assert not panel.report_button.isHidden()
    assert panel._report().is_file()
    manifest = json.loads((tmp_path / "out/sub-01/sub-01_manifest.json").read_text())
    assert 'method = "slow_map"' in manifest["config"]["recipe"]
    assert manifest["config"]["side"] == "left"


def test_a_folder_that_cannot_be_written_is_told(opened: Any, qtbot: Any, tmp_path: Path) -> None:
    _, _bench, panels = opened
    panel = panels["Measure and export"]
    (tmp_path / "file").write_text("in the way")
    panel.export(tmp_path / "file")
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
    assert "file" in panel.message.text()
    assert panel.export_button.isEnabled()
    assert panel.report_button.isHidden()


def test_a_result_never_lands_on_another_case(
    opened: Any, recipe: Recipe, head_case: Callable[..., Case], qtbot: Any
) -> None:
    _, bench, panels = opened
    panel = panels["Reconstruct"]
    show_recipe(panel, recipe.with_parameters("slow_map", {"count": 5000}))
    panel.run()
    qtbot.waitUntil(lambda: panel.bar.value() > 0)
    other = head_case()
    bench.session.open(other)
    qtbot.waitUntil(lambda: not bench.jobs.running)
    assert bench.session.case is other
    assert bench.session.measurements is not None
