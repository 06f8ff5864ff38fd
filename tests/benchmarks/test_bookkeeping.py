"""What is kept, what is computed again, and what a limit says."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.__main__ import main, parser
from benchmarks.cache import Cache, prune
from benchmarks.heads import SUPERSAMPLING, TEST_SEEDS, Subject
from benchmarks.stopwatch import Seconds, pairs, peak_bytes

from benchmarks import chains, fingerprint, limits, masks, records
from napari_qsm_stroke import Recipe, methods
from napari_qsm_stroke.core.method import get_method


def test_code_counts_and_comments_do_not() -> None:
    one = '"""Words."""\n\ndef f(x):\n    """More."""\n    return x + 1  # why\n'
    other = "def f(x):\n    return x + 1\n"
    assert fingerprint.plain_code(one) == fingerprint.plain_code(other)
    assert fingerprint.plain_code(one) != fingerprint.plain_code(other.replace("1", "2"))


def test_a_method_depends_on_all_that_it_runs_through() -> None:
    used = fingerprint.closure("napari_qsm_stroke.core.inversion.tkd")
    assert "napari_qsm_stroke.core.physics.dipole" in used
    assert "napari_qsm_stroke.core.numerics.fourier" in used
    assert "napari_qsm_stroke.core.background.lbv" not in used
    assert "napari_qsm_stroke.core.method" not in used


def test_revision_and_defaults_change_the_fingerprint() -> None:
    methods()
    entry = get_method("tkd")
    before = fingerprint.of_method(entry)
    assert fingerprint.of_method(entry) == before
    assert fingerprint.of_method(replace(entry, revision=entry.revision + 1)) != before
    fewer = replace(entry, parameters=())
    assert fingerprint.of_method(fewer) != before


def test_numbers_are_computed_once(tmp_path: Path) -> None:
    cache, calls = Cache(tmp_path), []

    def compute() -> dict[str, float]:
        calls.append(1)
        return {"nrmse": 12.5}

    assert cache.numbers("ab12", compute) == cache.numbers("ab12", compute) == {"nrmse": 12.5}
    assert len(calls) == 1
    (kept,) = tmp_path.rglob("ab12.json")
    kept.write_text("{")
    assert cache.numbers("ab12", compute) == {"nrmse": 12.5}
    assert len(calls) == 2


def test_the_oldest_volumes_go_first(tmp_path: Path) -> None:
    for age, name in enumerate(("aa/new", "bb/older", "cc/oldest")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "map.npy").write_bytes(b"1" * 100)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    prune(tmp_path, 250)
    assert {p.parent.name for p in tmp_path.rglob("*.npy")} == {"new", "older"}


def test_heads_are_apart_and_finer_than_the_scan() -> None:
    assert SUPERSAMPLING >= 2
    assert all(seed >= 9000 for seed in TEST_SEEDS)
    keys = {
        Subject(1).key,
        Subject(2).key,
        Subject(1, (2.0, 2.0, 2.0)).key,
        Subject(1, haemorrhage=True).key,
    }
    assert len(keys) == 4


def test_every_method_of_a_stage_is_in_the_matrix() -> None:
    known = methods()
    assert set(chains.backgrounds()) == {n for n, m in known.items() if m.stage == "background"}
    assert {"tkd", "tv", "tikhonov"} <= set(chains.inversions())
    assert "tgv" in chains.single_steps()
    assert not set(chains.inversions()) & set(chains.single_steps())
    assert "reference_brain" not in (*chains.inversions(), *chains.single_steps())
    usual = chains.usual()
    names = [step.method for step in Recipe.load(chains.RECIPE).steps]
    assert usual.background in names
    assert usual.inversion in names
    assert chains.field_paths()[0] == usual.path
    assert "magnitude_brain" not in usual.path
    for name in ("best_path", "laplacian"):
        assert [p for p in chains.field_paths() if name in p]


def row(value: float, seed: int, **labels: str) -> dict[str, object]:
    return {"kind": "composed", **labels, "seed": seed, "nrmse": value, "change_error": value}


def test_bias_is_of_the_recipe_with_one_method_exchanged(tmp_path: Path) -> None:
    methods()
    usual = chains.usual()
    own = {"field": chains.path_name(usual.path), "background": usual.background}
    rows = [
        *(row(v, s, **own, inversion=usual.inversion) for s, v in enumerate((1.0, 2.004))),
        row(7.0, 0, **own, inversion="tkd"),
        row(6.0, 0, **{**own, "background": ""}, inversion="tgv"),
        row(8.0, 0, **{**own, "background": "vsharp"}, inversion=usual.inversion),
        row(9.0, 0, **{**own, "background": "vsharp"}, inversion="tikhonov"),
    ]
    path = records.write_bias("command", {"seeds": [0, 1]}, rows, tmp_path / "bias.json")
    found = json.loads(path.read_text())
    table = {name: entry["points"] for name, entry in found["methods"].items()}
    assert table[usual.inversion] == table[usual.background] == table["romeo"] == [1.0, 2.0]
    assert table["tkd"] == [7.0]
    assert table["tgv"] == [6.0]
    assert table["vsharp"] == [8.0]
    assert "tikhonov" not in table
    assert found["methods"]["tkd"]["revision"] == get_method("tkd").revision
    assert found["command"] == "command"


def test_means_are_over_the_heads(tmp_path: Path) -> None:
    rows = [row(v, s, inversion="tv") for s, v in enumerate((1.0, 4.0))]
    (mean,) = records.over_heads(rows)
    assert (mean["nrmse"], mean["heads"], mean["points"]) == (2.5, 2, [1.0, 4.0])
    assert mean["change_worst"] == 4.0
    path = records.write("some", "command", {"seeds": [0, 1]}, [mean], tmp_path)
    found = json.loads(path.read_text())
    assert found["rows"][0]["nrmse"] == 2.5
    assert found["command"] == "command"


@pytest.mark.parametrize(
    ("value", "good"), [(4.0, True), (4.01, False), (float("nan"), False), (None, False)]
)
def test_a_limit_holds_or_not(value: float | None, good: bool) -> None:
    rows = [
        {"kind": "method", "name": "tv", "shape": list(limits.BASE), "pairs_per_iteration": value}
    ]
    (verdict,) = [v for v in limits.of_speed(rows) if v.what.startswith("tv")]
    assert verdict.good is good
    assert ("pass" in verdict.line()) is good
    assert ("not measured" in verdict.line()) is (value is None)


def test_recipes_may_not_grow_faster_than_the_transform() -> None:
    rows = [
        {"kind": "recipe", "name": "preview", "shape": shape, "pairs": pairs}
        for shape, pairs in ((limits.BASE, 30.0), (limits.LARGE, 45.0))
    ]
    (verdict,) = [v for v in limits.of_speed(rows) if "growth" in v.what]
    assert verdict.value == pytest.approx(1.5)
    assert not verdict.good


def test_accuracy_is_judged_by_the_mean_of_the_recipe() -> None:
    usual = {"field": "romeo", "background": "lbv", "inversion": "tv"}
    rows = [row(v, s, **usual) for s, v in enumerate((40.0, 48.0))]
    rows.append(row(99.0, 0, **{**usual, "inversion": "tkd"}))
    (verdict,) = [v for v in limits.of_accuracy(rows, usual) if v.what == "composed: nrmse"]
    assert verdict.value == 44.0
    assert verdict.good


def test_exit_code_tells_of_a_missed_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, code in ((3.0, 0), (5.0, 1)):
        rows = [
            {"kind": "method", "name": "tv", "shape": limits.BASE, "pairs_per_iteration": value}
        ]
        monkeypatch.setattr("benchmarks.speed.rows", lambda *_, rows=rows: rows)
        assert main(["speed"]) == code


def test_the_command_that_is_kept_names_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    monkeypatch.setattr("benchmarks.masks.rows", lambda *_: [])
    monkeypatch.setattr(records, "write", lambda _name, command, *_: said.append(command))
    folder = str(tmp_path)
    assert main(["masks", "--cache", folder, "--write", "--seeds", "1"]) == 0
    assert main(["masks", f"--cache={folder}", "--write", "--seeds", "1"]) == 0
    assert said == ["python -m benchmarks masks --write --seeds 1"] * 2


def test_every_command_has_its_work() -> None:
    for name in ("accuracy", "speed", "masks", "all"):
        assert callable(parser().parse_args([name]).work)


def test_time_and_memory_are_measured() -> None:
    (pair,) = pairs((16, 16, 16), 1)
    assert pair.wall > 0
    assert Seconds.median([Seconds(1, 4), Seconds(2, 6), Seconds(9, 5)]) == Seconds(2, 5)
    taken = peak_bytes(lambda: bytearray(b"1" * 50_000_000))
    if taken is None:
        pytest.skip("this system does not tell the peak of resident memory")
    assert 50e6 <= taken < 250e6


def test_every_patient_is_seen_with_each_effect_and_once_bled() -> None:
    examined = masks.patients(("multi-echo",), (1, 2), masks.EFFECTS)
    assert len(set(examined)) == len(examined) == 8
    assert [(p.seed, p.core_ratio) for p in examined if p.haemorrhage] == [(1, 0.62), (2, 0.62)]


def masks_row(**values: object) -> dict[str, object]:
    usual = {"mode": "multi-echo", "seed": 1, "core_ratio": 1.0, "haemorrhage": False}
    veins = {"dice": 0.8, "centre_line_dice": 0.9, "detection_difference": 2.0}
    veins |= {"blood_error": 5.0, "blood_covered": 0.95, "infarct_dice": 0.9}
    veins |= {"infarct_volume_error": -2.0, "side_right": 1.0, "wrong_side_mm": 2.0}
    return {**usual, **veins, "error_ipsilateral": 1.0, "error_contralateral": 1.0, **values}


def test_errors_of_opposite_sign_do_not_hide_the_worst_patient() -> None:
    rows = [masks_row(error_ipsilateral=12.0), masks_row(error_ipsilateral=-11.0)]
    verdicts = {v.what: v for v in limits.of_masks(rows)}
    assert verdicts["multi-echo, ratio 1: ipsilateral change, mean error"].good
    worst = verdicts["multi-echo, ratio 1: ipsilateral change, worst error"]
    assert not worst.good
    assert worst.value == 12
    assert verdicts["single-echo: dice"].value is None
    (mean,) = masks.over_patients(rows)
    assert mean["patients"] == 2
    assert mean["worst_ipsilateral"] == 12
    assert mean["error_ipsilateral"] == pytest.approx(0.5)


def test_one_patient_with_a_side_that_is_wrong_is_enough() -> None:
    rows = [masks_row(), masks_row(side_right=0.0, wrong_side_mm=3.2), masks_row()]
    verdicts = {v.what: v for v in limits.of_masks(rows)}
    for measure, value in (("side_right", 0.0), ("wrong_side_mm", 3.2)):
        verdict = verdicts[f"multi-echo: worst {measure}"]
        assert (verdict.value, verdict.good) == (value, False)
    assert verdicts["multi-echo: worst infarct_volume_error"].value == -2
    assert verdicts["multi-echo: worst infarct_dice"].good


def test_a_change_that_was_not_measured_is_not_averaged_and_counts_as_missed() -> None:
    rows = [masks_row(error_contralateral=None), masks_row(error_contralateral=2.0)]
    verdicts = {v.what: v for v in limits.of_masks(rows)}
    assert verdicts["multi-echo, ratio 1: contralateral change, mean error"].value == 2
    lost = verdicts["multi-echo, ratio 1: contralateral change, patients without"]
    assert lost.value == 1
    assert not lost.good
    assert verdicts["multi-echo, ratio 1: ipsilateral change, patients without"].good
    (mean,) = masks.over_patients(rows)
    assert (mean["without_contralateral"], mean["without_ipsilateral"]) == (1, 0)
    assert mean["error_contralateral"] == 2
