"""Units of the phase: recognised where they can be, refused where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import read_volume
from napari_qsm_stroke.io.phase import Radians, check_units, to_radians

TURN = 2 * np.pi


def wrapped() -> np.ndarray:
    """Smooth phase of three turns within the head, noise outside."""
    x = np.linspace(-1, 1, 40)
    smooth = 3 * np.pi * (x[:, None, None] + 0.5 * x[None, :, None] ** 2 + 0.3 * x[None, None, :])
    noise = np.random.default_rng(0).uniform(-np.pi, np.pi, smooth.shape)
    return np.angle(np.exp(1j * np.where(head(), smooth, noise)))[..., None]


def head() -> np.ndarray:
    x = np.linspace(-1, 1, 40)
    return x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2 < 1.2


MAGNITUDE = np.where(head(), 100.0, 1.0).astype(np.float32)[..., None]


def steps(levels: int) -> np.ndarray:
    """The phase in whole steps, from 0."""
    return np.clip(np.floor((wrapped() + np.pi) / TURN * levels), 0, levels - 1)


SCANNERS = {
    "rad": (wrapped(), ""),
    "rad from 0": (wrapped() % TURN, ""),
    "mrad": (np.round(wrapped() * 1000), "arbitrary"),
    "12 bits from 0": (steps(4096), ""),
    "12 bits about 0": (steps(4096) * 2 - 4096, "arbitrary"),
    "degrees, said": (np.degrees(wrapped()), "deg"),
    "mrad, said": (wrapped() * 1000, "mrad"),
}


@pytest.mark.parametrize("name", SCANNERS)
def test_what_scanners_write_is_recognised(name: str):
    stored, units = SCANNERS[name]
    found = to_radians(stored.astype(np.float32), MAGNITUDE, units, "phase.nii")
    assert_phase(found)
    assert found.note == ""
    assert found.unit.endswith("by its sidecar" if "said" in name else "by its range")


def assert_phase(found: Radians, inside: Any = ...) -> None:
    apart = np.abs(np.angle(np.exp(1j * (found.radians - wrapped()[inside]))))
    assert found.radians.dtype == np.float32
    assert apart.max() < 0.0017
    assert np.abs(found.radians).max() <= np.float32(np.pi)


SCALED = {
    "Philips, mrad": (2000 * np.pi / 4095, -1000 * np.pi),
    "Philips, rad": (TURN / 4095, -np.pi),
    "Siemens": (2.0, -4096.0),
    "degrees": (360 / 4095, -180.0),
}


@pytest.mark.parametrize("name", SCALED)
def test_slope_and_intercept_tell_the_unit_of_a_crop_that_fills_no_turn(name: str):
    slope, bottom = SCALED[name]
    crop = (slice(18, 22),) * 3
    stored = np.rint(steps(4096)[crop] * slope + bottom) if name == "Siemens" else None
    stored = steps(4096)[crop] * slope + bottom if stored is None else stored
    assert np.ptp(stored) < 0.6 * 4095 * slope
    found = to_radians(stored.astype(np.float32), None, "", "phase.nii", (slope, bottom))
    assert_phase(found, crop)
    assert found.unit.endswith("by slope and intercept of the file")


def test_whole_numbers_of_a_siemens_crop_are_12_bits_and_of_another_scanner_are_refused():
    crop = (slice(18, 22),) * 3
    stored = steps(4096)[crop].astype(np.float32)
    assert 1000 < stored.max() < 4000
    found = to_radians(stored, None, "", "phase.nii", None, "SIEMENS")
    assert_phase(found, crop)
    with pytest.raises(InputError, match="unknown units"):
        to_radians(stored, None, "", "phase.nii", None, "Canon")


def test_a_masked_siemens_image_is_not_stretched():
    stored = np.where(head()[..., None], steps(4096), 0)
    found = to_radians(stored.astype(np.float32), MAGNITUDE, "", "phase.nii", None, "Siemens")
    apart = np.angle(np.exp(1j * (found.radians - wrapped())))[head()]
    assert np.abs(apart).max() < 0.0017


def test_twelve_bits_times_an_unknown_factor_are_one_turn_and_it_says_so():
    stored = (steps(4096) - 2047.5) * 1.79e-6
    found = to_radians(stored.astype(np.float32), MAGNITUDE, "", "phase.nii")
    assert_phase(found)
    assert "4096 even steps" in found.note


@pytest.mark.parametrize(
    "stored",
    [
        wrapped() * 57.3,
        wrapped() * 0.01,
        wrapped() * 100,
        np.clip(wrapped(), -2, 2),
        np.round(wrapped() * 200),
        # 4096 even steps, but no wraps: a smooth field that happens to be stored in 12 bits
        np.linspace(-1, 1, 40**3).reshape(40, 40, 40, 1) * 300,
        np.round(np.linspace(-2047, 2047, 40**3)).reshape(40, 40, 40, 1) * 0.01,
    ],
    ids=["degrees", "small", "large", "clipped", "coarse steps", "a field", "12-bit field"],
)
def test_unknown_units_are_refused(stored: np.ndarray):
    with pytest.raises(InputError, match=r"phase\.nii: the phase is in unknown units"):
        to_radians(stored.astype(np.float32), MAGNITUDE, "", "phase.nii")


def test_a_field_map_and_a_wrong_unit_are_refused():
    phase = wrapped().astype(np.float32)
    with pytest.raises(InputError, match=r"phase\.nii.*'Hz', expected rad"):
        check_units([{"Units": "Hz"}], [Path("phase.nii")])
    with pytest.raises(InputError, match="say none and rad"):
        check_units([{"Units": "rad"}, {}], [Path("a.nii"), Path("b.nii")])
    with pytest.raises(InputError, match="more than one turn"):
        to_radians(phase * 3, MAGNITUDE, "rad", "phase.nii")
    with pytest.raises(InputError, match="everywhere"):
        to_radians(np.zeros_like(phase), MAGNITUDE, "rad", "phase.nii")


def test_a_masked_phase_is_never_stretched():
    part = np.where(wrapped() > 2.75, wrapped(), 3.0).astype(np.float32)
    found = to_radians(part, MAGNITUDE, "", "phase.nii")
    assert np.array_equal(found.radians, part)


def test_a_real_crop_with_an_unknown_factor(real_data: Path):
    folder = real_data / "gre_7t_crop"
    phase, magnitude = read_volume(folder / "Phase.nii"), read_volume(folder / "Mag.nii")
    found = to_radians(phase.data, magnitude.data, "", "Phase.nii")
    np.testing.assert_allclose(found.radians, phase.data * (np.pi / 0.003674), atol=3e-3)
    assert "one full turn" in found.note
