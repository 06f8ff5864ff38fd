"""QSM of ischemic stroke after thrombectomy: reconstruct, correct masks, measure veins.

Research use only. Not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_qsm_stroke.case.acquisition import Acquisition
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.case.volume import Volume
    from napari_qsm_stroke.io.load import load
    from napari_qsm_stroke.pipeline.discovery import methods
    from napari_qsm_stroke.pipeline.recipe import Recipe
    from napari_qsm_stroke.pipeline.run import run

__all__ = ["Acquisition", "Case", "Grid", "Recipe", "Volume", "load", "methods", "run"]

_HOME = {
    "Acquisition": "case.acquisition",
    "Case": "case.case",
    "Grid": "case.grid",
    "Recipe": "pipeline.recipe",
    "Volume": "case.volume",
    "load": "io.load",
    "methods": "pipeline.discovery",
    "run": "pipeline.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing the package stays cheap."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("napari-qsm-stroke")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
