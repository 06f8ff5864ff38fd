"""What the tests of the window share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.progress import Progress, steps
from napari_qsm_stroke.core.quantities import Magnitude, Susceptibility, Veins
from napari_qsm_stroke.pipeline.recipe import Recipe, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_qsm_stroke import Case

PROBE = """
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from qtpy.QtWidgets import QApplication
app = QApplication([])
surface, context = QOffscreenSurface(), QOpenGLContext()
surface.create()
made = context.create() and context.makeCurrent(surface)
print(app.platformName(), bool(made))
"""


def _window_system() -> str:
    """Why no window can be opened here, or an empty text.

    Asked in a process of its own: Qt aborts the whole process where a library is missing.
    """
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return "no DISPLAY: run under xvfb-run"
    try:
        asked = subprocess.run(
            [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return "Qt did not answer within a minute"
    words = asked.stdout.split()
    if asked.returncode or len(words) != 2:
        last = (asked.stderr.strip().splitlines() or ["no message"])[-1]
        return f"Qt cannot open a window: {last}"
    if words[0] in ("offscreen", "minimal") or words[1] != "True":
        return f"Qt platform {words[0]!r} draws no OpenGL"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a window, with the reason, where there is none."""
    here = os.path.dirname(__file__)
    needing = [i for i in items if i.get_closest_marker("gl") and str(i.path).startswith(here)]
    if not needing:
        return
    reason = _window_system()
    if reason:
        for item in needing:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep napari's settings of the user out of the tests."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "napari.yaml"))
    kept = tmp_path / "recent.json"
    monkeypatch.setattr("napari_qsm_stroke.gui.recent.path", lambda: kept)


@pytest.fixture
def head_case() -> Callable[..., Case]:
    """Make a small case with all that is measured: a block with veins, core and territories."""

    def make(shape: tuple[int, int, int] = (40, 36, 12), key: str = "sub-01") -> Case:
        from napari_qsm_stroke import Acquisition, Case, Grid, Volume
        from napari_qsm_stroke.case.provenance import Record

        rng = np.random.default_rng(3)
        affine = np.diag([2.0, 2.0, 3.0, 1.0])
        affine[:3, 3] = -np.array([2.0, 2.0, 3.0]) * (np.array(shape) - 1) / 2
        grid = Grid(shape, affine)
        x = np.indices(shape)[0]
        territories = np.where(x < shape[0] // 2, 3, 4).astype(np.uint8)
        infarct = np.zeros(shape, np.uint8)
        infarct[4:16, 8:28, 2:9] = 1
        veins = np.zeros(shape, np.uint8)
        veins[::4, ::3, :] = 1
        chi = rng.normal(0, 0.01, shape) + 0.2 * veins * (1 - 0.4 * infarct)
        echoes = rng.uniform(50, 100, (*shape, 2)).astype(np.float32)
        phase = rng.uniform(-np.pi, np.pi, echoes.shape)
        made = {
            "susceptibility": Volume(chi.astype(np.float32), grid, "ppm"),
            "brain": Volume(np.ones(shape, np.uint8), grid),
            "veins": Volume(veins, grid),
            "infarct": Volume(infarct, grid),
            "territories": Volume(territories, grid),
        }
        raw = {
            "magnitude": Volume(echoes, grid, "a.u."),
            "phase": Volume(phase.astype(np.float32), grid, "rad"),
        }
        digests = {name: volume.digest for name, volume in made.items()}
        case = Case(key, Acquisition((0.005, 0.010), 3.0), raw)
        return case.with_maps(Record("run", "fake", outputs=digests), made)

    return make


@pytest.fixture
def workspace(make_napari_viewer: Callable[..., Any], qtbot: Any) -> Iterator[Callable[..., Any]]:
    """Open a window with all docks; jobs are over when the test is."""
    from napari_qsm_stroke.gui.app import open_workspace
    from napari_qsm_stroke.gui.workbench import workbench

    benches = []

    def make(show: bool = False) -> Any:
        viewer = make_napari_viewer(show=show)
        panels = open_workspace(viewer)
        benches.append(workbench(viewer))
        return viewer, benches[-1], panels

    yield make
    _finish(benches, qtbot)


@pytest.fixture
def desk(qtbot: Any) -> Iterator[Callable[[], Any]]:
    """Make all panels on a viewer without a window: all but the canvas, in a tenth of the time."""
    from napari.components import ViewerModel

    from napari_qsm_stroke.gui.app import PANELS
    from napari_qsm_stroke.gui.workbench import workbench

    benches = []

    def make() -> Any:
        viewer = ViewerModel()
        panels = {panel.TITLE: panel(viewer) for panel in PANELS}
        for panel in panels.values():
            qtbot.addWidget(panel)
        benches.append(workbench(viewer))
        return viewer, benches[-1], panels

    yield make
    _finish(benches, qtbot)


def _finish(benches: list[Any], qtbot: Any) -> None:
    for bench in benches:
        bench.jobs.cancel_all()
        qtbot.waitUntil(lambda b=bench: not b.jobs.running, timeout=20_000)


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
