"""Magnitude, phase, echo times and field strength that cannot be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.faults.fault_suite.lines import Files, Make, Refusal, command, rewrite

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.io.nifti import read_volume, write_volume


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


CASES: list[tuple[Make, str]] = [
    (no_phase, "Phase: none given"),
    (no_magnitude, "Magnitude: none given"),
    (one_file_as_magnitude_and_phase, "one file is given as magnitude 1 and as phase 1"),
    (one_file_for_two_echoes, "one file is given as phase 2 and as phase 3"),
    (a_link_to_the_same_file, "one file is given as phase 2 and as phase 3"),
    (a_copy_under_another_name, "phase 2 and phase 3 hold the same values"),
    (swapped_magnitude_and_phase, "a magnitude is never negative"),
    (another_shape, "phase2.nii.gz: differs from the first phase image: shape"),
    (another_affine, "positions differ by up to 1.50 mm"),
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
]


@pytest.mark.parametrize(("make", "said"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_it_is_refused_with_one_sentence(
    make: Make, said: str, scan: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    Refusal(tmp_path, capsys)(make(scan), said)
