"""In the window, L and R stay where they are, however the file stores the image."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication
from tests.orientation.conftest import CODES, SAMPLE, tilted

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.gui.readers import read_files
from napari_qsm_stroke.gui.view import View
from napari_qsm_stroke.io.nifti import write_volume

pytestmark = pytest.mark.gl


def store(codes: str, degrees: float, path: Path) -> None:
    """Write a dim head of 2 x 2 x 4 mm with a bright block at its left, in front and on top."""
    data = np.full((40, 44, 20), 20, np.float32)
    data[4:12, 30:38, 13:18] = 200
    affine = np.diag([2.0, 2.0, 4.0, 1.0])
    affine[:3, 3] = (-39, -43, -38)
    write_volume(Volume(data, Grid(data.shape, tilted(affine, degrees), codes)), path)


def bright(viewer: Any) -> tuple[float, float]:
    """Middle of the bright block on the screen, as shares of its width and height."""
    shown = viewer.screenshot(canvas_only=True, flash=False, size=(300, 300))[..., :3]
    rows, columns = np.nonzero((shown > 225).all(axis=2))
    assert rows.size > 100
    return columns.mean() / shown.shape[1], rows.mean() / shown.shape[0]


def _settle(viewer: Any, folder: Path) -> None:
    """Let the window find its size: the first picture is drawn before it has."""
    store("RAS", 0.0, folder / "first.nii.gz")
    ((data, attributes, _),) = read_files(str(folder / "first.nii.gz"))
    viewer.add_image(data, **attributes)
    for _ in range(3):
        viewer.reset_view()
        viewer.screenshot(canvas_only=True, flash=False, size=(300, 300))
        QApplication.processEvents()


def check(orders: tuple[str, ...], viewer: Any, folder: Path) -> None:
    view = View(viewer)
    for overlay in [*viewer.canvas.overlays.values()]:
        overlay.visible = False  # letters are bright too
    places: dict[tuple[str, float], tuple[float, float]] = {}
    _settle(viewer, folder)
    for degrees, codes in itertools.product((0.0, 25.0), orders):
        path = folder / f"{codes}{degrees:.0f}.nii.gz"
        store(codes, degrees, path)
        ((data, attributes, _),) = read_files(str(path))
        viewer.layers.clear()
        viewer.add_image(data, **{**attributes, "contrast_limits": (0, 200)})
        for plane, axis in (("axial", 0), ("coronal", 1), ("sagittal", 2)):
            view.plane = plane
            start, step = viewer.layers[0].translate[axis], viewer.layers[0].scale[axis]
            viewer.dims.set_point(axis, start + (15, 34, 8)[axis] * step)
            place = bright(viewer)
            expected = places.setdefault((plane, degrees), place)
            assert place == pytest.approx(expected, abs=0.002), (plane, degrees, codes)
    assert view.letters() == {"top": "S", "bottom": "I", "left": "A", "right": "P"}
    for degrees in (0.0, 25.0):
        x, y = places["axial", degrees]
        assert x > 0.55  # radiological: the patient's left is on the right of the screen
        assert y < 0.45  # in front is on top
        x, y = places["coronal", degrees]
        assert x > 0.55
        assert y < 0.45
        x, y = places["sagittal", degrees]
        assert x < 0.45  # in front is on the left
        assert y < 0.45


@pytest.mark.skipif(sys.platform == "win32", reason="sizes of the screenshot differ")
def test_left_is_at_the_same_place_on_the_screen(make_napari_viewer: Any, tmp_path: Path):
    check(SAMPLE[1:4], make_napari_viewer(show=True), tmp_path)


@pytest.mark.long
def test_left_is_at_the_same_place_in_all_orders(make_napari_viewer: Any, tmp_path: Path):
    check(tuple(CODES), make_napari_viewer(show=True), tmp_path)
