"""Names of images: BIDS, and the habits from before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.fault_suite.tiny import Tiny

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.bids_names import read_name
from napari_qsm_stroke.io.load import load_files


@pytest.mark.parametrize(
    ("name", "part", "echo", "suffix"),
    [
        ("sub-1_echo-2_part-phase_MEGRE", "phase", 2, "MEGRE"),
        ("sub-1_echo-2_part-mag_MEGRE", "magnitude", 2, "MEGRE"),
        ("sub-1_echo-2_part-real_MEGRE", "real", 2, "MEGRE"),
        ("sub-1_echo-2_part-imag_MEGRE", "imaginary", 2, "MEGRE"),
        ("sub-1_echo-2_MEGRE", "", 2, "MEGRE"),
        ("sub-1_echo-02_part-Phase_T2starw", "phase", 2, "T2starw"),
        ("sub-1_part-ph_echo-2_T2starw", "phase", 2, "T2starw"),
        ("sub-1_part-pha_T2starw", "phase", 0, "T2starw"),
        ("sub-1_part-m_T2starw", "magnitude", 0, "T2starw"),
        ("sub-1_rec-phase_echo-2_T2starw", "phase", 2, "T2starw"),
        ("sub-1_acq-magn_GRE", "magnitude", 0, "GRE"),
        ("sub-1_GRE_e2_ph", "phase", 2, "GRE"),
        ("sub-1_e2_GRE_imaginary", "imaginary", 2, "GRE"),
        ("sub-1_GRE_phase2", "phase", 2, "GRE"),
        ("sub-1_GRE_magnitude1", "magnitude", 1, "GRE"),
        ("sub-1_T2starw_phase", "phase", 0, "T2starw"),
        ("sub-1_acq-p2_T1w", "", 0, "T1w"),
        ("sub-1_FLAIR", "", 0, "FLAIR"),
    ],
)
def test_a_name_says_part_echo_and_suffix(name: str, part: str, echo: int, suffix: str):
    found = read_name(Path(f"{name}.nii.gz"))
    assert (found.part, found.echo, found.suffix) == (part, echo, suffix)


def test_the_part_does_not_keep_two_images_of_one_series_apart():
    names = ("sub-1_acq-hi_rec-phase_echo-1_GRE", "sub-1_acq-hi_echo-1_GRE", "sub-1_acq-hi_GRE_ph2")
    assert {read_name(Path(f"{n}.nii")).series for n in names} == {"acq-hi_GRE"}


def renamed(tiny: Tiny, magnitude: str, phase: str) -> None:
    for part, pattern in (("mag", magnitude), ("phase", phase)):
        for echo, path in enumerate(tiny.images(part), 1):
            name = pattern.format(e=echo)
            for ending in (".nii.gz", ".json"):
                old = path.with_name(path.name.replace(".nii.gz", ending))
                old.rename(path.with_name(f"sub-01_{name}{ending}"))


@pytest.mark.parametrize(
    ("magnitude", "phase"),
    [
        ("echo-{e}_part-mag_T2starw", "echo-{e}_part-phase_T2starw"),
        ("echo-{e}_GRE", "echo-{e}_GRE_ph"),
        ("echo-{e}_magnitude", "echo-{e}_phase"),
        ("magnitude{e}", "phase{e}"),
        ("echo-{e}_part-Mag_QSM", "echo-{e}_part-PH_QSM"),
    ],
)
def test_older_habits_hold_the_same_case(magnitude: str, phase: str, tmp_path: Path):
    expected = load_files(find_cases(Tiny(tmp_path / "a").root)[0])
    tiny = Tiny(tmp_path / "b")
    renamed(tiny, magnitude, phase)
    found = load_files(find_cases(tiny.root)[0])
    assert found.acquisition == expected.acquisition
    for name, volume in expected.maps.items():
        assert found.maps[name].digest == volume.digest


def test_flair_t1_trace_and_b0_are_found(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    for name in ("FLAIR", "T1w"):
        tiny.anat("01", name).write_bytes(tiny.dwi("01", "ADC").read_bytes())
    tiny.dwi("01", "dwi").rename(tiny.dwi("01", "trace"))
    (tiny.root / "sub-01/dwi/sub-01_dwi.bval").rename(tiny.root / "sub-01/dwi/sub-01_trace.bval")
    (files,) = find_cases(tiny.root)
    assert files.dwi == tiny.dwi("01", "trace")
    case = load_files(files)
    assert {"flair", "t1w", "dwi", "b0", "adc"} <= set(case.maps)
    assert case.maps["flair"].grid != case.grid


def test_one_of_several_diffusion_series_is_named(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    for ending in (".nii.gz", ".bval"):
        old = tiny.root / "sub-01" / "dwi" / f"sub-01_dwi{ending}"
        old.with_name(f"sub-01_run-2_dwi{ending}").write_bytes(old.read_bytes())
    (files,) = find_cases(tiny.root)
    assert "was taken as DWI, one of several" in str(files.notes[0])
    assert load_files(files).acquisition is not None


def test_two_images_of_one_echo_are_refused(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    tiny.anat("01", "echo-1_MEGRE").write_bytes(tiny.echo(1).read_bytes())
    with pytest.raises(InputError, match="several magnitude images of echo 1"):
        load_files(find_cases(tiny.root)[0])
