"""The whole way in a real window: sample, reconstruct, cancel, paint, table, export, same files."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.gui import layers
from napari_qsm_stroke.gui.app import open_workspace, show_panel
from napari_qsm_stroke.gui.workbench import workbench
from napari_qsm_stroke.io.nifti import write_volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_qsm_stroke import Case

pytestmark = [pytest.mark.gl, pytest.mark.timeout(900)]

PLUGIN = "napari-qsm-stroke"
COARSE = ("warp_territories", "finest", 6.0)
"""The alignment of the template stops early: this test is about the window."""
PICTURES = os.environ.get("QSM_STROKE_PICTURES")
"""Folder for the screenshots, to be looked at; they are not compared."""


class Pulse:
    """Longest time that the event loop did not turn, in ms, by what was going on."""

    def __init__(self) -> None:
        self.gaps: dict[str, list[float]] = {}
        self._phase = "start"
        self._last, self._cpu = time.perf_counter(), time.thread_time()
        self.busy: dict[str, list[float]] = {}
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)

    def _beat(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        self.gaps.setdefault(self._phase, []).append(1000 * (now - self._last))
        self.busy.setdefault(self._phase, []).append(1000 * (cpu - self._cpu))
        self._last, self._cpu = now, cpu

    def enter(self, phase: str) -> None:
        self._phase = phase
        self._last, self._cpu = time.perf_counter(), time.thread_time()

    def stop(self) -> None:
        self._timer.stop()

    def __str__(self) -> str:
        lines = []
        for phase, gaps in self.gaps.items():
            p50, p99 = np.percentile(gaps, [50, 99])
            lines.append(
                f"{phase:>14}: {len(gaps)} turns, median {p50:.0f}, p99 {p99:.0f}, "
                f"longest {max(gaps):.0f} ms, {sum(g > 50 for g in gaps)} above 50 ms; "
                f"longest of this thread's own work {max(self.busy[phase]):.0f} ms"
            )
        return "\n".join(lines)


@pytest.fixture
def pulse(qapp: Any) -> Iterator[Pulse]:
    pulse = Pulse()
    yield pulse
    pulse.stop()
    print(f"\n{pulse}")


@pytest.fixture
def plugin(npe2pm: Any) -> Iterator[None]:
    """Let napari know this plugin, and no other, to the end of the test."""
    with npe2pm.tmp_plugin(package=PLUGIN):
        yield


def picture(viewer: Any, name: str) -> None:
    if PICTURES:
        viewer.screenshot(Path(PICTURES) / f"{name}.png", canvas_only=False, flash=False)


def on_canvas(viewer: Any, world: np.ndarray) -> QPoint:
    """Where a position (S, A, R) in mm lies on the canvas in the axial, radiological display."""
    camera = viewer.scene.camera
    height, width = viewer.canvas.size
    _, a, r = world
    down = -(a - camera.center[1]) * camera.zoom  # anterior is up
    right = -(r - camera.center[2]) * camera.zoom  # the patient's right is left
    return QPoint(round(width / 2 + right), round(height / 2 + down))


def stroke(viewer: Any, start: np.ndarray, stop: np.ndarray) -> None:
    """Draw with the left mouse button from one position to another."""
    canvas = viewer.window._qt_viewer.canvas.native
    points = [on_canvas(viewer, start + t * (stop - start)) for t in np.linspace(0, 1, 6)]
    QTest.mouseMove(canvas, points[0])
    QTest.qWait(50)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=points[0])
    for point in points[1:]:
        QTest.mouseMove(canvas, point)
        QTest.qWait(30)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=points[-1])
    QTest.qWait(50)


def raw_files(case: Case, folder: Path) -> list[str]:
    """Write what the scanner would have given; return the flags of the command line."""
    folder.mkdir()
    flags: list[str] = []
    for name in ("magnitude", "phase", "dwi", "b0", "adc"):
        path = write_volume(case.maps[name], folder / f"{case.key}_{name}.nii.gz")
        flags += [f"--{name}", str(path)]
    units = json.dumps({"Units": "rad"})
    (folder / f"{case.key}_phase.json").write_text(units)
    assert case.acquisition is not None
    flags += ["--echo-times", *(repr(t) for t in case.acquisition.echo_times)]
    return [*flags, "--field-strength", repr(case.acquisition.field_strength)]


def test_from_the_sample_to_the_same_files_as_the_command_line(
    plugin: None, make_napari_viewer: Any, qtbot: Any, pulse: Pulse, tmp_path: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 950)

    pulse.enter("sample")
    viewer.open_sample(PLUGIN, "quick_patient")
    bench, panels = workbench(viewer), open_workspace(viewer)
    reconstruct, measure = panels["Reconstruct"], panels["Measure and export"]
    assert bench.session.case is not None
    assert set(bench.session.case.maps) == {"magnitude", "phase", "dwi", "b0", "adc"}
    pulse.enter("first layers")
    qtbot.wait(1000)
    picture(viewer, "1_sample")

    pulse.enter("cancel")
    show_panel(reconstruct)
    names = [box.step.method for box in reconstruct.boxes]
    method, parameter, value = COARSE
    reconstruct.boxes[names.index(method)].form.fields[parameter].set(value)
    reconstruct.run_button.click()
    qtbot.waitUntil(lambda: reconstruct.bar.value() > 20, timeout=60_000)
    reconstruct.cancel_button.click()
    qtbot.waitUntil(lambda: not reconstruct.working, timeout=60_000)
    assert "susceptibility" not in bench.session.case.maps
    assert "Stopped" in reconstruct.message.text()

    pulse.enter("reconstruct")
    reconstruct.run_button.click()
    qtbot.waitUntil(lambda: reconstruct.bar.value() > 300, timeout=300_000)
    picture(viewer, "2_running")
    pulse.enter("reconstruct")
    qtbot.waitUntil(lambda: not reconstruct.working, timeout=300_000)
    assert "Reconstructed" in reconstruct.message.text(), reconstruct.message.text()
    pulse.enter("new layers")
    qtbot.waitUntil(lambda: bench.session.measurements is not None, timeout=60_000)
    qtbot.waitUntil(lambda: bench.scene.mask("veins") is not None)
    qtbot.wait(500)
    picture(viewer, "3_reconstructed")

    show_panel(panels["Correct masks"])
    bench.scene.jump("infarct", 0)
    panels["Correct masks"].use("paint")
    panels["Correct masks"].brush.setValue(8)
    layer = bench.scene.mask("veins")
    before, table_before = layer.data.copy(), measure.median("infarct_core")
    here = round((viewer.dims.point[0] - layer.translate[0]) / layer.scale[0])
    core = np.argwhere(bench.scene.mask("infarct").data[here])
    middle = np.array([here, *np.median(core, axis=0)])
    world = layer.translate + layer.scale * middle
    aside = np.array([0.0, 12.0, 0.0])
    viewer.scene.camera.center = tuple(world)
    qtbot.wait(200)
    pulse.enter("paint")
    stroke(viewer, world - aside, world + aside)
    qtbot.waitUntil(lambda: "veins" in bench.session.edited)
    qtbot.waitUntil(lambda: measure.median("infarct_core") != table_before)
    pulse.enter("after paint")
    painted = np.argwhere(layer.data != before)
    assert set(painted[:, 0]) == {here}
    off = np.abs(painted - middle)[:, 1:] * layer.scale[1:]
    assert off[:, 0].max() <= 12 + 4
    assert off[:, 1].max() <= 4
    show_panel(measure)
    qtbot.wait(300)
    picture(viewer, "4_painted")

    pulse.enter("export")
    measure.export(tmp_path / "window")
    qtbot.waitUntil(lambda: not measure.working, timeout=120_000)
    assert "files written" in measure.message.text(), measure.message.text()
    picture(viewer, "5_exported")
    pulse.stop()

    flags = raw_files(bench.session.case, tmp_path / "raw")
    for name in ("veins", "infarct"):
        mask = str(tmp_path / f"{name}.nii.gz")
        assert bench.scene.mask(name).save(mask, plugin=PLUGIN) == [mask]
        flags += [f"--{name}", mask]
    options = ["--recipe", "multi-echo", "--set", f"{method}.{parameter}={value}"]
    out = ["--out", str(tmp_path / "command")]
    code = main(["reconstruct", *flags, *options, *out])
    assert code == 0
    assert_same_results(tmp_path / "window", tmp_path / "command")


def assert_same_results(one: Path, other: Path) -> None:
    """Compare images and tables to the last byte."""
    endings = (".nii.gz", ".tsv")
    made = {p.relative_to(one): p for p in one.rglob("*") if p.name.endswith(endings)}
    expected = {p.relative_to(other): p for p in other.rglob("*") if p.name.endswith(endings)}
    assert set(made) == set(expected)
    assert any("Chimap" in str(name) for name in made)
    assert any("measurements.tsv" in str(name) for name in made)
    different = [str(n) for n in made if made[n].read_bytes() != expected[n].read_bytes()]
    assert not different


def test_the_letters_on_the_screen_tell_the_truth(make_napari_viewer: Any, qtbot: Any) -> None:
    """A bright block at the patient's right, front and top is drawn where the letters say."""
    from napari_qsm_stroke import Case, Grid, Volume

    viewer = make_napari_viewer(show=True)
    bench = workbench(viewer)
    shape = (60, 70, 50)
    data = np.zeros(shape, np.float32)
    data[40:55, 50:65, 35:48] = 1  # growing X, Y, Z: right, anterior, superior
    affine = np.eye(4)
    affine[:3, 3] = (-30, -35, -25)
    volume = Volume(data, Grid(shape, affine, "LPS"), "ppm")
    bench.session.open(Case("sub-01", None, {"susceptibility": volume}))
    bench.scene.flush()
    layer = bench.scene.layer("susceptibility")
    layer.contrast_limits = (0, 1)
    for overlay in viewer.canvas.overlays.values():
        overlay.visible = False
    centre = {"R": 47.0 - 30, "A": 57.0 - 35, "S": 41.0 - 25}
    for radiological in (True, False):
        bench.view.radiological = radiological
        for plane, sliced in (("axial", "S"), ("coronal", "A"), ("sagittal", "R")):
            bench.view.plane = plane
            viewer.dims.set_point(layers.AXES.index(sliced), centre[sliced])
            qtbot.wait(100)
            shot = viewer.screenshot(flash=False)[..., 0].astype(float)
            bright = np.argwhere(shot > 200).mean(axis=0) / shot.shape[:2]
            letters = bench.view.letters()
            vertical = letters["top"] if bright[0] < 0.5 else letters["bottom"]
            horizontal = letters["left"] if bright[1] < 0.5 else letters["right"]
            assert {vertical, horizontal, sliced} == {"R", "A", "S"}, plane
            if plane != "sagittal":
                assert bool(bright[1] < 0.5) is radiological
