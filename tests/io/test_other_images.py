"""Diffusion images of any kind, and masks and maps of another grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke import Grid, Volume, load
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import write_volume
from napari_qsm_stroke.io.regrid import onto

FINE = Grid(
    (40, 44, 30), np.array([[1, 0, 0, -20], [0, 1, 0, -22], [0, 0, 2, -30], [0, 0, 0, 1.0]])
)


def tilted(grid: Grid, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]]) @ grid.affine


def ball(grid: Grid, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    places = np.stack([*np.indices(grid.shape), np.ones(grid.shape)])
    x, y, z = np.tensordot(grid.affine, places, 1)[:3]
    x0, y0, z0 = centre
    return ((x - x0) ** 2 + (y - y0) ** 2 + (z - z0) ** 2 < radius**2).astype(np.uint8)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PSR"])
@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_a_mask_of_the_diffusion_grid_lies_at_the_same_place(codes, degrees, tmp_path: Path):
    coarse = Grid((22, 24, 12), np.diag([2, 2, 5, 1.0]), codes)
    affine = tilted(coarse, degrees)
    affine[:3, 3] = (-21, -15, -32)
    coarse = Grid(coarse.shape, affine, codes)
    write_volume(Volume(ball(FINE, (0, 0, 0), 30).astype(np.float32), FINE), tmp_path / "chi.nii")
    write_volume(Volume(ball(coarse, (6, 3, -4), 9), coarse), tmp_path / "infarct.nii.gz")
    case = load(susceptibility=tmp_path / "chi.nii", infarct=tmp_path / "infarct.nii.gz")
    found, expected = case.maps["infarct"].data, ball(FINE, (6, 3, -4), 9)
    assert case.maps["infarct"].grid == FINE
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.85
    assert int(found.sum()) == pytest.approx(int(expected.sum()), rel=0.04)
    assert "is on a grid of its own" in next(r.note for r in case.history if r.what == "infarct")


def test_voxels_that_coincide_keep_their_values():
    rng = np.random.default_rng(0)
    data = rng.normal(size=FINE.shape).astype(np.float32)
    affine = FINE.affine.copy()
    affine[:3, 3] += FINE.affine[:3, :3] @ [3, 4, 5]
    part = Volume(data[3:20, 4:30, 5:25], Grid((17, 26, 20), affine))
    found, _ = onto(part, FINE, "labels")
    assert np.array_equal(found[3:20, 4:30, 5:25], part.data)
    same, notes = onto(Volume(data, FINE), FINE, "map")
    assert same is not None
    assert np.array_equal(same, data)
    assert notes == ()


def test_what_is_cut_off_is_said(tmp_path: Path):
    affine = FINE.affine.copy()
    affine[0, 3] -= 25
    far = Grid(FINE.shape, affine)
    write_volume(Volume(ball(FINE, (0, 0, 0), 30).astype(np.float32), FINE), tmp_path / "chi.nii")
    write_volume(Volume(ball(far, (-20, 0, 0), 9), far), tmp_path / "infarct.nii")
    case = load(susceptibility=tmp_path / "chi.nii", infarct=tmp_path / "infarct.nii")
    note = next(r.note for r in case.history if r.what == "infarct")
    assert "3.0 ml became 1." in note


def diffusion(tmp_path: Path) -> tuple[Volume, Volume]:
    rng = np.random.default_rng(2)
    grid = Grid((8, 9, 10), np.diag([2, 2, 5, 1.0]))
    b0 = Volume(rng.uniform(100, 200, grid.shape).astype(np.float32), grid)
    adc = Volume(rng.uniform(4e-4, 3e-3, grid.shape).astype(np.float32), grid)
    write_volume(b0, tmp_path / "b0.nii")
    write_volume(adc.with_data(adc.data * 1e6), tmp_path / "adc.nii")
    write_volume(Volume(ball(FINE, (0, 0, 0), 30).astype(np.float32), FINE), tmp_path / "chi.nii")
    return b0, adc


def test_the_weighted_image_is_computed_from_b0_and_adc(tmp_path: Path):
    b0, adc = diffusion(tmp_path)
    case = load(
        susceptibility=tmp_path / "chi.nii", b0=tmp_path / "b0.nii", adc=tmp_path / "adc.nii"
    )
    expected = b0.data * np.exp(-1000 * adc.data)
    np.testing.assert_allclose(case.maps["dwi"].data, expected, rtol=1e-4)
    record = next(r for r in case.history if r.what == "dwi")
    assert record.parameters["files"] == ["b0.nii", "adc.nii"]
    assert "computed from b0 and ADC" in record.note


@pytest.mark.parametrize("b", [500, 2000])
def test_another_b_value_is_brought_to_1000(b: int, tmp_path: Path):
    b0, adc = diffusion(tmp_path)
    series = np.stack([b0.data, b0.data * np.exp(-b * adc.data)], axis=3)
    write_volume(b0.with_data(series), tmp_path / "dwi.nii")
    (tmp_path / "dwi.bval").write_text(f"0 {b}")
    case = load(susceptibility=tmp_path / "chi.nii", dwi=tmp_path / "dwi.nii")
    np.testing.assert_allclose(case.maps["dwi"].data, b0.data * np.exp(-1000 * adc.data), rtol=1e-3)
    assert f"nearest to 1000 s/mm2 is {b} s/mm2" in case.history[1].note


def test_adc_that_contradicts_its_sidecar_is_refused(tmp_path: Path):
    diffusion(tmp_path)
    (tmp_path / "adc.json").write_text('{"Units": "mm^2/s"}')
    with pytest.raises(InputError, match=r"adc\.nii: the sidecar says mm\^2/s"):
        load(susceptibility=tmp_path / "chi.nii", adc=tmp_path / "adc.nii")


def test_a_map_in_ppb_that_says_so_is_brought_to_ppm(tmp_path: Path):
    chi = ball(FINE, (0, 0, 0), 10).astype(np.float32)
    write_volume(Volume(chi * 80, FINE), tmp_path / "chi.nii")
    (tmp_path / "chi.json").write_text('{"Units": "ppb"}')
    case = load(susceptibility=tmp_path / "chi.nii")
    np.testing.assert_allclose(case.maps["susceptibility"].data, chi * 0.08, rtol=1e-6)
