"""A small head through every kind of row: numbers make sense, and none is computed twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.accuracy import Selection
from benchmarks.cache import Cache
from benchmarks.heads import FIELD_STRENGTH, Head, Subject
from scipy import ndimage

from benchmarks import accuracy, chains
from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.core.physics.forward import field_of
from napari_qsm_stroke.core.physics.phantom import MULTI_ECHO
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second

SHAPE, SIZE = (40, 44, 36), 3.0
PATH = ("mcpc3ds", "romeo", "weighted_fit")
CHEAP = {"backgrounds": ("vsharp",), "inversions": ("tkd", "tikhonov")}


def small_head(subject: Subject) -> Head:
    """A ball of a brain with veins, nuclei, an infarct and a bleeding; noise of the scanner."""
    rng = np.random.default_rng(subject.seed)
    x, y, z = ((i - (n - 1) / 2) / (n / 2) for i, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    brain = x**2 + y**2 + z**2 < 0.8**2
    texture = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2)
    veins = brain & (np.indices(SHAPE)[1] % 9 == 4) & (np.indices(SHAPE)[2] % 7 == 3)
    infarct = brain & ((x + 0.4) ** 2 + y**2 + z**2 < 0.3**2)
    nuclei = (brain & (abs(x) < 0.2) & (abs(z) < 0.2)) * (1 + (y > 0) + (y > 0.3))
    bleed = brain & ((x + 0.4) ** 2 + (y + 0.1) ** 2 + z**2 < 0.1**2)
    chi = 0.01 * texture / texture.std() + 0.03 * nuclei + 0.25 * veins
    chi = np.where(veins & infarct, 0.6 * chi, chi) + 0.8 * bleed * subject.haemorrhage
    chi = np.where(brain, chi - chi[brain].mean(), 0).astype(np.float32)
    size = (SIZE, SIZE, SIZE)
    local = field_of(chi, voxel_size=size)
    total = local + (0.3 * z - 0.2 * x * y).astype(np.float32)
    times = np.array(MULTI_ECHO)
    angle = radians_per_ppm_second(FIELD_STRENGTH) * total[..., None] * times
    signal = 800 * (brain + 0.01)[..., None] * np.exp(-30 * times + 1j * angle)
    signal += 10 * (rng.normal(size=signal.shape) + 1j * rng.normal(size=signal.shape))
    grid = Grid(SHAPE, np.diag([SIZE, SIZE, SIZE, 1.0]))
    raw = {
        "magnitude": Volume(np.abs(signal).astype(np.float32), grid, "a.u."),
        "phase": Volume(np.angle(signal).astype(np.float32), grid, "rad"),
    }
    masks = {
        "brain": brain,
        "veins": veins,
        "infarct": infarct,
        "haemorrhage": bleed & subject.haemorrhage,
        "territories": np.where(x < 0, 3, 4) * brain,
        "nuclei": nuclei,
    }
    truth: dict[str, Any] = {"susceptibility": chi, "local_field": local, "total_field": total}
    return Head(subject, raw, truth | {n: m.astype(np.uint8) for n, m in masks.items()})


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    """Small heads in the place of simulated ones, and a list of those that were asked for."""
    asked: list[Subject] = []

    def load(subject: Subject, _cache: Cache) -> Head:
        asked.append(subject)
        return small_head(subject)

    monkeypatch.setattr(Head, "load", load)
    monkeypatch.setattr(chains, "field_paths", lambda: [PATH])
    monkeypatch.setattr(chains, "usual", lambda: chains.Usual(PATH, "vsharp", "tkd"))
    return asked


def test_every_kind_of_row_is_computed_once(heads: list[Subject], tmp_path: Path) -> None:
    selection = Selection(seeds=(1,), voxel_size=SIZE, **CHEAP)
    said: list[dict[str, Any]] = []
    rows = accuracy.rows(selection, Cache(tmp_path), said.append)
    assert rows == said
    kinds = [row["kind"] for row in rows]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "field": 1,
        "isolated background": 1,
        "isolated inversion": 2,
        "matched inversion": 2,
        "composed background": 1,
        "composed": 2,
        "isolated streaks": 2,
        "composed streaks": 2,
    }
    by_kind = {(row["kind"], row.get("inversion")): row for row in rows}
    field = by_kind["field", None]
    assert field["off_by_a_turn_percent"] < 0.1
    assert field["median_hz"] < 0.5
    isolated, composed = by_kind["isolated inversion", "tkd"], by_kind["composed", "tkd"]
    assert isolated["nrmse"] < composed["nrmse"] < 120
    assert 0.4 < isolated["vein_slope"] < 1.3
    assert isolated["change"] - isolated["change_error"] == pytest.approx(
        composed["change"] - composed["change_error"]
    )
    assert by_kind["isolated streaks", "tkd"]["streaks"] > 0
    assert "nrmse" not in by_kind["isolated streaks", "tkd"]

    heads.clear()
    assert accuracy.rows(selection, Cache(tmp_path), said.append) == rows
    assert heads == []


def test_a_single_step_stands_beside_the_matrix(heads: list[Subject], tmp_path: Path) -> None:
    """From wrapped phase to susceptibility, once for the usual path; there is no local field."""
    selection = Selection(
        seeds=(1,),
        voxel_size=SIZE,
        backgrounds=("vsharp",),
        inversions=("tgv",),
        parts=("isolated", "composed", "streaks"),
    )
    rows = accuracy.rows(selection, Cache(tmp_path), lambda _: None)
    found = [row for row in rows if row.get("inversion") == "tgv"]
    assert [(row["kind"], row["background"]) for row in found] == [
        ("composed", ""),
        ("composed streaks", ""),
    ]
    assert found[0]["field"] == " + ".join(PATH)
    assert found[0]["nrmse"] < 100
    assert found[0]["vein_slope"] > 0.5
    assert found[1]["streaks"] > 0


def test_only_what_is_new_is_computed(
    heads: list[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    apply = chains.apply

    def counted(case: Any, name: str, *rest: Any) -> Any:
        ran.append(name)
        return apply(case, name, *rest)

    monkeypatch.setattr(chains, "apply", counted)
    cache = Cache(tmp_path)
    way = chains.Way(Subject(1), cache)
    chains.composed(way, (*PATH, "vsharp", "tkd"))
    assert ran == [*PATH, "vsharp", "tkd"]
    ran.clear()
    chains.composed(chains.Way(Subject(1), cache), (*PATH, "vsharp", "tikhonov"))
    assert ran == ["tikhonov"]


def test_parts_are_chosen(heads: list[Subject], tmp_path: Path) -> None:
    selection = Selection(seeds=(1,), voxel_size=SIZE, parts=("isolated",), **CHEAP)
    kinds = {r["kind"] for r in accuracy.rows(selection, Cache(tmp_path), lambda _row: None)}
    assert kinds == {"isolated background", "isolated inversion", "matched inversion"}


def test_noise_of_the_field_is_that_of_the_magnitude() -> None:
    head = small_head(Subject(3))
    deep = ndimage.binary_erosion(head.brain, iterations=3)
    noise = head.noisy(head.truth["local_field"]) - head.truth["local_field"]
    assert np.std((noise / np.maximum(head.noise, 1e-9))[deep]) == pytest.approx(1, rel=0.05)
    case = head.given("brain", brain=head.truth["brain"])
    for name in PATH:
        case = chains.done(case, name)
    error = (case.maps["total_field"].data - head.truth["total_field"])[deep]
    assert np.std(error) == pytest.approx(np.median(head.noise[deep]), rel=0.25)
