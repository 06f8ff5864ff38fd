"""Numbers change only with the revision of a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contract_suite import golden
from contract_suite.calls import COMPUTED, plain
from contract_suite.golden import Golden, fingerprint, refresh, unlike

from napari_qsm_stroke.core.method import METHODS, Method


@pytest.mark.parametrize("name", COMPUTED)
def test_numbers_are_those_of_the_revision(name: str) -> None:
    problem = unlike(METHODS[name])
    assert not problem, problem


def test_numbers_of_no_method_are_kept() -> None:
    assert {p.stem for p in golden.FOLDER.glob("*.json")} <= set(COMPUTED)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a * np.float32(1.005),
        lambda a: np.roll(a, 1, 2),
        lambda a: a + np.float32(1e-3),
        lambda a: np.where(a == a.max(), 2 * a, a) * np.float32(1.004),
        lambda a: a.transpose(1, 0, 2),
    ],
)
def test_any_change_of_half_a_percent_shows(change: Callable[[np.ndarray], np.ndarray]) -> None:
    chi = plain(METHODS["tkd"])[0]
    before = Golden(1, {"chi": fingerprint(chi)})
    assert not before.differences(Golden(1, {"chi": fingerprint(chi * np.float32(1.0001))}))
    assert before.differences(Golden(1, {"chi": fingerprint(change(chi))}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep golden numbers elsewhere."""
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    return tmp_path


def louder(entry: Method, revision: int) -> Method:
    """The method with 2 % more of everything."""

    def function(*arguments: object, **named: object) -> np.ndarray:
        return np.float32(1.02) * entry.function(*arguments, **named)

    return replace(entry, function=function, revision=revision)


def test_refresh_is_refused_until_the_revision_is_raised(folder: Path) -> None:
    entry = METHODS["tikhonov"]
    assert "has no golden numbers" in unlike(entry)
    assert refresh(entry) == (True, f"tikhonov: kept for revision {entry.revision}")
    assert unlike(entry) == ""
    kept = (folder / "tikhonov.json").read_text()

    changed = louder(entry, entry.revision)
    assert f"revision={entry.revision + 1}" in unlike(changed)
    fine, sentence = refresh(changed)
    assert not fine
    assert "refused" in sentence
    assert (folder / "tikhonov.json").read_text() == kept

    raised = louder(entry, entry.revision + 1)
    assert "refresh_golden.py tikhonov" in unlike(raised)
    assert refresh(raised)[0]
    assert unlike(raised) == ""
