"""Real and imaginary part, the sign of the phase, and the direction of the field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.faults.fault_suite.tiny import Tiny

from napari_qsm_stroke import Case, Grid, Volume, load
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.complex_parts import to_polar
from napari_qsm_stroke.io.load import load_files
from napari_qsm_stroke.io.nifti import read_volume, write_volume
from napari_qsm_stroke.io.phase_sign import is_ge, sign_of
from napari_qsm_stroke.io.sidecar import PHASE_SIGN_CORRECTED


def case_of(tiny: Tiny) -> Case:
    return load_files(find_cases(tiny.root)[0])


def as_parts(tiny: Tiny, alternating: bool = False) -> None:
    """Replace magnitude and phase by real and imaginary part."""
    for magnitude, phase in zip(tiny.images("mag"), tiny.images("phase"), strict=True):
        size, angle = read_volume(magnitude), read_volume(phase)
        signal = size.data * np.exp(1j * angle.data)
        if alternating:
            signal = signal * (-1) ** np.arange(signal.shape[2])
        for old, word, part in ((magnitude, "mag", "real"), (phase, "phase", "imag")):
            values = getattr(signal, part).astype(np.float32)
            write_volume(Volume(values, size.grid), old.with_name(old.name.replace(word, part)))
            old.unlink()
            sidecar = old.with_name(old.name.replace(".nii.gz", ".json"))
            sidecar.rename(sidecar.with_name(sidecar.name.replace(word, part)))


@pytest.mark.parametrize("alternating", [False, True])
def test_real_and_imaginary_part_are_the_same_case(alternating: bool, tmp_path: Path):
    expected = case_of(Tiny(tmp_path / "a"))
    tiny = Tiny(tmp_path / "b")
    as_parts(tiny, alternating)
    found = case_of(tiny)
    turn = found.maps["phase"].data - expected.maps["phase"].data
    if alternating:  # the sign of the whole is not known, but it is one for all voxels
        turn = turn - np.pi * np.round(turn[0, 0, 0] / np.pi)
        assert found.acquisition is not None
        assert any("from slice to slice" in w for w in found.acquisition.warnings)
    assert np.abs(np.angle(np.exp(1j * turn))).max() < 1e-4
    np.testing.assert_allclose(
        found.maps["magnitude"].data, expected.maps["magnitude"].data, rtol=1e-5
    )
    assert found.acquisition is not None
    assert found.acquisition.echo_times == (0.005, 0.010, 0.015)
    assert len(found.history[0].parameters["files"]) == 6


def test_parts_that_cannot_be_are_refused(tmp_path: Path):
    positive = np.ones((4, 4, 4, 1), np.float32)
    with pytest.raises(InputError, match="nowhere negative"):
        to_polar(positive, positive, "a.nii")
    tiny = Tiny(tmp_path / "bids")
    with pytest.raises(InputError, match="magnitude or phase as well as real or imaginary"):
        load(magnitude=tiny.images("mag"), phase=tiny.images("phase"), real=tiny.echo(1))
    with pytest.raises(InputError, match="Imaginary: none given"):
        load(real=tiny.images("phase"))


@pytest.mark.parametrize(
    ("maker", "ge"),
    [
        ("GE", True),
        ("GE MEDICAL SYSTEMS", True),
        ("ge healthcare", True),
        ("General Electric", True),
        ("Siemens", False),
        ("Philips", False),
        ("GENESIS", False),
        ("", False),
    ],
)
def test_ge_is_told_from_others(maker: str, ge: bool):
    assert is_ge(maker) == ge


@pytest.mark.parametrize(
    ("maker", "corrected", "choice", "factor"),
    [
        ("GE MEDICAL SYSTEMS", None, "auto", -1),
        ("GE MEDICAL SYSTEMS", True, "auto", 1),
        ("GE MEDICAL SYSTEMS", False, "auto", -1),
        ("GE MEDICAL SYSTEMS", None, "keep", 1),
        ("GE MEDICAL SYSTEMS", True, "negate", -1),
        ("Siemens", None, "auto", 1),
        ("Philips", None, "auto", 1),
        ("Siemens", None, "negate", -1),
    ],
)
def test_the_sign_of_the_phase(maker: str, corrected: bool | None, choice, factor, tmp_path: Path):
    expected = case_of(Tiny(tmp_path / "a")).maps["phase"].data
    tiny = Tiny(tmp_path / "b")
    for part in ("mag", "phase"):
        for path in tiny.images(part):
            facts = {PHASE_SIGN_CORRECTED: corrected} if part == "phase" else {}
            tiny.sidecar(path, Manufacturer=maker, **facts)
    case = load(magnitude=tiny.images("mag"), phase=tiny.images("phase"), phase_sign=choice)
    assert np.array_equal(case.maps["phase"].data, factor * expected)
    assert case.acquisition is not None
    said = case.acquisition.phase_sign
    assert said.startswith("negated" if factor < 0 else "as stored")
    assert said == sign_of(choice, maker, [{PHASE_SIGN_CORRECTED: corrected}]).words
    assert case.history[1].parameters["sign"] == said
    warned = any("GE scanner" in w for w in case.acquisition.warnings)
    assert warned == (factor < 0 and choice == "auto")


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PSR", "SLA"])
def test_a_typed_field_direction_is_along_the_axes_of_the_file(codes: str, tmp_path: Path):
    tiny = Tiny(tmp_path / "bids", codes=codes)
    files = {"magnitude": tiny.images("mag"), "phase": tiny.images("phase")}
    case = load(**files)
    assert case.b0_dir == pytest.approx((0, 0, 1))
    assert case.acquisition is not None
    assert case.acquisition.origins["b0_direction"] == "derived"
    canonical = np.array([0.0, 0.6, 0.8])
    along = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
    typed = [canonical[along[c]] * (-1 if c in "LPI" else 1) for c in codes]
    case = load(**files, b0_direction=typed)
    assert case.b0_dir == pytest.approx(canonical)
    assert case.acquisition is not None
    assert case.acquisition.origins["b0_direction"] == "user"
    for wrong in ([0, 0, 0], [0, 0, 5], [0, 1], [0, 0, np.nan]):
        with pytest.raises(InputError, match="B0 direction"):
            load(**files, b0_direction=wrong)


def test_an_oblique_slab_has_its_exact_field_direction(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    turn = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    for path in (*tiny.images("mag"), *tiny.images("phase")):
        volume = read_volume(path)
        write_volume(Volume(volume.data, Grid(volume.grid.shape, turn @ volume.grid.affine)), path)
    assert case_of(tiny).b0_dir == pytest.approx((0, s, c), abs=1e-6)


def test_a_single_echo_and_one_file_of_all_echoes(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    single = load(magnitude=tiny.echo(3), phase=tiny.echo(3, "phase"))
    assert single.acquisition is not None
    assert single.acquisition.echo_times == (0.015,)
    several = case_of(tiny)
    for part, quantity in (("mag", "magnitude"), ("phase", "phase")):
        path = tiny.anat("01", f"part-{part}_MEGRE")
        write_volume(several.maps[quantity], path)
        tiny.sidecar(path, EchoTime=[0.005, 0.010, 0.015], MagneticFieldStrength=3, Units=None)
        for old in tiny.images(part):
            old.unlink()
    found = case_of(tiny)
    assert found.acquisition is not None
    assert found.acquisition.echo_times == (0.005, 0.010, 0.015)
    assert np.array_equal(found.maps["phase"].data, several.maps["phase"].data)
