"""The dock Open case: which file is what, the sign of the phase, and recent cases."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.faults.fault_suite.tiny import Tiny

from napari_qsm_stroke.gui.recent import recent, remember
from napari_qsm_stroke.io.nifti import read_volume

pytestmark = pytest.mark.gl
PICTURES = os.environ.get("QSM_STROKE_PICTURES")
"""Folder for the screenshots, to be looked at; they are not compared."""


def open_and_wait(panel: Any, qtbot: Any) -> str:
    panel.open_files()
    qtbot.waitUntil(lambda: not panel.working, timeout=20_000)
    return str(panel.message.text())


def choose(panel: Any, path: Path, role: str) -> None:
    box = panel.table.boxes[path]
    box.setCurrentIndex(box.findData(role))
    box.activated.emit(box.currentIndex())


def test_the_user_corrects_what_a_file_is(desk: Any, tmp_path: Path, qtbot: Any) -> None:
    tiny = Tiny(tmp_path / "bids")
    odd = tiny.echo(3, "phase").rename(tiny.root / "image.nii.gz")
    tiny.sidecar(tiny.echo(3, "phase")).rename(tiny.root / "image.json")
    _, bench, panels = desk()
    panel = panels["Open case"]
    panel.take([*tiny.images("mag"), *tiny.images("phase")[:2], odd, tiny.dwi("01", "ADC")])
    assert "image.nii.gz: the name does not say what it is" in panel.message.text()
    assert panel.table.boxes[odd].currentText() == "not used"
    choose(panel, odd, "adc")
    assert not panel.open_button.isEnabled()
    assert panel.open_button.toolTip() == "Two files are ADC: choose one."
    choose(panel, odd, "phase")
    assert panel.open_button.isEnabled()
    if PICTURES:
        panel.resize(360, 900)
        panel.grab().save(str(Path(PICTURES) / "open-case-files.png"))
    assert "different" in open_and_wait(panel, qtbot) or bench.session.case is None
    panel.table.remove(odd)
    assert odd not in panel.table.files()["phase"]
    choose(panel, tiny.echo(3), "")
    assert open_and_wait(panel, qtbot) == "sub-01 is open."
    assert bench.session.case.acquisition.echo_times == (0.005, 0.010)
    shown = panel.facts.text()
    assert "Echo times 5, 10 ms (from the files)" in shown
    assert "Main field along (0.000, 0.000, 1.000)" in shown
    assert "Phase in rad, by its sidecar" in shown
    assert "Sign of the phase as stored, right for Siemens" in shown


def test_the_sign_of_the_phase_can_be_switched(desk: Any, tmp_path: Path, qtbot: Any) -> None:
    tiny = Tiny(tmp_path / "bids")
    expected = read_volume(tiny.echo(1, "phase")).data
    _, bench, panels = desk()
    panel = panels["Open case"]
    panel.take([tiny.echo(1), tiny.echo(1, "phase")])
    for choice, sign in (("negate", -1), ("keep", 1)):
        panel.phase_sign.setCurrentIndex(panel.phase_sign.findData(choice))
        open_and_wait(panel, qtbot)
        assert (bench.session.case.maps["phase"].data[..., 0] == sign * expected).all()
    assert "said by the user" in panel.facts.text()


def test_recent_cases_are_offered_and_opened(desk: Any, tmp_path: Path, qtbot: Any) -> None:
    tiny = Tiny(tmp_path / "bids", ("01", "02"))
    remember(tmp_path / "gone", "sub-09")
    _, bench, panels = desk()
    panel = panels["Open case"]
    assert recent() == []
    panel.take([tiny.root])
    panel.participants.itemDoubleClicked.emit(panel.participants.item(1))
    qtbot.waitUntil(lambda: not panel.working, timeout=20_000)
    assert recent() == [(tiny.root.resolve(), "sub-02")]
    assert panel.recent.itemText(1) == "sub-02 in bids"
    if PICTURES:
        panel.resize(360, 900)
        panel.grab().save(str(Path(PICTURES) / "open-case-open.png"))
    bench.session.open(bench.session.case.without([]))
    panel.recent.activated.emit(1)
    qtbot.waitUntil(lambda: not panel.working, timeout=20_000)
    assert panel.message.text() == "sub-02 is open."
    assert [key for _, key in recent()] == ["sub-02"]
