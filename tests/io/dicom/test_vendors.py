"""What each vendor writes becomes magnitude and phase in rad, with the right sign and sides."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.io.dicom import synthetic
from tests.io.dicom.synthetic import MARK, SHAPE, TIMES_MS, Visit, ge, magnitude, phase, siemens

from napari_qsm_stroke.case.case import Case
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.dicom.importer import import_dicom
from napari_qsm_stroke.io.load import load_files

STEP = 2 * np.pi / 4096


def imported(folder: Path, out: Path) -> Case:
    import_dicom(folder, out)
    return load_files(find_cases(out)[0])


def check(case: Case, times_ms: tuple[float, ...], within: float) -> None:
    """Echo times, sides, values and sign are those of the synthetic head."""
    assert case.acquisition is not None
    assert case.acquisition.echo_times == pytest.approx([t / 1000 for t in times_ms])
    assert case.acquisition.field_strength == 3
    stored, true = case.maps["magnitude"], magnitude(times_ms[0])
    brightest = np.unravel_index(stored.data[..., 0].argmax(), stored.data.shape[:3])
    place = case.grid.affine[:3, :3] @ brightest + case.grid.affine[:3, 3]
    assert np.allclose(place, synthetic.world(MARK), atol=1e-3)
    to_source = np.linalg.inv(
        np.column_stack(
            [synthetic.world(i) - synthetic.world((0, 0, 0)) for i in np.eye(3, dtype=int)]
        )
    )
    for index in np.ndindex(case.grid.shape):
        if sum(index) % 7:
            continue
        at = case.grid.affine[:3, :3] @ index + case.grid.affine[:3, 3]
        source = tuple(np.rint(to_source @ (at - synthetic.world((0, 0, 0)))).astype(int))
        assert abs(stored.data[(*index, 0)] - true[source]) <= 0.75
        for echo, time in enumerate(times_ms):
            apart = case.maps["phase"].data[(*index, echo)] - phase(time)[source]
            assert abs(np.angle(np.exp(1j * apart))) <= within


def test_siemens_six_echoes_mixed_in_one_folder(tmp_path: Path):
    siemens(tmp_path / "in")
    case = imported(tmp_path / "in", tmp_path / "out")
    check(case, TIMES_MS, STEP)
    assert case.grid.obliquity_degrees == pytest.approx(25, abs=0.1)


def test_siemens_phase_without_rescale_tags_and_masked(tmp_path: Path):
    scanner = Visit(tmp_path / "in")
    for echo, time in enumerate(TIMES_MS[:2], 1):
        facts = {"time_ms": time, "echo": echo}
        scanner.series(5, magnitude(time), types=["ORIGINAL", "PRIMARY", "M", "ND"], **facts)
        values = 1600 + 300 * synthetic.twelve_bits(phase(time)) / 4096
        scanner.series(6, values, types=["ORIGINAL", "PRIMARY", "P", "ND"], **facts)
    case = imported(tmp_path / "in", tmp_path / "out")
    found = case.maps["phase"].data
    assert found.min() == pytest.approx(1600 * STEP - np.pi, abs=2 * STEP)
    assert np.ptp(found) == pytest.approx(300 * STEP, abs=2 * STEP)


def test_siemens_full_range_without_rescale_tags(tmp_path: Path):
    siemens(tmp_path / "in", echoes=3, tagged=False)
    check(imported(tmp_path / "in", tmp_path / "out"), TIMES_MS[:3], STEP)


def test_siemens_import_is_what_its_nifti_loads_as(tmp_path: Path):
    """Bit by bit: the DICOM way and the way of files that dcm2niix wrote."""
    import subprocess

    import dcm2niix

    from napari_qsm_stroke.io.load import load

    siemens(tmp_path / "in", echoes=3)
    case = imported(tmp_path / "in", tmp_path / "out")
    (tmp_path / "nifti").mkdir()
    line = [dcm2niix.bin, "-z", "n", "-f", "i", "-o", str(tmp_path / "nifti"), str(tmp_path / "in")]
    subprocess.run(line, check=True, capture_output=True)
    phases = sorted((tmp_path / "nifti").glob("*_ph.nii"))
    magnitudes = sorted(p for p in (tmp_path / "nifti").glob("*.nii") if p not in phases)
    given = load(magnitude=magnitudes, phase=phases)
    for name in ("magnitude", "phase"):
        assert np.array_equal(case.maps[name].data, given.maps[name].data)
    assert case.grid == given.grid


def test_siemens_enhanced(tmp_path: Path):
    scanner = Visit(tmp_path / "in")
    for number, letter in ((7, "M"), (8, "P")):
        for time in TIMES_MS[:3]:
            values = magnitude(time) if letter == "M" else synthetic.twelve_bits(phase(time))
            scanner.enhanced(
                number, [(letter, time, values)], uid=f"1.2.3.{number}",
                scaling={"P": (2.0, -4096.0)},
            )  # fmt: skip
    check(imported(tmp_path / "in", tmp_path / "out"), TIMES_MS[:3], STEP)


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("chopped", [False, True])
def test_ge_sign_and_slices(parts: bool, chopped: bool, tmp_path: Path):
    ge(tmp_path / "in", parts=parts, chopped=chopped)
    case = imported(tmp_path / "in", tmp_path / "out")
    check(case, TIMES_MS[:2], 0.05 if parts else 0.001)
    assert case.acquisition is not None
    assert "import" in case.acquisition.phase_sign


@pytest.mark.parametrize(("choice", "sign"), [("keep", -1), ("negate", 1), ("auto", 1)])
def test_the_sign_can_be_chosen(choice, sign, tmp_path: Path):
    ge(tmp_path / "in", echoes=1)
    import_dicom(tmp_path / "in", tmp_path / "out", phase_sign=choice)
    (path,) = tmp_path.glob("out/sub-01/anat/*part-phase_T2starw.nii.gz")
    image = nib.as_closest_canonical(nib.load(path))
    start = np.linalg.solve(image.affine, (*synthetic.world((0, 0, 0)), 1))[:3]
    value = image.get_fdata()[tuple(np.rint(start).astype(int))]
    assert value == pytest.approx(sign * phase(4.0)[0, 0, 0], abs=1e-3)


def test_philips_real_and_imaginary(tmp_path: Path):
    scanner = Visit(tmp_path / "in", maker="Philips Medical Systems")
    for echo, time in enumerate(TIMES_MS[:2], 1):
        signal = magnitude(time) * np.exp(1j * phase(time))
        for letter, values in (("R", signal.real), ("I", signal.imag)):
            scanner.series(
                4, values, types=["ORIGINAL", "PRIMARY", f"{letter}_FFE", letter, "FFE"],
                time_ms=time, echo=echo, uid="1.2.9", signed=True,
            )  # fmt: skip
    check(imported(tmp_path / "in", tmp_path / "out"), TIMES_MS[:2], 0.05)


def test_a_single_echo_is_t2starw(tmp_path: Path):
    siemens(tmp_path / "in", echoes=1)
    result = import_dicom(tmp_path / "in", tmp_path / "out")
    assert [Path(f).name for f in result.examinations[0].files] == [
        "sub-01_part-mag_T2starw.nii.gz",
        "sub-01_part-phase_T2starw.nii.gz",
    ]


def test_echo_times_that_the_headers_repeat(tmp_path: Path):
    scanner = Visit(tmp_path / "in", maker="GE MEDICAL SYSTEMS")
    for echo, time in enumerate(TIMES_MS[:2], 1):
        for tag, values in ((0, magnitude(time)), (1, -1000 * phase(time))):
            scanner.series(
                3, values, types=["ORIGINAL", "PRIMARY", "OTHER"], time_ms=4.0, echo=echo,
                uid="1.2.8", signed=True, tag=tag,
            )  # fmt: skip
    with pytest.raises(InputError, match=r"echo times of 4, 4 ms for 2 echoes.*--echo-times"):
        import_dicom(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    import_dicom(tmp_path / "in", tmp_path / "out", echo_times=(0.004, 0.008))
    check(load_files(find_cases(tmp_path / "out")[0]), TIMES_MS[:2], 0.001)


def test_shape_and_voxels_are_those_of_the_scanner(tmp_path: Path):
    siemens(tmp_path / "in", echoes=1)
    case = imported(tmp_path / "in", tmp_path / "out")
    assert case.grid.shape == SHAPE
    assert case.grid.voxel_size == pytest.approx(synthetic.SPACING)
