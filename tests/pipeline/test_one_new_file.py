"""A new inversion is one new file: nothing else needs a touch."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_qsm_stroke import Recipe
from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.core import inversion
from napari_qsm_stroke.core.method import forget
from napari_qsm_stroke.pipeline import discovery
from napari_qsm_stroke.session import alternatives

ROOT = Path(__file__).parents[2]
SOURCE = '''
from typing import Annotated

import numpy as np
from annotated_types import Gt

from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.quantities import FieldMask, LocalField, Susceptibility


@method(cite="10.1000/one-file", linear=True)
def one_file(
    local_field: LocalField, field_mask: FieldMask, *, gain: Annotated[float, Gt(0)] = 3.0
) -> Susceptibility:
    """Scale the field.

    Parameters
    ----------
    gain : float
        How much.
    """
    return np.asarray(local_field * field_mask * np.float32(gain))
'''


@pytest.fixture
def new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lay a file beside the inversions, as if it were in their folder, and start anew."""
    (tmp_path / "one_file.py").write_text(SOURCE, "utf-8")
    monkeypatch.setattr(inversion, "__path__", [*inversion.__path__, str(tmp_path)])
    discovery._discover.cache_clear()
    yield
    forget("one_file")
    sys.modules.pop(f"{inversion.__name__}.one_file", None)
    discovery._discover.cache_clear()


def docs_page() -> str:
    path = ROOT / "docs" / "methods_table.py"
    spec = importlib.util.spec_from_file_location("methods_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.methods_page(discovery.methods()))


@pytest.mark.usefixtures("new_file")
def test_it_appears_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    entry = discovery.methods()["one_file"]
    assert entry.stage == "inversion"

    assert main(["methods", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert "one_file" in json.dumps(table)
    assert main(["methods", "one_file"]) == 0
    details = capsys.readouterr().out
    assert "gain" in details
    assert "10.1000/one-file" in details

    assert "| `one_file` |" in docs_page()

    # the form of the Reconstruct dock is made from these alternatives
    recipe = Recipe.load("multi-echo")
    index = next(i for i, s in enumerate(recipe.steps) if s.method == "tv")
    assert "one_file" in {m.name for m in alternatives(recipe, index)}
    assert recipe.with_method("inversion", "one_file").steps[index].method == "one_file"


def test_without_the_file_it_is_gone() -> None:
    assert "one_file" not in discovery.methods()
