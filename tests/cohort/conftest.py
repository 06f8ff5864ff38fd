"""A small data set of three participants, and a recipe that takes a second."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

RECIPE = """
name = "quick"
[[step]]
method = "magnitude_brain"
working_resolution = 4.0
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


@pytest.fixture
def data_set(scan: dict[str, list[Path]], tmp_path: Path) -> Path:
    """Return a BIDS folder with sub-01, sub-02 and sub-03, the same scan."""
    root = tmp_path / "bids"
    for subject in ("01", "02", "03"):
        for part, word in (("magnitude", "mag"), ("phase", "phase")):
            for echo, path in enumerate(scan[part], 1):
                name = f"sub-{subject}_echo-{echo}_part-{word}_MEGRE"
                folder = root / f"sub-{subject}" / "anat"
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / f"{name}.nii.gz")
                facts = {"EchoTime": 0.005 * echo, "MagneticFieldStrength": 3, "Units": "rad"}
                (folder / f"{name}.json").write_text(json.dumps(facts))
    return root


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """Return the path of the quick recipe."""
    path = tmp_path / "quick.toml"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a word instead of a report, whose pages take seconds and have tests of their own."""

    def write(case, measurements, folder):
        path = Path(folder) / f"{case.key}_report.html"
        path.write_text("report")
        return [path]

    monkeypatch.setattr("napari_qsm_stroke.cohort.export.write_report", write)
