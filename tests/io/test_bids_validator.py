"""The BIDS validator has nothing against what a run writes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke import Case, Volume
from napari_qsm_stroke.cohort.export import export
from napari_qsm_stroke.io.derivatives import PRODUCTS, write_dataset, write_maps
from napari_qsm_stroke.pipeline.measure import measure

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")


def errors_of(folder: Path) -> list[dict]:
    """What the validator calls an error."""
    if not VALIDATOR.exists():
        pytest.skip("bids-validator-deno is not installed: pip install -e .[dev]")
    line = [str(VALIDATOR), "--json", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [issue for issue in issues if issue.get("severity") == "error"]


@pytest.mark.parametrize("key", ["sub-01", "sub-01_ses-2"])
def test_a_run_s_results_are_bids(
    key: str, stroke_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def pages(case: Case, _measurements: object, folder: Path) -> list[Path]:
        made = [folder / f"{case.key}_report{ending}" for ending in (".html", ".pdf")]
        for path in made:
            path.write_text("a page")
        return made

    monkeypatch.setattr("napari_qsm_stroke.cohort.export.write_report", pages)
    data = np.ones(stroke_case.grid.shape, np.float32)
    others = {
        product.quantity: Volume(data, stroke_case.grid, "a.u.")
        for product in PRODUCTS
        if product.quantity not in stroke_case.maps
    }
    case = replace(stroke_case, key=key, maps={**stroke_case.maps, **others})
    written = export(case, measure(case), tmp_path / "out")
    names = " ".join(path.name for path in written)
    assert all(product.name in names for product in PRODUCTS)
    assert errors_of(tmp_path / "out") == []


def test_the_validator_would_see_a_wrong_name(stroke_case: Case, tmp_path: Path):
    case = Case("sub-01", None, {"brain": stroke_case.maps["brain"]})
    mask = write_maps(case, tmp_path / "out" / "sub-01")[0]
    write_dataset(tmp_path / "out")
    mask.rename(mask.with_name("sub-01_brainmask.nii.gz"))
    assert errors_of(tmp_path / "out")
