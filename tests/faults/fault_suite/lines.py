"""What the tests of bad input share: good command lines to spoil, and what a refusal looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.io.nifti import read_volume, write_volume

Files = dict[str, list[Path]]
Make = Callable[[Files], list[str]]


def command(files: Files, **options: str) -> list[str]:
    """A good command line; an option set to "" is left out."""
    flags = {
        "magnitude": " ".join(map(str, files["magnitude"])),
        "phase": " ".join(map(str, files["phase"])),
        "echo-times": "0.005 0.010 0.015",
        "field-strength": "3",
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    line = ["reconstruct"]
    for flag, value in flags.items():
        line += [f"--{flag}", *value.split()] if value else []
    return line


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    volume = read_volume(path)
    write_volume(volume.with_data(change(volume.data.copy())), path)


class Refusal:
    """Runs a command line that must be refused: one sentence, exit code 3, nothing written."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, line: list[str], said: str) -> None:
        before = sorted(self._folder.rglob("*"))
        assert main([*line, "--out", str(self._folder / "out")]) == 3
        error = self._capsys.readouterr().err
        messages = [m for m in error.splitlines() if m.startswith("qsm-stroke: ")]
        assert len(messages) == 1
        assert said in messages[0]
        assert "Traceback" not in error
        assert sorted(self._folder.rglob("*")) == before
