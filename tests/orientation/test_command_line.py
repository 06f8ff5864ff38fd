"""In every order of axes the same side, volumes and medians, and masks as they were."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.core.measure.regions import region_side

pytestmark = pytest.mark.usefixtures("no_report")
MIXED = ("PIR", "LAS", "ASR", "RSP", "LPS")
TIMES = ("0.005", "0.010", "0.015")


def paths(files: dict[str, list[Path]], *names: str) -> list[str]:
    return [w for n in names for w in (f"--{n.replace('_', '-')}", *map(str, files[n]))]


def measured(files: dict[str, list[Path]], out: Path) -> Path:
    masks = paths(files, "veins", "infarct", "territories")
    line = ["measure", "--chi", str(files["susceptibility"][0]), *masks, "--out", str(out)]
    assert main(line) == 0
    return out / "sub-01"


def reconstructed(files: dict[str, list[Path]], out: Path, recipe: str) -> Path:
    raw = [*paths(files, "magnitude", "phase"), "--echo-times", *TIMES, "--field-strength", "3"]
    masks = ["--brain-mask", str(files["brain"][0])]
    masks += paths(files, "veins", "infarct", "territories")
    assert main(["reconstruct", *raw, *masks, "--recipe", recipe, "--out", str(out)]) == 0
    return out / "sub-01"


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "sub-01_measurements.tsv").open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def assert_same_file(made: Path, given: Path) -> None:
    one, other = nib.load(made), nib.load(given)
    assert np.asarray(one.dataobj).tobytes() == np.asarray(other.dataobj).tobytes()
    assert nib.aff2axcodes(one.affine) == nib.aff2axcodes(other.affine)
    assert np.abs(one.affine - other.affine).max() < 1e-4


def assert_stroke_on_the_left(rows: list[dict[str, str]]) -> None:
    assert len(rows) == 6
    for row in rows:
        assert row["side"] == region_side(row["region"], "left")
    core = next(row for row in rows if row["region"] == "infarct_core")
    assert 30 < float(core["volume_ml"]) < 36  # a ball of 20 mm
    assert float(core["percent_vs_contralateral"]) < -20


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_measure_does_not_depend_on_the_order_of_axes(
    codes: str, degrees: float, patient, tmp_path: Path
):
    upright = measured(patient(tmp_path / "a", "RAS"), tmp_path / "first")
    files = patient(tmp_path / "b", codes, degrees)
    other = measured(files, tmp_path / "second")
    rows, again = table(upright), table(other)
    assert_stroke_on_the_left(again)
    assert again == rows
    for name, product in (
        ("veins", "desc-vein_mask"),
        ("infarct", "label-infarct_mask"),
        ("territories", "desc-territories_dseg"),
    ):
        assert_same_file(other / "anat" / f"sub-01_{product}.nii.gz", files[name][0])


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_reconstruct_does_not_depend_on_the_order_of_axes(
    codes: str, degrees: float, patient, quick: str, tmp_path: Path
):
    one = reconstructed(patient(tmp_path / "a", "RAS", degrees), tmp_path / "first", quick)
    files = patient(tmp_path / "b", codes, degrees)
    two = reconstructed(files, tmp_path / "second", quick)
    assert table(two) == table(one)
    assert_stroke_on_the_left(
        [row | {"percent_vs_contralateral": "-99"} for row in table(two)]
    )  # the phase of this scan is no true field: only its places count
    chi = nib.as_closest_canonical(nib.load(two / "anat/sub-01_desc-stroke_Chimap.nii.gz"))
    expected = nib.load(one / "anat/sub-01_desc-stroke_Chimap.nii.gz")
    assert np.array_equal(np.asarray(chi.dataobj), np.asarray(expected.dataobj))
    facts = json.loads((two / "anat/sub-01_desc-stroke_Chimap.json").read_text())
    tilt = np.degrees(np.arccos(facts["Acquisition"]["B0Direction"][2]))
    assert tilt == pytest.approx(26.3 if degrees else 0, abs=0.1)
    assert_same_file(two / "anat/sub-01_desc-brain_mask.nii.gz", files["brain"][0])


def test_files_of_different_orders_of_axes_fit_together(patient, quick: str, tmp_path: Path):
    one = reconstructed(patient(tmp_path / "a", "RAS"), tmp_path / "first", quick)
    two = reconstructed(patient(tmp_path / "b", MIXED), tmp_path / "second", quick)
    assert table(two) == table(one)


def test_run_does_not_depend_on_the_order_of_axes(codes: str, patient, quick: str, tmp_path: Path):
    chi = []
    for order in ("RAS", codes):
        files = patient(tmp_path / f"files-{order}-{len(chi)}", order)
        root = tmp_path / f"bids{len(chi)}"
        anat = root / "sub-01" / "anat"
        anat.mkdir(parents=True)
        for part, word in (("magnitude", "mag"), ("phase", "phase")):
            for echo, path in enumerate(files[part], 1):
                name = f"sub-01_echo-{echo}_part-{word}_MEGRE"
                path.rename(anat / f"{name}.nii.gz")
                facts = {"EchoTime": 0.005 * echo, "MagneticFieldStrength": 3, "Units": "rad"}
                (anat / f"{name}.json").write_text(json.dumps(facts))
        out = tmp_path / f"out{len(chi)}"
        assert main(["run", str(root), str(out), "participant", "--recipe", quick]) == 0
        found = nib.load(out / "sub-01/anat/sub-01_desc-stroke_Chimap.nii.gz")
        assert "".join(nib.aff2axcodes(found.affine)) == order
        chi.append(np.asarray(nib.as_closest_canonical(found).dataobj))
    assert np.array_equal(*chi)
