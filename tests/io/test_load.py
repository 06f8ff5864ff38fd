"""Files to a case: where values come from, what is unusual, diffusion in any unit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_qsm_stroke import Grid, Volume, load
from napari_qsm_stroke.errors import Cancelled
from napari_qsm_stroke.io.nifti import write_volume

if TYPE_CHECKING:
    from pathlib import Path

Files = dict[str, list["Path"]]


def write_sidecars(files: Files, **facts: object) -> None:
    for part in ("magnitude", "phase"):
        for path, time in zip(files[part], (0.005, 0.010, 0.015), strict=True):
            sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
            sidecar.write_text(json.dumps({"EchoTime": time, **facts}))


def test_values_come_from_sidecars_or_from_the_user(scan: Files):
    write_sidecars(scan, MagneticFieldStrength=3, Manufacturer="GE MEDICAL SYSTEMS")
    case = load(magnitude=scan["magnitude"], phase=scan["phase"])
    assert case.acquisition is not None
    assert case.acquisition.echo_times == (0.005, 0.010, 0.015)
    assert dict(case.acquisition.origins) == {
        "echo_times": "header",
        "field_strength": "header",
        "b0_direction": "derived",
    }
    assert any("GE scanner" in w for w in case.acquisition.warnings)
    times = (0.004, 0.010, 0.015)
    case = load(magnitude=scan["magnitude"], phase=scan["phase"], echo_times=times, side="left")
    assert case.acquisition is not None
    assert case.acquisition.origins["echo_times"] == "user"
    assert any("differ from those of the sidecars" in w for w in case.acquisition.warnings)
    assert case.side == "left"


def test_one_file_with_all_echoes_is_the_same_as_one_for_each(scan: Files, tmp_path: Path):
    options = {"echo_times": (0.005, 0.010, 0.015), "field_strength": 3}
    several = load(magnitude=scan["magnitude"], phase=scan["phase"], **options)
    for part in ("magnitude", "phase"):
        write_volume(several.maps[part], tmp_path / f"{part}.nii.gz")
    one = load(magnitude=tmp_path / "magnitude.nii.gz", phase=tmp_path / "phase.nii.gz", **options)
    for part in ("magnitude", "phase"):
        assert np.array_equal(one.maps[part].data, several.maps[part].data)
        assert one.maps[part].grid == several.maps[part].grid
        assert one.maps[part].grid.stored_as == "LAS"


def test_given_masks_are_given_and_history_names_files_not_folders(scan: Files):
    case = load(
        magnitude=scan["magnitude"],
        phase=scan["phase"],
        echo_times=(0.005, 0.010, 0.015),
        field_strength=3,
        veins=scan["veins"][0],
        brain_mask=scan["brain"][0],
        territories=scan["territories"][0],
    )
    assert case.given == {"veins", "brain", "territories"}
    assert case.maps["brain"].data.dtype == np.uint8
    files = {r.what: r.parameters["files"] for r in case.history}
    assert files["brain"] == ["brain.nii.gz"]
    assert files["phase"] == ["phase1.nii.gz", "phase2.nii.gz", "phase3.nii.gz"]


def test_a_mask_of_255_and_one_in_another_order_of_axes_is_the_same_mask(scan: Files):
    case = load(susceptibility=scan["susceptibility"][0], veins=scan["veins"][0])
    mask = case.maps["veins"]
    grid = Grid(mask.grid.shape, mask.grid.affine, "PIR")
    write_volume(Volume(mask.data * 255, grid), scan["veins"][0])
    again = load(susceptibility=scan["susceptibility"][0], veins=scan["veins"][0])
    assert again.maps["veins"].digest == mask.digest


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_adc_of_any_unit_is_the_same(scale: float, scan: Files, tmp_path: Path):
    rng = np.random.default_rng(0)
    adc = rng.uniform(4e-4, 3e-3, (8, 9, 10)).astype(np.float32)
    adc[:2] = 0
    grid = Grid(adc.shape, np.diag([2, 2, 5, 1.0]))
    write_volume(Volume(adc * np.float32(scale), grid), tmp_path / "adc.nii.gz")
    case = load(susceptibility=scan["susceptibility"][0], adc=tmp_path / "adc.nii.gz")
    np.testing.assert_allclose(case.maps["adc"].data, adc, rtol=1e-5)
    assert case.maps["adc"].unit == "mm2/s"


def test_a_diffusion_series_is_parted_by_its_b_values(scan: Files, tmp_path: Path):
    values = [0, 1000, 1000, 5, 2000, 995]
    levels = np.array([10, 3, 5, 20, 1, 4], np.float32)
    grid = Grid((4, 5, 6), np.diag([2, 2, 5, 1.0]))
    data = np.broadcast_to(levels, (4, 5, 6, 6)).copy()
    write_volume(Volume(data, grid), tmp_path / "dwi.nii.gz")
    (tmp_path / "dwi.bval").write_text(" ".join(map(str, values)))
    case = load(susceptibility=scan["susceptibility"][0], dwi=tmp_path / "dwi.nii.gz")
    assert np.all(case.maps["dwi"].data == 4)
    assert np.all(case.maps["b0"].data == 15)


def test_subject_and_session_come_from_the_name(scan: Files, tmp_path: Path):
    path = tmp_path / "sub-Ab7_ses-2_desc-stroke_Chimap.nii.gz"
    path.write_bytes(scan["susceptibility"][0].read_bytes())
    case = load(susceptibility=path)
    assert (case.key, case.subject, case.session) == ("sub-Ab7_ses-2", "Ab7", "2")
    assert load(susceptibility=path, key="sub-9").key == "sub-9"
    assert load(susceptibility=scan["susceptibility"][0]).key == "sub-01"


def test_loading_can_be_cancelled(scan: Files):
    def stop(fraction: float, stage: str) -> None:
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        load(susceptibility=scan["susceptibility"][0], progress=stop)


def test_real_philips_scan_names_what_is_unusual(real_data: Path):
    folder = real_data / "philips_3t_human" / "nifti"
    stem = "2001_fcMRI_Field_Mapping_e{}WIP_fcMRI_Field_Mapping{}.nii.gz"
    case = load(
        magnitude=[folder / stem.format(e, "") for e in (1, 2)],
        phase=[folder / stem.format(e, "_ph") for e in (1, 2)],
        dwi=folder / "2201_DTI_S2MB2_e1WIP_DTI_S2MB2.nii.gz",
    )
    assert case.acquisition is not None
    assert case.acquisition.echo_times == (0.0023, 0.0046)
    words = " ".join(case.acquisition.warnings)
    for word in (
        "Dual echo",
        "Last echo early (4.6 ms)",
        "Coarse voxels (3 x 3 x 3 mm)",
        "Oblique",
    ):
        assert word in words
    assert case.maps["b0"].data.shape == (128, 128, 82)


def test_real_crop_at_7_tesla_names_what_is_unusual(real_data: Path):
    folder = real_data / "gre_7t_crop"
    case = load(
        magnitude=folder / "Mag.nii",
        phase=folder / "Phase.nii",
        echo_times=(0.004, 0.008, 0.012),
        field_strength=7,
    )
    assert case.acquisition is not None
    words = " ".join(case.acquisition.warnings)
    for word in ("in no known unit", "Small field of view", "Field strength 7 T"):
        assert word in words
    assert "Last echo early" not in words
