"""The commands: what they print, what they write, how they end."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke.case.provenance import INTENDED_USE
from napari_qsm_stroke.cli import demo, run
from napari_qsm_stroke.cli.main import VERBS, main
from napari_qsm_stroke.cohort.participant import Outcome
from napari_qsm_stroke.core.measured_bias import Bias
from napari_qsm_stroke.errors import Cancelled
from napari_qsm_stroke.io.nifti import read_volume
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.simulate import simulate

RECIPE = """
name = "quick"
[[step]]
method = "magnitude_brain"
[[step]]
method = "laplacian"
[[step]]
method = "weighted_fit"
[[step]]
method = "vsharp"
max_radius = 6.0
[[step]]
method = "tkd"
[[step]]
method = "reference_brain"
"""
NAMES = [verb.__name__.rpartition(".")[2].rstrip("_") for verb in VERBS]
Files = dict[str, list[Path]]


def rows_of(table: Path) -> dict[str, dict[str, str]]:
    with table.open(newline="") as stream:
        return {row["region"]: row for row in csv.DictReader(stream, delimiter="\t")}


@pytest.mark.parametrize("name", NAMES)
def test_help_of_each_command_is_complete(name: str, capsys):
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Not a medical device" in " ".join(shown.split())
    assert "exit codes: 0 done" in shown
    options = shown.split("positional arguments:")[-1].split("options:")[-1].split("exit codes")[0]
    for entry in re.split(r"\n  (?=\S)", options)[1:]:
        assert len(entry.split()) > 2, f"no help: {entry}"


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = (
        "import sys; from napari_qsm_stroke.cli.main import main; main(['run', '--help']);"
        "heavy = {'numpy', 'scipy', 'napari', 'matplotlib', 'rich', 'nibabel'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_methods_as_a_table_in_full_and_as_json(capsys, monkeypatch: pytest.MonkeyPatch):
    off = {"tkd": Bias((4.0, 5.0))}
    monkeypatch.setattr("napari_qsm_stroke.core.method.measured", lambda: off)
    assert main(["methods"]) == 0
    table = capsys.readouterr()
    assert all(name in table.out for name in methods())
    assert INTENDED_USE in table.err
    assert "not recommended for this study" in " ".join(table.out.split())
    assert main(["methods", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {f["name"] for f in facts} == set(methods())
    assert main(["methods", "vsharp", "--json"]) == 0
    (radius,) = [
        p for p in json.loads(capsys.readouterr().out)["parameters"] if p["name"] == "max_radius"
    ]
    assert (radius["unit"], radius["bounds"]) == ("mm", "> 0, <= 50")
    assert main(["methods", "vsharp"]) == 0
    shown = capsys.readouterr().out
    for word in ("max_radius", "12.0", "mm", "> 0, <= 50", "https://doi.org/10."):
        assert word in shown
    assert main(["methods", "nothing"]) == 2


def test_measure_from_a_finished_map(scan: Files, tmp_path: Path, capsys):
    out = tmp_path / "out"
    line = ["measure", "--chi", str(scan["susceptibility"][0]), "--out", str(out)]
    for name in ("veins", "infarct", "territories"):
        line += [f"--{name}", str(scan[name][0])]
    assert main(line) == 0
    shown = capsys.readouterr().out
    assert "Infarct core" in shown
    assert "0.060" in shown
    rows = rows_of(out / "sub-01" / "sub-01_measurements.tsv")
    assert list(rows) == [
        *("infarct_core", "ipsilateral_mca", "contralateral_mca", "mirrored_core"),
        *("peri_infarct_0_5mm", "peri_infarct_5_10mm"),
    ]
    assert float(rows["infarct_core"]["chi_median_ppm"]) == pytest.approx(0.06, abs=2e-3)
    assert float(rows["infarct_core"]["percent_vs_contralateral"]) == pytest.approx(-45.5, abs=2)
    assert rows["infarct_core"]["side"] == "left"
    manifest = json.loads((out / "sub-01" / "sub-01_manifest.json").read_text())
    assert set(manifest["inputs"]) == {
        *("susceptibility.nii.gz", "veins.nii.gz", "infarct.nii.gz", "territories.nii.gz")
    }
    assert main([*line, "--side", "right"]) == 0
    assert rows_of(out / "sub-01" / "sub-01_measurements.tsv")["infarct_core"]["side"] == "right"


@pytest.fixture
def nothing_measured(monkeypatch):
    """No inversion's bias is known, so that none is recommended."""
    monkeypatch.setattr("napari_qsm_stroke.core.method.measured", dict)


@pytest.mark.usefixtures("nothing_measured")
def test_reconstruct_with_given_masks_writes_every_file(scan: Files, tmp_path: Path, capsys):
    out, recipe = tmp_path / "out", tmp_path / "quick.toml"
    recipe.write_text(RECIPE)
    line = ["reconstruct", "--magnitude", *map(str, scan["magnitude"]), "--phase"]
    line += [*map(str, scan["phase"]), "--echo-times", "0.005", "0.010", "0.015"]
    line += ["--field-strength", "3", "--recipe", str(recipe), "--set", "tkd.threshold=0.25"]
    for name in ("veins", "infarct", "territories"):
        line += [f"--{name}", str(scan[name][0])]
    line += ["--brain-mask", str(scan["brain"][0]), "--out", str(out)]
    assert main(line) == 0
    shown = capsys.readouterr()
    assert "warning: Last echo early" not in shown.err
    assert "warning: Coarse voxels (3 x 3 x 3 mm)" in shown.err
    assert "warning: tkd is not recommended for this study: its bias" in shown.err
    assert re.search(r"reconstruct +\d+ %  tkd", shown.err)
    stems = {p.name.split(".")[0] for p in (out / "sub-01").rglob("*") if p.is_file()}
    assert stems == {
        "sub-01_desc-stroke_Chimap",
        "sub-01_desc-brain_mask",
        "sub-01_desc-vein_mask",
        "sub-01_label-infarct_mask",
        "sub-01_desc-territories_dseg",
        "sub-01_measurements",
        "sub-01_veins",
        "sub-01_report",
        "sub-01_manifest",
    }
    veins = read_volume(out / "sub-01" / "anat" / "sub-01_desc-vein_mask.nii.gz")
    assert np.array_equal(veins.data, read_volume(scan["veins"][0]).data)
    assert veins.grid.stored_as == "LAS"
    chi = read_volume(out / "sub-01" / "anat" / "sub-01_desc-stroke_Chimap.nii.gz").data
    assert np.isfinite(chi).all()
    assert chi.std() > 0
    manifest = json.loads((out / "sub-01" / "sub-01_manifest.json").read_text())
    assert "threshold = 0.25" in manifest["config"]["recipe"]
    assert manifest["IntendedUse"] == INTENDED_USE


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (("done", "done"), 0),
        (("done", "skipped"), 0),
        (("done", "failed"), 4),
        (("skipped", "failed"), 4),
        (("skipped", "skipped"), 5),
    ],
)
def test_exit_code_of_a_run(statuses, code, tmp_path: Path, monkeypatch, capsys):
    outcomes = iter(statuses)
    for subject in "12":
        (tmp_path / "bids" / f"sub-{subject}" / "anat").mkdir(parents=True)
    monkeypatch.setattr(
        "napari_qsm_stroke.cohort.participant.participant",
        lambda files, *_: Outcome(files.key, next(outcomes), "because"),
    )
    assert main(["run", str(tmp_path / "bids"), str(tmp_path / "out"), "participant"]) == code
    shown = capsys.readouterr()
    assert "2 examinations" in shown.out
    assert ("sub-2: failed (because)" in shown.err) == (statuses[1] == "failed")


@pytest.mark.usefixtures("nothing_measured")
def test_a_bad_participant_does_not_stop_the_others(scan: Files, tmp_path: Path, capsys):
    recipe = tmp_path / "quick.toml"
    recipe.write_text(RECIPE)
    for subject in ("01", "02"):
        folder = tmp_path / "bids" / f"sub-{subject}" / "anat"
        folder.mkdir(parents=True)
        for part, word in (("magnitude", "mag"), ("phase", "phase")):
            for echo, path in enumerate(scan[part], 1):
                stem = folder / f"sub-{subject}_echo-{echo}_part-{word}_MEGRE"
                Path(f"{stem}.nii.gz").write_bytes(path.read_bytes())
                facts = {"EchoTime": 0.005 * echo, "MagneticFieldStrength": 3}
                Path(f"{stem}.json").write_text(json.dumps(facts))
    (tmp_path / "bids/sub-01/anat/sub-01_echo-2_part-phase_MEGRE.nii.gz").write_bytes(b"broken")
    line = ["run", str(tmp_path / "bids"), str(tmp_path / "out"), "participant"]
    line += ["--recipe", str(recipe)]
    assert main(line) == 4
    shown = capsys.readouterr()
    assert re.search("sub-01: failed .*is no NIfTI image", shown.err)
    assert shown.err.count("warning: tkd is not recommended") == 1
    assert "sub-02: done" in shown.out
    failed = json.loads((tmp_path / "out/sub-01/sub-01_manifest.json").read_text())
    assert failed["status"] == "failed"
    assert main([*line, "--participant-label", "02"]) == 5


def test_ctrl_c_is_a_clean_stop(tmp_path: Path, monkeypatch, capsys):
    for error in (KeyboardInterrupt, Cancelled):

        def stopped(_: object, error=error) -> int:
            raise error

        monkeypatch.setattr(run, "execute", stopped)
        assert main(["run", "in", "out", "participant"]) == 130
        shown = capsys.readouterr().err
        assert "Stopped" in shown
        assert "Traceback" not in shown


def test_a_crash_is_1_and_asks_for_a_report(monkeypatch, capsys, caplog):
    def broken(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "execute", broken)
    assert main(["run", "in", "out", "participant"]) == 1
    assert "bug" in capsys.readouterr().err
    assert "ZeroDivisionError" in caplog.text


def test_a_folder_that_cannot_be_written_is_said(scan: Files, tmp_path: Path, capsys):
    (tmp_path / "out").write_text("a file where the folder should be")
    line = ["measure", "--chi", str(scan["susceptibility"][0]), "--out", str(tmp_path / "out")]
    for name in ("veins", "infarct", "territories"):
        line += [f"--{name}", str(scan[name][0])]
    assert main(line) == 1
    assert "Check rights and free space" in capsys.readouterr().err


def test_demo_from_raw_phase_to_a_report_without_a_display(tmp_path: Path, monkeypatch, capsys):
    coarse = functools.partial(simulate, voxel_size=(3.0, 3.0, 3.0))
    monkeypatch.setattr("napari_qsm_stroke.pipeline.simulate.simulate", coarse)
    assert main(["demo", "--headless", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "Vein susceptibility by territory" in shown
    assert "-38 % inside the veins" in shown
    report = re.search(r"^Report: (.+)$", shown, re.MULTILINE)
    assert report is not None
    assert Path(report.group(1)).read_text("utf-8").lower().startswith("<!doctype html>")
    rows = rows_of(tmp_path / "results" / "sub-01" / "sub-01_measurements.tsv")
    truth = tmp_path / "bids" / "derivatives" / "ground-truth" / "sub-01"
    assert (
        rows["infarct_core"]["side"]
        == rows_of(truth / "sub-01_measurements.tsv")["infarct_core"]["side"]
    )
    brain, chi = (
        read_volume(tmp_path / "results/sub-01/anat" / name).data
        for name in ("sub-01_desc-brain_mask.nii.gz", "sub-01_desc-stroke_Chimap.nii.gz")
    )
    true = read_volume(truth / "anat" / "sub-01_desc-brain_mask.nii.gz").data
    assert 2 * (brain * true).sum() / (brain.sum() + true.sum()) > 0.9
    assert np.isfinite(chi).all()


@pytest.mark.parametrize("broken", [False, True])
def test_demo_opens_the_window_that_an_entry_point_names(broken: bool, monkeypatch, capsys):
    seen: list[object] = []

    class Window:
        def load(self) -> object:
            if broken:
                raise ImportError("no Qt binding")
            return lambda *what: seen.extend(what)

    monkeypatch.setattr(demo, "entry_points", lambda **_: [Window()])
    demo.open_window("case", "measurements")
    assert seen == ([] if broken else ["case", "measurements"])
    assert ("No window: no Qt binding" in capsys.readouterr().err) == broken


def test_the_window_of_this_package_is_named():
    (window,) = entry_points(group=demo.WINDOWS)
    assert window.value == "napari_qsm_stroke.gui.app:show_case"


@pytest.mark.parametrize(("display", "seen"), [("", False), (":1", True)])
def test_a_window_only_where_there_is_a_display(display, seen, monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert demo.has_display() is seen


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "napari_qsm_stroke", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == 0
    assert "qsm-stroke" in done.stdout
    for name in NAMES:
        assert name in done.stdout
