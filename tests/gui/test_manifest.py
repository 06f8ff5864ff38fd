"""The manifest is valid, is found, and everything that it names can be imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_qsm_stroke

NAME = "napari-qsm-stroke"


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution(NAME)


def test_everything_that_it_names_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_it_offers_docks_samples_reader_and_writers(manifest: PluginManifest) -> None:
    offers = manifest.contributions
    docks = [widget.display_name for widget in offers.widgets or ()]
    assert docks == ["Open case", "Reconstruct", "Correct masks", "Measure and export"]
    assert [s.key for s in offers.sample_data or ()] == ["quick_patient", "simulated_patient"]
    assert {p for r in offers.readers or () for p in r.filename_patterns} == {"*.nii", "*.nii.gz"}
    assert {str(w.layer_types[0]) for w in offers.writers or ()} == {"labels", "image"}
    assert manifest.display_name == "QSM Stroke"


def test_the_file_at_the_top_is_the_one_of_the_package() -> None:
    packaged = Path(napari_qsm_stroke.__file__).parent / "napari.yaml"
    top = Path(__file__).parents[2] / "napari.yaml"
    if not top.exists():
        pytest.skip("the tests run away from the repository")
    assert top.read_text("utf-8") == packaged.read_text("utf-8")
