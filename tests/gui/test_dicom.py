"""A DICOM folder in the window: imported in the background, opened, or refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.io.dicom.synthetic import Visit, magnitude, siemens

from napari_qsm_stroke.gui import dicom
from napari_qsm_stroke.gui.readers import get_reader


@pytest.fixture
def passing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where data sets go that nobody wants to keep."""
    folder = tmp_path / "passing"
    folder.mkdir()
    monkeypatch.setattr(dicom, "_passing", lambda: folder)
    return folder


def test_a_dropped_folder_is_imported_and_open(
    desk: Any, passing: Path, tmp_path: Path, qtbot: Any
) -> None:
    siemens(tmp_path / "in", echoes=2).series(
        11, magnitude(20), types=["ORIGINAL", "PRIMARY", "M", "SWI"]
    )
    _, bench, panels = desk()
    panel = panels["Open case"]
    panel.take([tmp_path / "in"])
    assert panel.working
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
    assert panel.message.text() == (
        "sub-01 was imported and is open. Left out: SWI, the scanner's product."
    )
    assert bench.session.case.acquisition.echo_times == (0.004, 0.008)
    assert "Echo times 4, 8 ms (from the files)" in panel.facts.text()
    assert [p.name for p in passing.glob("sub-*")] == ["sub-01"]


def test_what_cannot_be_imported_is_said_and_cancel_leaves_nothing(
    desk: Any, passing: Path, tmp_path: Path, qtbot: Any
) -> None:
    scanner = Visit(tmp_path / "swi")
    scanner.series(11, magnitude(20), types=["ORIGINAL", "PRIMARY", "M", "SWI"])
    siemens(tmp_path / "in", echoes=2)
    _, bench, panels = desk()
    panel = panels["Open case"]
    panel.choose_folder(tmp_path / "swi")
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
    assert "series 11, SWI, the scanner's product" in panel.message.text()
    panel.import_folder(tmp_path / "in", tmp_path / "out")
    panel.import_folder(tmp_path / "in", tmp_path / "out")
    assert "Wait for the case" in panel.message.text()
    panel.cancel()
    qtbot.waitUntil(lambda: not panel.working, timeout=60_000)
    assert "Stopped" in panel.message.text()
    assert bench.session.case is None
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("passing")
def test_napari_opens_a_dicom_folder_as_a_case(tmp_path: Path) -> None:
    siemens(tmp_path / "in", echoes=1)
    reader = get_reader(str(tmp_path / "in"))
    assert reader is not None
    layers = reader(str(tmp_path / "in"))
    assert [attributes["name"] for _, attributes, _ in layers]
    assert all(attributes["metadata"] for _, attributes, _ in layers)
    (tmp_path / "empty").mkdir()
    assert get_reader(str(tmp_path / "empty")) is None
