"""``qsm-stroke check``: nothing in a good data set, and everything in a bad one at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.faults.fault_suite.tiny import Tiny

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.core.progress import silent
from napari_qsm_stroke.errors import Cancelled, InputError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.check import check_dataset
from napari_qsm_stroke.io.load import load_files


def asked(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict]:
    code = main(["check", str(root), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_a_good_data_set_has_no_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Tiny(tmp_path / "bids", ("01", "02"))
    code, said = asked(tmp_path / "bids", capsys)
    assert code == 0
    assert said["errors"] == 0
    assert said["examinations"] == ["sub-01", "sub-02"]
    odd = ("Small field of view", "Coarse voxels")
    assert all(p["fault"].startswith(odd) for p in said["problems"])
    assert main(["check", str(tmp_path / "bids")]) == 0
    assert "2 examinations: 0 errors, 4 warnings." in capsys.readouterr().out
    Tiny(tmp_path / "one", ("01",))
    assert main(["check", str(tmp_path / "one")]) == 0
    assert "\n1 examination: 0 errors, 2 warnings." in capsys.readouterr().out


def test_everything_is_found_at_once_and_each_can_be_acted_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tiny = Tiny(tmp_path / "bids", ("01", "02", "03", "04", "05"))
    # three faults of one examination in three files, and one in a sidecar
    tiny.echo(1).write_bytes(tiny.echo(1).read_bytes()[:-900])
    tiny.rewrite(tiny.echo(2, "phase"), lambda data: np.full_like(data, np.nan))
    tiny.sidecar(tiny.echo(3), EchoTime="fifteen")
    tiny.rewrite(tiny.dwi("01", "ADC"), lambda data: data * 1e9)
    # others
    for path in tiny.images("phase", "02"):
        path.unlink()
        tiny.sidecar(path).unlink()
    for part in ("mag", "phase"):
        for path in tiny.images(part, "03"):
            tiny.sidecar(path, MagneticFieldStrength=None)
    for echo in (1, 2, 3):
        for part in ("mag", "phase"):
            shutil.copy(tiny.echo(echo, part, "05"), tiny.echo(echo, part, "04"))
    (tiny.root / "dataset_description.json").unlink()
    (tiny.root / "participants.tsv").write_text("participant_id\nsub-01\nsub-09\n")
    code, said = asked(tiny.root, capsys)
    assert code == 3
    found = [(p["examination"], p["level"], p["file"], p["fault"]) for p in said["problems"]]

    def has(examination: str, level: str, file: str, fault: str) -> bool:
        return any(
            e == examination and lv == level and file in f and fault in t for e, lv, f, t in found
        )

    first = "sub-01/anat/sub-01_echo-"
    assert has("sub-01", "error", f"{first}1_part-mag_MEGRE.nii.gz", "is truncated")
    assert has("sub-01", "error", f"{first}2_part-phase_MEGRE.nii.gz", "are NaN")
    assert has("sub-01", "error", f"{first}3_part-mag_MEGRE.json", "EchoTime is 'fifteen'")
    assert has("sub-01", "error", "sub-01/dwi/sub-01_ADC.nii.gz", "unknown units")
    assert has("sub-02", "error", "sub-02", "Phase: none given")
    assert has("sub-03", "error", "sub-03", "Field strength: not given")
    assert has("sub-05", "error", "sub-05", "the same phase as sub-04")
    assert has("", "warning", "dataset_description.json", "is missing")
    assert has("sub-09", "warning", "participants.tsv", "no folder")
    assert has("sub-02", "warning", "participants.tsv", "does not list sub-02")
    assert said["errors"] == 7
    for problem in said["problems"]:
        assert problem["file"]
        assert problem["fault"].endswith((".", ")"))
        assert problem["remedy"].endswith(".")
    assert "Traceback" not in capsys.readouterr().err
    table = main(["check", str(tiny.root)])
    lines = capsys.readouterr().out.splitlines()
    assert table == 3
    assert len([line for line in lines if " error " in line]) == 7
    assert lines[-1].startswith("5 examinations: 7 errors,")


def test_what_check_lets_through_can_be_loaded_and_what_not_cannot(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids", ("01", "02", "03"))
    tiny.sidecar(tiny.echo(1, "phase", "02"), Units="Hz")
    tiny.echo(3, "mag", "03").unlink()
    checked = check_dataset(tiny.root)
    bad = {p.examination for p in checked.problems if p.level == "error"}
    assert bad == {"sub-02", "sub-03"}
    for files in find_cases(tiny.root):
        if files.key in bad:
            with pytest.raises(InputError):
                load_files(files)
        else:
            load_files(files)


def test_one_subject_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tiny = Tiny(tmp_path / "bids", ("01", "02"))
    tiny.echo(1).write_bytes(b"")
    assert asked(tiny.root, capsys, "--participant-label", "02")[1]["errors"] == 0
    assert asked(tiny.root, capsys, "--participant-label", "sub-01")[1]["errors"] == 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Path.name.fget, "there is no such folder"),
        (lambda root: root.mkdir(), "there is no subject folder"),
        (lambda root: (root / "sub-01").mkdir(parents=True), "Phase: none given"),
    ],
)
def test_no_data_set_at_all(make, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    make(tmp_path / "bids")
    code, found = asked(tmp_path / "bids", capsys)
    assert code == 3
    assert found["errors"] == 1
    assert said in found["problems"][-1]["fault"]


def test_acquisitions_that_differ_are_named(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids", ("01", "02", "03"))
    for part in ("mag", "phase"):
        for echo, path in enumerate(tiny.images(part, "03"), 1):
            tiny.sidecar(path, EchoTime=0.006 * echo)
    odd = [p for p in check_dataset(tiny.root).problems if "acquired otherwise" in p.fault]
    assert [p.examination for p in odd] == ["sub-03"]
    assert "5, 10, 15 ms at 3 T" in odd[0].fault


def test_damaged_images_that_are_not_used_are_a_warning(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    tiny.anat("01", "T2w").write_bytes(b"no image")
    (odd,) = [p for p in check_dataset(tiny.root).problems if "T2w" in p.file]
    assert odd.level == "warning"
    assert odd.fault == "is not used here, and is no NIfTI image (.nii or .nii.gz)."


def test_checking_can_be_stopped_and_changes_nothing(tmp_path: Path):
    tiny = Tiny(tmp_path / "bids")
    before = {p: p.read_bytes() for p in tiny.root.rglob("*") if p.is_file()}

    def stop(fraction: float, stage: str) -> None:
        if fraction > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        check_dataset(tiny.root, progress=stop)
    check_dataset(tiny.root, progress=silent)
    assert {p: p.read_bytes() for p in tiny.root.rglob("*") if p.is_file()} == before
