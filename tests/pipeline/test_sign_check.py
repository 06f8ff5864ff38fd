"""A phase of the wrong sign is noticed, by the air of the skull base and by dark veins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke import Case, Recipe, Volume, load, run
from napari_qsm_stroke.core.measure.field_sign import air_evidence, vein_evidence
from napari_qsm_stroke.pipeline.doubts import doubts
from napari_qsm_stroke.pipeline.recipe import Step
from napari_qsm_stroke.pipeline.sign_check import sign_doubt


def with_field(case: Case, *, air: float, veins: float, sign: int = 1) -> Case:
    """Add a smooth shim, the field of an air sinus at the base, and dark or plain veins."""
    grid = case.grid
    places = np.stack([*np.indices(grid.shape), np.ones(grid.shape)])
    x, y, z = np.tensordot(grid.affine, places, 1)[:3]
    up = z + 62
    distance = np.sqrt(x**2 + (y - 25) ** 2 + up**2) + 1
    sinus = 9.4 / 3 * (8 / distance) ** 3 * (3 * up**2 / distance**2 - 1)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, grid.shape)
    field = sign * (0.05 * (x / 70) ** 2 - 0.05 * (y / 80) ** 2 + air * sinus + noise)
    chi = rng.normal(0, 0.01, grid.shape) + 0.1 * case.maps["veins"].data
    dark = np.where(case.maps["veins"].data, 100 - 60 * veins, 100)
    dark = dark + rng.normal(0, 1, grid.shape)
    maps = {
        "total_field": Volume(field.astype(np.float32), grid, "ppm"),
        "susceptibility": Volume((sign * chi).astype(np.float32), grid, "ppm"),
        "magnitude": Volume(dark.astype(np.float32)[..., None], grid, "a.u."),
    }
    return Case(case.key, case.acquisition, {**case.maps, **maps})


@pytest.mark.parametrize(("air", "veins"), [(1, 1), (1, 0), (0, 1)])
def test_the_wrong_sign_is_noticed_and_the_right_one_is_left_alone(
    air: float, veins: float, stroke_case: Case
):
    right = with_field(stroke_case, air=air, veins=veins)
    wrong = with_field(stroke_case, air=air, veins=veins, sign=-1)
    assert sign_doubt(right) == ""
    assert "wrong sign" in sign_doubt(wrong)
    assert sign_doubt(wrong) in doubts(wrong)
    assert ("air of the skull base" in sign_doubt(wrong)) == bool(air)
    assert ("dark veins" in sign_doubt(wrong)) == bool(veins)


def test_without_air_and_veins_nothing_is_said(stroke_case: Case):
    for sign in (1, -1):
        assert sign_doubt(with_field(stroke_case, air=0, veins=0, sign=sign)) == ""
    assert sign_doubt(stroke_case) == ""


def test_evidence_turns_with_the_sign(stroke_case: Case):
    case = with_field(stroke_case, air=1, veins=1)
    brain, size = case.maps["brain"].data, case.grid.voxel_size
    field, chi = case.maps["total_field"].data, case.maps["susceptibility"].data
    assert air_evidence(-field, brain, size) == pytest.approx(-air_evidence(field, brain, size))
    magnitude = case.maps["magnitude"].data
    here = vein_evidence(chi, magnitude, brain, size)
    assert vein_evidence(-chi, magnitude, brain, size) == pytest.approx(-here, rel=1e-3)
    assert air_evidence(field, np.zeros_like(brain), size) == 0
    assert vein_evidence(chi, magnitude, np.zeros_like(brain), size) == 0


@pytest.mark.long
@pytest.mark.parametrize(("sign", "noticed"), [("keep", False), ("negate", True)])
def test_a_real_philips_scan(sign, noticed: bool, real_data: Path):
    folder = real_data / "philips_3t_human" / "nifti"
    name = "2001_fcMRI_Field_Mapping_e{}WIP_fcMRI_Field_Mapping{}.nii.gz"
    case = load(
        magnitude=[folder / name.format(echo, "") for echo in (1, 2)],
        phase=[folder / name.format(echo, "_ph") for echo in (1, 2)],
        phase_sign=sign,
    )
    steps = ("magnitude_brain", "romeo", "weighted_fit", "vsharp", "tkd")
    done = run(case, Recipe("quick", tuple(Step(step) for step in steps)))
    assert bool(sign_doubt(done)) == noticed
