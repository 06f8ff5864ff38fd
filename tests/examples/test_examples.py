"""The examples run and print what they promise."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from napari_qsm_stroke.core.method import forget

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_own_inversion_finds_the_vein(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        names = runpy.run_path(str(EXAMPLES / "own_inversion.py"))
    finally:
        forget("damped_division")
    inside = names["found"][names["truth"] > 0].mean()
    assert 0.06 < inside < 0.11
    assert "damping" in capsys.readouterr().out


def test_territory_table_measures_and_writes_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = str(EXAMPLES / "territory_table.py")
    monkeypatch.setattr(sys, "argv", [script, str(tmp_path)])
    table = runpy.run_path(script)["table"]
    printed = capsys.readouterr().out
    assert printed.startswith("Stroke on the right")
    assert table.row("infarct_core").percent_vs_contralateral == pytest.approx(-40, abs=0.1)
    assert {row.qc for row in table.rows} == {"ok"}
    assert (tmp_path / "sub-01_report.pdf").is_file()


def test_every_example_has_a_test() -> None:
    text = Path(__file__).read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert path.name in text
