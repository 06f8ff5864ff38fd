"""Results of earlier runs, outside the repository: what did not change is not computed again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.io.atomic import write_json
from napari_qsm_stroke.io.store import DiskStore

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "QSM_STROKE_BENCH_CACHE"
Numbers = dict[str, Any]


def default_folder() -> Path:
    """Return the folder of the cache: ``$QSM_STROKE_BENCH_CACHE``, else in the user's cache."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "napari-qsm-stroke" / "benchmarks"


class Cache:
    """Volumes and numbers by the fingerprint of all that they depend on.

    Parameters
    ----------
    folder : path
        Made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._numbers = folder / "numbers"
        self.volumes = DiskStore(folder / "volumes")

    def numbers(self, key: str, compute: Callable[[], Numbers]) -> Numbers:
        """Return the numbers kept under ``key``, or compute and keep them."""
        path = self._numbers / key[:2] / f"{key}.json"
        try:
            kept: Numbers = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            kept = compute()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, kept)
        return kept

    def has(self, key: str) -> bool:
        """Whether numbers are kept under ``key``."""
        return (self._numbers / key[:2] / f"{key}.json").is_file()
