"""The data set that an import writes: valid, whole or not there, added to with care."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.io.dicom.synthetic import SHAPE, Visit, ge, magnitude, siemens

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.errors import Cancelled, InputError
from napari_qsm_stroke.io.dicom import convert
from napari_qsm_stroke.io.dicom.importer import import_dicom

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")


def everything(folder: Path) -> None:
    """Two visits of one person and one of another, with all kinds of images."""
    for visit, day in (("a", "20240102"), ("b", "20240203")):
        scanner = siemens(folder / visit, echoes=2, day=day)
        planar = {"ScanningSequence": ["SE", "EP"], "SeriesDescription": "DWI", "time_ms": 80.0}
        scanner.maker = "Philips"
        for b in (0.0, 1000.0):
            scanner.series(
                21, magnitude(b / 50) + len(visit + day[5]), types=["ORIGINAL", "PRIMARY", "M_SE"],
                uid=f"1.2.{day}.21", DiffusionBValue=b, **planar,
            )  # fmt: skip
        scanner.series(
            22, np.full(SHAPE, 800.0), types=["DERIVED", "PRIMARY", "ADC"], SeriesDescription="ADC"
        )
        scanner.series(
            25, magnitude(30), types=["DERIVED", "PRIMARY", "DIFFUSION"], DiffusionBValue=1000.0,
            SeriesDescription="DWI trace", ScanningSequence=["SE", "EP"],
        )  # fmt: skip
        facts = {"ScanningSequence": ["SE", "IR"], "InversionTime": 2500.0, "time_ms": 120.0}
        scanner.series(24, magnitude(9), types=["ORIGINAL"], SeriesDescription="flair", **facts)
        scanner.series(
            23, magnitude(3), types=["ORIGINAL"], SeriesDescription="t1_mprage",
            ScanningSequence=["GR", "IR"], InversionTime=900.0,
        )  # fmt: skip
    ge(folder / "c", echoes=1, person_id="2")


def test_the_validator_finds_no_error(tmp_path: Path):
    if not VALIDATOR.is_file():
        pytest.skip("bids-validator-deno is not installed: pip install -e .[dev]")
    everything(tmp_path / "in")
    for path in (tmp_path / "in" / "b").iterdir():  # another visit, not the same images again
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(content)
    assert main(["import", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    said = subprocess.run(
        [VALIDATOR, "--json", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    issues = json.loads(said.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    names = sorted(p.name.partition("_")[2] for p in (tmp_path / "out").rglob("*_dwi.nii.gz"))
    assert names == [f"ses-{v}_run-{r}_dwi.nii.gz" for v in (1, 2) for r in (1, 2)]
    assert sorted(p.name for p in (tmp_path / "out").glob("sub-*")) == ["sub-01", "sub-02"]


def test_another_import_adds_the_next_subject(tmp_path: Path):
    siemens(tmp_path / "a", echoes=1)
    ge(tmp_path / "b", echoes=1)
    (tmp_path / "out").mkdir()
    import_dicom(tmp_path / "a", tmp_path / "out")
    table = tmp_path / "out" / "participants.tsv"
    table.write_text("participant_id\tage\nsub-01\t60\n")
    import_dicom(tmp_path / "b", tmp_path / "out")
    assert table.read_text() == "participant_id\tage\nsub-01\t60\nsub-02\tn/a\n"
    with pytest.raises(InputError, match="already in the data set, as sub-02"):
        import_dicom(tmp_path / "b", tmp_path / "out")
    with pytest.raises(InputError, match="is already in the data set"):
        import_dicom(tmp_path / "b", tmp_path / "out", participant_label="01")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        *("README.md", "dataset_description.json", "participants.tsv", "sub-01", "sub-02")
    ]


@pytest.mark.parametrize("kind", ["file", "inside", "other", "derivative", "label", "empty"])
def test_targets_that_are_refused(kind: str, tmp_path: Path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    word, label = "", "01"
    if kind == "file":
        out.write_text("x")
        word = "is a file"
    elif kind == "inside":
        out, word = source / "out", "lies in the DICOM folder"
    elif kind == "other":
        out.mkdir()
        (out / "thesis.doc").write_text("x")
        word = "is no data set"
    elif kind == "derivative":
        out.mkdir()
        (out / "dataset_description.json").write_text('{"DatasetType": "derivative"}')
        word = "holds derivatives"
    elif kind == "label":
        siemens(source, echoes=1)
        label, word = "a/../b", "is no label"
    else:
        (source / "notes.txt").write_text("x")
        word = "holds no DICOM file \\(1 other files\\)"
    with pytest.raises(InputError, match=word):
        import_dicom(source, out, participant_label=label)
    assert not list(tmp_path.rglob("sub-*"))


@pytest.mark.parametrize("stage", ["reading headers", "converting", "writing images", "checking"])
def test_a_cancelled_import_leaves_nothing(stage: str, tmp_path: Path):
    siemens(tmp_path / "in", echoes=2)

    def stop(_fraction: float, what: str) -> None:
        if what.startswith(stage):
            raise Cancelled

    with pytest.raises(Cancelled):
        import_dicom(tmp_path / "in", tmp_path / "out", progress=stop)
    assert not (tmp_path / "out").exists()


def test_progress_goes_up_to_one(tmp_path: Path):
    siemens(tmp_path / "in", echoes=1)
    seen: list[float] = []
    import_dicom(tmp_path / "in", tmp_path / "out", progress=lambda f, _: seen.append(f))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("program", "limits", "word"),
    [
        ("import time; time.sleep(600)", {"LEAST_S": 0.5}, "too much time"),
        ("x = bytearray(3 * 10**9); print(len(x))", {"LEAST_MEMORY": 2 * 10**8}, "converted"),
        ("import os; os.abort()", {}, "code -6"),
    ],
)
def test_a_converter_that_hangs_grows_or_crashes(program, limits, word, tmp_path, monkeypatch):
    siemens(tmp_path / "in", echoes=1)
    script = tmp_path / "converter"
    script.write_text(f"#!{sys.executable}\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setattr("dcm2niix.bin", str(script))
    for name, value in limits.items():
        monkeypatch.setattr(convert, name, value)
    with pytest.raises(InputError, match=word):
        import_dicom(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_field_map_alone_is_named(tmp_path: Path):
    scanner = Visit(tmp_path / "in")
    scanner.series(
        9, magnitude(3), types=["ORIGINAL", "PRIMARY", "P"], ProtocolName="gre_field_mapping"
    )
    with pytest.raises(InputError, match="phase difference \\(field map\\)"):
        import_dicom(tmp_path / "in", tmp_path / "out")
