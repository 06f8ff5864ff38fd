"""Masks, diffusion images and finished maps that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.faults.fault_suite.lines import Files, Make, Refusal, command, rewrite

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.io.nifti import read_volume, write_volume


def brain_mask_that_is_a_vein_mask(files: Files) -> list[str]:
    return command(files, brain_mask=str(files["veins"][0]), veins=str(files["veins"][0]))


def a_mask_of_another_place(files: Files) -> list[str]:
    volume = read_volume(files["veins"][0])
    affine = volume.grid.affine.copy()
    affine[0, 3] += 500
    write_volume(Volume(volume.data, Grid(volume.grid.shape, affine)), files["veins"][0])
    return command(files, veins=str(files["veins"][0]))


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


CASES: list[tuple[Make, str]] = [
    (brain_mask_that_is_a_vein_mask, "one file is given as brain_mask and as veins"),
    (a_mask_of_another_place, "nothing of it lies where the gradient echo was taken"),
    (empty("brain"), "brain.nii.gz: the mask is empty"),
    (empty("veins"), "veins.nii.gz: the mask is empty"),
    (empty("infarct"), "infarct.nii.gz: the mask is empty"),
    (empty("territories"), "there is no territory in it"),
    (a_mask_of_probabilities, "expected a mask of 0 and 1"),
    (unknown_territories, "unknown territory label"),
    (adc_in_unknown_units, "the ADC is in unknown units"),
    (diffusion_series_without_b_values, "a series of 3 images with 0 b values"),
    (no_vein_mask_to_measure, "--veins: not given"),
    (map_in_parts_per_billion, "expected a map in ppm"),
]


@pytest.mark.parametrize(("make", "said"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_it_is_refused_with_one_sentence(
    make: Make, said: str, scan: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    Refusal(tmp_path, capsys)(make(scan), said)
