"""Bad input through the command line: one clear sentence, exit code 3, nothing written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.io.nifti import read_volume, write_volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Files = dict[str, list["Path"]]


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


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(data: np.ndarray) -> np.ndarray:
        data[20:22, 30, 10] = value
        return data

    return change


def no_phase(files: Files) -> list[str]:
    return command(files, phase="")


def no_magnitude(files: Files) -> list[str]:
    return command(files, magnitude="")


def one_file_as_magnitude_and_phase(files: Files) -> list[str]:
    return command(files, phase=" ".join(map(str, files["magnitude"])))


def one_file_for_two_echoes(files: Files) -> list[str]:
    files["phase"][2] = files["phase"][1]
    return command(files)


def a_link_to_the_same_file(files: Files) -> list[str]:
    files["phase"][2].unlink()
    files["phase"][2].symlink_to(files["phase"][1])
    return command(files)


def a_copy_under_another_name(files: Files) -> list[str]:
    shutil.copy(files["phase"][1], files["phase"][2])
    return command(files)


def brain_mask_that_is_a_vein_mask(files: Files) -> list[str]:
    return command(files, brain_mask=str(files["veins"][0]), veins=str(files["veins"][0]))


def swapped_magnitude_and_phase(files: Files) -> list[str]:
    files["magnitude"], files["phase"] = files["phase"], files["magnitude"]
    return command(files)


def another_shape(files: Files) -> list[str]:
    volume = read_volume(files["phase"][1])
    shorter = Grid((52, 60, 47), volume.grid.affine, "LAS")
    write_volume(Volume(volume.data[..., :47], shorter), files["phase"][1])
    return command(files)


def another_affine(files: Files) -> list[str]:
    for path in files["phase"]:
        volume = read_volume(path)
        affine = volume.grid.affine.copy()
        affine[2, 3] += 1.5
        write_volume(Volume(volume.data, Grid(volume.grid.shape, affine, "LAS")), path)
    return command(files)


def a_mask_of_another_place(files: Files) -> list[str]:
    volume = read_volume(files["veins"][0])
    affine = volume.grid.affine.copy()
    affine[0, 3] += 500
    write_volume(Volume(volume.data, Grid(volume.grid.shape, affine)), files["veins"][0])
    return command(files, veins=str(files["veins"][0]))


def fewer_phases(files: Files) -> list[str]:
    files["phase"].pop()
    return command(files)


def no_echo_times(files: Files) -> list[str]:
    return command(files, echo_times="")


def fewer_echo_times(files: Files) -> list[str]:
    return command(files, echo_times="0.005 0.010")


def an_echo_time_of_zero(files: Files) -> list[str]:
    return command(files, echo_times="0 0.005 0.010")


def echo_times_that_fall(files: Files) -> list[str]:
    return command(files, echo_times="0.005 0.015 0.010")


def echo_times_in_milliseconds(files: Files) -> list[str]:
    return command(files, echo_times="5 10 15")


def an_echo_time_that_is_no_number(files: Files) -> list[str]:
    return command(files, echo_times="0.005 0.010 nan")


def no_field_strength(files: Files) -> list[str]:
    return command(files, field_strength="")


def field_strength_in_megahertz(files: Files) -> list[str]:
    return command(files, field_strength="127.7")


def phase_in_degrees(files: Files) -> list[str]:
    for path in files["phase"]:
        rewrite(path, np.degrees)
    return command(files)


def phase_of_a_tiny_range(files: Files) -> list[str]:
    for path in files["phase"]:
        rewrite(path, lambda data: data * 1e-3)
    return command(files)


def phase_that_is_a_field_map(files: Files) -> list[str]:
    for path in files["phase"]:
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text('{"Units": "Hz"}')
    return command(files)


def a_sidecar_that_is_no_json(files: Files) -> list[str]:
    path = files["magnitude"][0]
    path.with_name("magnitude1.json").write_text("{EchoTime: 5}")
    return command(files)


def sidecars_in_another_order(files: Files) -> list[str]:
    for part, times in (("magnitude", (5, 10, 15)), ("phase", (10, 5, 15))):
        for path, time in zip(files[part], times, strict=True):
            sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
            sidecar.write_text(json.dumps({"EchoTime": time / 1000}))
    return command(files, echo_times="")


def nan_in_the_phase(files: Files) -> list[str]:
    rewrite(files["phase"][1], with_value(np.nan))
    return command(files)


def infinity_in_the_magnitude(files: Files) -> list[str]:
    rewrite(files["magnitude"][0], with_value(np.inf))
    return command(files)


def empty(name: str) -> Callable[[Files], list[str]]:
    def make(files: Files) -> list[str]:
        rewrite(files[name][0], np.zeros_like)
        return command(files, **{"brain_mask" if name == "brain" else name: str(files[name][0])})

    return make


def a_mask_of_probabilities(files: Files) -> list[str]:
    rewrite(files["brain"][0], lambda data: data * np.linspace(0, 1, 48, dtype=np.float32))
    return command(files, brain_mask=str(files["brain"][0]))


def unknown_territories(files: Files) -> list[str]:
    rewrite(files["territories"][0], lambda data: data * 5)
    return command(files, territories=str(files["territories"][0]))


def a_truncated_file(files: Files) -> list[str]:
    path = files["phase"][0]
    path.write_bytes(path.read_bytes()[:-2000])
    return command(files)


def a_flipped_bit(files: Files) -> list[str]:
    content = bytearray(files["magnitude"][1].read_bytes())
    content[len(content) // 2] ^= 4
    files["magnitude"][1].write_bytes(content)
    return command(files)


def a_file_that_is_not_there(files: Files) -> list[str]:
    return command(files, dwi=str(files["phase"][0].with_name("nowhere.nii.gz")))


def a_file_that_is_no_image(files: Files) -> list[str]:
    files["phase"][0].write_text("DICM" * 300)
    return command(files)


def an_affine_that_is_not_finite(files: Files) -> list[str]:
    path = files["phase"][0].with_name("odd.nii")
    write_volume(read_volume(files["phase"][0]), path)
    content = bytearray(path.read_bytes())
    content[280:284] = np.float32(np.nan).tobytes()  # srow_x of the header
    path.write_bytes(content)
    files["phase"][0] = path
    return command(files)


def adc_in_unknown_units(files: Files) -> list[str]:
    rewrite(files["susceptibility"][0], lambda data: np.full_like(data, 3e7))
    return command(files, adc=str(files["susceptibility"][0]))


def diffusion_series_without_b_values(files: Files) -> list[str]:
    volume = read_volume(files["magnitude"][0])
    path = files["magnitude"][0].with_name("dwi.nii.gz")
    write_volume(volume.with_data(np.stack([volume.data] * 3, axis=3)), path)
    return command(files, dwi=str(path))


def no_vein_mask_to_measure(files: Files) -> list[str]:
    return [
        "measure",
        *("--chi", str(files["susceptibility"][0]), "--infarct", str(files["infarct"][0])),
        *("--territories", str(files["territories"][0])),
    ]


def map_in_parts_per_billion(files: Files) -> list[str]:
    rewrite(files["susceptibility"][0], lambda data: data * 1000)
    return [
        "measure",
        *("--chi", str(files["susceptibility"][0]), "--veins", str(files["veins"][0])),
        *("--infarct", str(files["infarct"][0]), "--territories", str(files["territories"][0])),
    ]


CASES: list[tuple[Callable[[Files], list[str]], str]] = [
    (no_phase, "Phase: none given"),
    (no_magnitude, "Magnitude: none given"),
    (one_file_as_magnitude_and_phase, "one file is given as magnitude 1 and as phase 1"),
    (one_file_for_two_echoes, "one file is given as phase 2 and as phase 3"),
    (a_link_to_the_same_file, "one file is given as phase 2 and as phase 3"),
    (a_copy_under_another_name, "phase 2 and phase 3 hold the same values"),
    (brain_mask_that_is_a_vein_mask, "one file is given as brain_mask and as veins"),
    (swapped_magnitude_and_phase, "a magnitude is never negative"),
    (another_shape, "phase2.nii.gz: differs from the first phase image: shape"),
    (another_affine, "positions differ by up to 1.50 mm"),
    (a_mask_of_another_place, "nothing of it lies where the gradient echo was taken"),
    (fewer_phases, "2 phase images for 3 magnitude images"),
    (no_echo_times, "Echo times: none given"),
    (fewer_echo_times, "2 given for 3 echoes"),
    (an_echo_time_of_zero, "expected positive, increasing times"),
    (echo_times_that_fall, "expected positive, increasing times"),
    (echo_times_in_milliseconds, "not milliseconds"),
    (an_echo_time_that_is_no_number, "expected positive, increasing times"),
    (no_field_strength, "Field strength: not given"),
    (field_strength_in_megahertz, "expected 0.1 to 25 T, found 127.7 T"),
    (phase_in_degrees, "the phase is in unknown units: it spans -180 to 180"),
    (phase_of_a_tiny_range, "the phase is in unknown units"),
    (phase_that_is_a_field_map, "the phase is in 'Hz', expected rad"),
    (a_sidecar_that_is_no_json, "magnitude1.json: is no JSON object"),
    (sidecars_in_another_order, "the sidecars give the magnitude echo times"),
    (nan_in_the_phase, "phase2.nii.gz: 2 of 149760 values are NaN or infinite"),
    (infinity_in_the_magnitude, "magnitude1.nii.gz: 2 of 149760 values are NaN or infinite"),
    (empty("brain"), "brain.nii.gz: the mask is empty"),
    (empty("veins"), "veins.nii.gz: the mask is empty"),
    (empty("infarct"), "infarct.nii.gz: the mask is empty"),
    (empty("territories"), "there is no territory in it"),
    (a_mask_of_probabilities, "expected a mask of 0 and 1"),
    (unknown_territories, "unknown territory label"),
    (a_truncated_file, "phase1.nii.gz: is truncated or damaged"),
    (a_flipped_bit, "magnitude2.nii.gz: is truncated or damaged"),
    (a_file_that_is_not_there, "nowhere.nii.gz: there is no such file (dwi)"),
    (a_file_that_is_no_image, "phase1.nii.gz: is no NIfTI image"),
    (an_affine_that_is_not_finite, "the affine of the header is not finite"),
    (adc_in_unknown_units, "the ADC is in unknown units"),
    (diffusion_series_without_b_values, "a series of 3 images with 0 b values"),
    (no_vein_mask_to_measure, "--veins: not given"),
    (map_in_parts_per_billion, "expected a map in ppm"),
]


@pytest.mark.parametrize(("make", "said"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_bad_input(make, said: str, scan: Files, tmp_path: Path, capsys):
    out = tmp_path / "out"
    line = make(scan)
    before = sorted(tmp_path.rglob("*"))
    assert main([*line, "--out", str(out)]) == 3
    messages = [m for m in capsys.readouterr().err.splitlines() if m.startswith("qsm-stroke: ")]
    assert len(messages) == 1
    assert said in messages[0]
    assert "Traceback" not in messages[0]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("make", [no_phase, a_truncated_file])
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
    assert process.returncode == 130
    assert "qsm-stroke: Stopped" in rest
    assert "Traceback" not in rest
    assert not out.exists()
