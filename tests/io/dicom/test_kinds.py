"""Series are told apart by name: what is imported, what is left out and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.io.dicom.synthetic import SHAPE, Visit, magnitude, phase, siemens, twelve_bits

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.dicom.importer import Result, import_dicom
from napari_qsm_stroke.io.load import load_files

ORIGINAL = ["ORIGINAL", "PRIMARY"]
PLAIN = [*ORIGINAL, "M", "ND"]


def left_out(result: Result) -> dict[int | None, str]:
    return {x.series: x.kind.name for e in result.examinations for x in e.left_out}


def products(scanner: Visit) -> None:
    """Everything that a Siemens scanner makes beside the raw images."""
    values = magnitude(20)
    scanner.series(11, values, types=[*PLAIN, "SWI"], SeriesDescription="SWI_Images")
    scanner.series(
        12, values, types=["DERIVED", "PRIMARY", "MNIP"], SeriesDescription="mIP_Images(SW)"
    )
    scanner.series(
        13, twelve_bits(phase(20)), types=[*ORIGINAL, "P"], SeriesDescription="FILT_PHA: Ax SWAN"
    )
    scanner.series(14, values, types=[*PLAIN], SeriesDescription="localizer")
    scanner.series(
        15, values, types=["DERIVED", "PRIMARY", "DIFFUSION", "FA"], ScanningSequence="EP",
        SeriesDescription="ep2d_diff_FA",
    )  # fmt: skip
    scanner.series(
        16, values, types=["DERIVED", "SECONDARY", "MPR"], SeriesDescription="report",
        Modality="OT",
    )  # fmt: skip


def test_products_are_left_out_by_name(tmp_path: Path):
    products(siemens(tmp_path / "in", echoes=1))
    result = import_dicom(tmp_path / "in", tmp_path / "out")
    assert left_out(result) == {
        11: "SWI, the scanner's product",
        12: "intensity projection (mIP)",
        13: "filtered phase",
        14: "localizer",
        15: "diffusion tensor map",
        16: "no MR images",
    }
    assert len(result.examinations[0].files) == 2


def test_products_alone_are_refused_with_all_reasons(tmp_path: Path):
    products(Visit(tmp_path / "in"))
    with pytest.raises(InputError) as refused:
        import_dicom(tmp_path / "in", tmp_path / "out")
    for word in ("series 11, SWI", "series 12, intensity projection", "series 13, filtered phase"):
        assert word in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_enhanced_phase_difference_alone_is_refused_by_name(tmp_path: Path):
    scanner = Visit(tmp_path / "in")
    name = {"PulseSequenceName": "*fm2d2r", "SeriesDescription": "gre_field_mapping"}
    for time in (10.0, 12.46):
        scanner.enhanced(8, [("M", time, magnitude(time))], uid="1.2.8", **name)
    scanner.enhanced(9, [("P", 12.46, twelve_bits(phase(2.46)))], uid="1.2.9", **name)
    with pytest.raises(InputError, match="phase difference \\(field map\\)") as refused:
        import_dicom(tmp_path / "in", tmp_path / "out")
    assert "raw phase of each echo" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_single_phase_with_two_magnitudes_is_a_phase_difference(tmp_path: Path):
    scanner = Visit(tmp_path / "in")
    for echo, time in enumerate((4.0, 8.0), 1):
        scanner.series(5, magnitude(time), types=PLAIN, uid="1.2.5", time_ms=time, echo=echo)
    scanner.series(6, twelve_bits(phase(4)), types=[*ORIGINAL, "P"], time_ms=8.0, echo=2)
    with pytest.raises(InputError, match="phase difference"):
        import_dicom(tmp_path / "in", tmp_path / "out")


def test_phase_that_is_no_raw_phase(tmp_path: Path):
    scanner = Visit(tmp_path / "in")
    raw = [*ORIGINAL, "P"]
    cases: list[tuple[dict[str, Any], list[str], str]] = [
        ({"RescaleType": "Hz"}, [*ORIGINAL, "B0", "MAP"], "field map in Hz"),
        ({"PhaseContrast": "YES"}, raw, "velocity-encoded phase"),
        ({"SeriesDescription": "phase_diff"}, raw, "phase difference"),
        ({"SeriesDescription": "unwrapped phase"}, raw, "unwrapped phase"),
        ({"SliceThickness": 7.0}, raw, "gradient echo, phase (there is no magnitude to it"),
        ({"PixelSpacing": [3.0, 3.0]}, PLAIN, "export the phase images too"),
    ]
    for number, (facts, types, _) in enumerate(cases, 1):
        scanner.series(number, twelve_bits(phase(20)), types=types, **facts)
    lossy = {"LossyImageCompression": "01", "PixelSpacing": [1.0, 1.0]}
    scanner.series(7, magnitude(20), types=PLAIN, **lossy)
    scanner.series(8, twelve_bits(phase(20)), types=raw, **lossy)
    with pytest.raises(InputError) as refused:
        import_dicom(tmp_path / "in", tmp_path / "out")
    said = str(refused.value).split("; series ")
    assert len(said) == 8
    for part, (_, _, word) in zip(said, cases, strict=False):
        assert word in part or word in str(refused.value)
    assert "series 8, gradient echo (it was compressed with loss" in str(refused.value)


def test_a_missing_slice_is_seen(tmp_path: Path):
    siemens(tmp_path / "in", echoes=1)
    sorted((tmp_path / "in").iterdir())[4].unlink()
    with pytest.raises(InputError, match=r"1 of them seem to be missing|do not agree"):
        import_dicom(tmp_path / "in", tmp_path / "out")


def test_a_missing_last_slice_is_seen(tmp_path: Path):
    siemens(tmp_path / "in", echoes=1)
    sorted((tmp_path / "in").iterdir())[-1].unlink()
    with pytest.raises(InputError, match="do not agree"):
        import_dicom(tmp_path / "in", tmp_path / "out")


def test_separate_coils_are_refused(tmp_path: Path):
    scanner = Visit(tmp_path / "in")
    for _coil in range(2):
        scanner.series(5, magnitude(20), types=PLAIN, uid="1.2.5")
        scanner.series(6, twelve_bits(phase(20)), types=[*ORIGINAL, "P"], uid="1.2.6")
    with pytest.raises(InputError, match="separate coils"):
        import_dicom(tmp_path / "in", tmp_path / "out")


def test_diffusion_adc_and_structural_images(tmp_path: Path):
    scanner = siemens(tmp_path / "in", echoes=1)
    scanner.maker = "Philips"
    planar = {"ScanningSequence": ["SE", "EP"], "SeriesDescription": "DWI", "time_ms": 80.0}
    for b, values in ((0.0, magnitude(0)), (1000.0, magnitude(30))):
        scanner.series(
            21, values, types=[*ORIGINAL, "M_SE", "M", "SE"], uid="1.2.21", DiffusionBValue=b,
            **planar,
        )  # fmt: skip
    adc = np.full(SHAPE, 800.0)
    adc[0] = 0
    scanner.series(22, adc, types=["DERIVED", "PRIMARY", "ADC"], ScanningSequence=["SE", "EP"])
    inversion = {"ScanningSequence": ["GR", "IR"], "InversionTime": 900.0, "time_ms": 2.3}
    scanner.series(23, magnitude(3), types=PLAIN, SeriesDescription="t1_mprage", **inversion)
    flair = {"ScanningSequence": ["SE", "IR"], "InversionTime": 2500.0, "time_ms": 120.0}
    scanner.series(24, magnitude(9), types=PLAIN, SeriesDescription="t2_flair", **flair)
    result = import_dicom(tmp_path / "in", tmp_path / "out")
    assert sorted(Path(f).name for f in result.examinations[0].files) == [
        "sub-01_ADC.nii.gz",
        "sub-01_FLAIR.nii.gz",
        "sub-01_T1w.nii.gz",
        "sub-01_dwi.nii.gz",
        "sub-01_part-mag_T2starw.nii.gz",
        "sub-01_part-phase_T2starw.nii.gz",
    ]
    assert not left_out(result)
    assert (tmp_path / "out/sub-01/dwi/sub-01_dwi.bval").read_text() == "0 1000\n"
    case = load_files(find_cases(tmp_path / "out")[0])
    assert np.median(case.maps["adc"].data) == pytest.approx(800e-6)
    assert case.maps["b0"].data.max() == pytest.approx(4000, abs=1)
    assert case.maps["dwi"].data.max() == pytest.approx(4000 * np.exp(-0.5), abs=1)


def test_echoes_split_over_series_and_two_visits(tmp_path: Path):
    for visit, day, shift in (("late", "20240301", 0.0), ("early", "20240201", 1.0)):
        scanner = Visit(tmp_path / "in" / visit, day=day)
        for echo, time in enumerate((4.0, 8.0), 1):
            facts: dict[str, Any] = {"time_ms": time, "echo": echo}
            scanner.series(10 * echo, magnitude(time), types=PLAIN, **facts)
            types = [*ORIGINAL, "P"]
            values = twelve_bits(phase(time + shift))
            scanner.series(10 * echo + 1, values, types=types, **facts)
    result = import_dicom(tmp_path / "in", tmp_path / "out")
    assert [e.key for e in result.examinations] == ["sub-01_ses-1", "sub-01_ses-2"]
    for examination in result.examinations:
        assert len(examination.files) == 4
    early, _ = (load_files(files) for files in find_cases(tmp_path / "out"))
    apart = early.maps["phase"].data[..., 0].min() - phase(5.0).min()
    assert apart == pytest.approx(0, abs=2e-3)
    table = (tmp_path / "out" / "participants.tsv").read_text().splitlines()
    assert table == ["participant_id", "sub-01"]


def test_one_bad_examination_does_not_stop_the_others(tmp_path: Path, capsys):
    siemens(tmp_path / "in" / "a", echoes=1, person_id="1")
    siemens(tmp_path / "in" / "b", echoes=1, person_id="2")
    assert main(["import", str(tmp_path / "in"), str(tmp_path / "out")]) == 4
    shown = capsys.readouterr()
    assert "sub-02: failed (The examination: is already in the data set, as sub-01." in shown.err
    assert [p.name for p in (tmp_path / "out").glob("[!.]*/")] == ["sub-01"]
    assert main(["import", str(tmp_path / "in"), str(tmp_path / "out")]) == 3
