"""One participant after the other: done once, again only where something changed."""

from __future__ import annotations

import json
import signal
from hashlib import sha256
from pathlib import Path

import pytest

from napari_qsm_stroke.cohort.export import export
from napari_qsm_stroke.cohort.manifest import read_manifest
from napari_qsm_stroke.cohort.participant import Outcome, Plan, participant, reconstruct
from napari_qsm_stroke.core.progress import silent
from napari_qsm_stroke.errors import Cancelled, ParameterError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.load import load_files
from napari_qsm_stroke.pipeline.measure import MeasureSettings, measure

pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture
def first(data_set: Path, recipe: str, tmp_path: Path):
    """Return a function that does sub-01 and tells what came of it."""

    def do(progress=silent, **options) -> Outcome:
        plan = Plan(**{"recipe": recipe, **options})
        return participant(find_cases(data_set, ["01"])[0], tmp_path / "out", plan, progress)

    return do


def files_of(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.endswith("_manifest.json")
    }


def test_done_once_and_skipped_then(first, tmp_path: Path):
    outcome = first()
    assert outcome.status == "done"
    manifest = read_manifest(tmp_path / "out", "sub-01")
    assert manifest["status"] == "done"
    assert set(manifest["inputs"]) == {
        f"sub-01/anat/sub-01_echo-{e}_part-{p}_MEGRE.{ending}"
        for e in (1, 2, 3)
        for p in ("mag", "phase")
        for ending in ("nii.gz", "json")
    }
    folder = tmp_path / "out" / "sub-01"
    for name, digest in manifest["outputs"].items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest
    assert set(files_of(folder)) == set(manifest["outputs"])
    assert {s["step"] for s in manifest["steps"]} >= {"tkd", "vsharp"}
    assert outcome.files[-1].name == "sub-01_manifest.json"
    assert not list((tmp_path / "out").glob(".export.*"))
    assert first().status == "skipped"
    assert first(force=True).status == "done"


def test_hand_corrections_are_not_run_over(first, data_set: Path, recipe: str, tmp_path: Path):
    """An export from the window has other inputs than a run: it must stay all the same."""
    first()
    out = tmp_path / "out"
    case = load_files(find_cases(data_set, ["01"])[0])
    done, _ = reconstruct(case, Plan(recipe))
    brain = done.require("brain")
    erased = brain.data.copy()
    erased[: erased.shape[0] // 2] = 0
    edited = done.with_edit("brain", brain.with_data(erased))
    export(edited, measure(edited), out)
    before = files_of(out)
    outcome = first()
    assert outcome.status == "skipped"
    assert "corrected by hand (brain)" in outcome.reason
    assert files_of(out) == before
    assert first(force=True).status == "done"
    assert files_of(out) != before


def test_the_same_again_gives_the_same_bytes(first, data_set: Path, recipe: str, tmp_path: Path):
    first()
    participant(find_cases(data_set, ["01"])[0], tmp_path / "again", Plan(recipe))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")


def test_what_changed_is_done_again(first, data_set: Path, tmp_path: Path):
    first()
    assert first(values=("tkd.threshold=0.25",)).status == "done"
    settings = MeasureSettings(min_voxels=21)
    assert first(values=("tkd.threshold=0.25",), settings=settings).status == "done"
    sidecar = data_set / "sub-01/anat/sub-01_echo-2_part-mag_MEGRE.json"
    sidecar.write_text(sidecar.read_text().replace("}", ', "FlipAngle": 15}'))
    assert first().status == "done"
    chi = tmp_path / "out/sub-01/anat/sub-01_desc-stroke_Chimap.nii.gz"
    before = chi.read_bytes()
    chi.write_bytes(before[:-1])
    assert first().status == "done"
    assert chi.read_bytes() == before
    other = data_set / "sub-01/anat/sub-01_echo-2_part-mag_MEGRE.nii.gz"
    other.write_bytes((data_set / "sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz").read_bytes())
    assert first().status == "failed"


def test_a_failure_is_written_down_and_not_tried_again_unasked(first, data_set, tmp_path: Path):
    path = data_set / "sub-01/anat/sub-01_echo-2_part-phase_MEGRE.nii.gz"
    good = path.read_bytes()
    path.write_bytes(good[:-100])
    outcome = first()
    assert outcome.status == "failed"
    assert "truncated" in outcome.reason
    manifest = read_manifest(tmp_path / "out", "sub-01")
    assert (manifest["status"], manifest["reason"]) == ("failed", outcome.reason)
    assert files_of(tmp_path / "out/sub-01") == {}
    again = first()
    assert again.status == "failed"
    assert "failed before" in again.reason
    assert "failed before" not in first(retry_failed=True).reason
    path.write_bytes(good)
    assert first().status == "done"


def test_a_bug_is_a_failure_of_that_participant(first, tmp_path: Path, monkeypatch, caplog):
    def broken(*args: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("napari_qsm_stroke.cohort.participant.measure", broken)
    assert first().reason == "ZeroDivisionError: of all things"
    manifest = read_manifest(tmp_path / "out", "sub-01")
    assert "ZeroDivisionError" in "".join(manifest["traceback"])
    assert "sub-01 failed" in caplog.text


def test_cancelling_leaves_what_was_there(first, tmp_path: Path):
    first()
    before = files_of(tmp_path / "out")
    manifest = read_manifest(tmp_path / "out", "sub-01")

    def stop(fraction: float, stage: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        first(force=True, progress=stop)
    assert files_of(tmp_path / "out") == before
    assert read_manifest(tmp_path / "out", "sub-01") == manifest


@pytest.mark.parametrize("moved", [0, 1, 4])
def test_a_kill_while_files_are_moved_is_not_taken_for_done(first, moved, tmp_path, monkeypatch):
    first()
    count = [0]
    replace = Path.replace

    def until(self: Path, target: Path) -> Path:
        if ".export." in str(self.parent) or ".export." in str(self):
            in_place = ".export." not in str(target)
            if in_place and count[0] == moved:
                raise KeyboardInterrupt
            count[0] += in_place
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", until)
        with pytest.raises(KeyboardInterrupt):
            first(values=("tkd.threshold=0.25",))
    assert not (tmp_path / "out/sub-01/sub-01_manifest.json").exists()
    assert not list((tmp_path / "out").glob(".export.*"))
    assert first(values=("tkd.threshold=0.25",)).status == "done"


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_while_files_are_moved_waits_for_the_last(first, tmp_path: Path, monkeypatch):
    already: list[Path] = []
    replace = Path.replace

    def pressed(self, target):
        if ".export." in str(self) and ".export." not in str(target) and not already:
            already.append(target)
            signal.raise_signal(signal.SIGINT)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", pressed)
    with pytest.raises(KeyboardInterrupt):
        first()
    assert already
    folder = tmp_path / "out" / "sub-01"
    outputs = read_manifest(tmp_path / "out", "sub-01")["outputs"]
    assert files_of(folder) == outputs
    assert first().status == "skipped"


def test_an_error_that_came_of_stopping_is_no_failure(first, tmp_path: Path, monkeypatch):
    told = []

    def measured(*_):
        told.append("stop")
        raise RuntimeError("an interrupt that a library turned into this")

    def progress(_fraction, _stage):
        if told:
            raise Cancelled

    monkeypatch.setattr("napari_qsm_stroke.cohort.participant.measure", measured)
    with pytest.raises(Cancelled):
        first(progress)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_a_failure(first, tmp_path: Path, monkeypatch):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_qsm_stroke.cohort.export.write_maps", full)
    outcome = first()
    assert outcome.status == "failed"
    assert "No space left" in outcome.reason
    assert files_of(tmp_path / "out/sub-01") == {}


def test_files_that_are_no_longer_made_go_and_foreign_files_stay(first, recipe, tmp_path: Path):
    with_swi = tmp_path / "swi.toml"
    with_swi.write_text(Path(recipe).read_text() + '[[step]]\nmethod = "swi"\n')
    first(recipe=str(with_swi))
    folder = tmp_path / "out" / "sub-01" / "anat"
    (folder / "sub-01_desc-mine_mask.nii.gz").write_text("drawn by hand")
    assert (folder / "sub-01_desc-stroke_SWI.nii.gz").exists()
    first()
    assert not (folder / "sub-01_desc-stroke_SWI.nii.gz").exists()
    assert (folder / "sub-01_desc-mine_mask.nii.gz").read_text() == "drawn by hand"


def test_a_wrong_parameter_stops_the_whole_run(first, tmp_path: Path):
    with pytest.raises(ParameterError, match="out of bounds"):
        first(values=("tkd.threshold=7",))
    assert not (tmp_path / "out").exists()


def test_not_measured_is_said(first, tmp_path: Path):
    first()
    lines = (tmp_path / "out/sub-01/sub-01_measurements.tsv").read_text().splitlines()
    assert len(lines) == 7
    core = dict(zip(lines[0].split("\t"), lines[1].split("\t"), strict=True))
    assert core["region"] == "infarct_core"
    assert core["chi_median_ppm"] == "n/a"
    facts = json.loads((tmp_path / "out/sub-01/sub-01_measurements.json").read_text())
    assert any("veins" in note for note in facts["Provenance"]["Notes"])
