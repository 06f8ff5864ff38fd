"""Wrong usage and bad data sets, and a run that is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.fault_suite.lines import Files, command

from napari_qsm_stroke.cli.main import main


def without_phase(files: Files) -> list[str]:
    return command(files, phase="")


def truncated(files: Files) -> list[str]:
    path = files["phase"][0]
    path.write_bytes(path.read_bytes()[:-2000])
    return command(files)


@pytest.mark.parametrize("make", [without_phase, truncated])
def test_bad_input_of_a_real_process(make, scan: Files, tmp_path: Path):
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "napari_qsm_stroke", *make(scan), "--out", str(out)],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 3
    assert "qsm-stroke: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not out.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["run", "nowhere", "out", "participant"], "nowhere: there is no such folder"),
        (["run", ".", "out", "participant"], "there is no subject folder"),
    ],
)
def test_bad_data_sets(line: list[str], said: str, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(line) == 3
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        ["reconstruct", "--echo-times", "five", "--out", "out"],
        ["reconstruct"],
        ["run", "in", "out", "everything"],
        ["run", "in", "out", "participant", "--engine", "abacus"],
        ["frobnicate"],
        [],
        ["simulate", "out", "--subjects", "0"],
    ],
)
def test_wrong_usage(line: list[str], tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(line) == 2
    assert "usage: qsm-stroke" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["tkd.nothing=1"], "has no parameter 'nothing'"),
        (["lbv=3"], "write METHOD.PARAMETER=VALUE"),
        (["lbv.tol=-1"], "out of bounds"),
        (["nowhere.x=1"], "does not use 'nowhere'"),
    ],
)
def test_wrong_parameters_are_wrong_usage(values, said, scan: Files, tmp_path: Path, capsys):
    line = command(scan, set=" ".join(values), recipe="preview")
    assert main([*line, "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
    assert said in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process on Windows")
def test_ctrl_c_stops_a_real_process_and_leaves_nothing(scan: Files, tmp_path: Path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_qsm_stroke", *command(scan), "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        # a job in the background of a script is born deaf to it, and hands that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "magnitude_brain" in line:
            process.send_signal(signal.SIGINT)
            break
    _, rest = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    assert "qsm-stroke: Stopped" in rest
    assert "Traceback" not in rest
    assert not out.exists()
