"""Finding every method: the modules of the core's stages, of ``register``, and of other packages.

Another distribution adds methods by an entry point in the group ``napari_qsm_stroke.methods``
that names a module.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from napari_qsm_stroke import core, register
from napari_qsm_stroke.core.method import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from napari_qsm_stroke.core.method import Method

ENTRY_POINTS = "napari_qsm_stroke.methods"


def methods() -> Mapping[str, Method]:
    """Return every method by name, importing their modules on the first call."""
    _discover()
    return METHODS


@lru_cache(maxsize=1)
def _discover() -> None:
    for package in (core, register):
        _import_all(package)
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()


def _import_all(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
