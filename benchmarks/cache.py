"""Results of earlier runs, outside the repository: what did not change is not computed again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.io.atomic import write_json
from napari_qsm_stroke.io.store import DiskStore

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "QSM_STROKE_BENCH_CACHE"
Numbers = dict[str, Any]
MOST_BYTES = 12e9


def default_folder() -> Path:
    """Return the folder of the cache: ``$QSM_STROKE_BENCH_CACHE``, else in the user's cache."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "napari-qsm-stroke" / "benchmarks"


class Cache:
    """Heads, volumes of steps, and numbers, by the fingerprint of all that they depend on.

    Parameters
    ----------
    folder : path
        Made when something is kept. Of the volumes of steps the oldest go first when there are
        too many; heads and numbers stay.
    """

    def __init__(self, folder: Path) -> None:
        self._numbers = folder / "numbers"
        self.heads = DiskStore(folder / "heads")
        self.steps = DiskStore(folder / "steps")
        prune(folder / "steps", MOST_BYTES)

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


def prune(folder: Path, most_bytes: float) -> None:
    """Remove the oldest entries of a folder of volumes until no more than so much is left."""
    entries = sorted(folder.glob("??/*"), key=lambda entry: entry.stat().st_mtime, reverse=True)
    total = 0
    for entry in entries:
        total += sum(file.stat().st_size for file in entry.iterdir())
        if total > most_bytes:
            shutil.rmtree(entry, ignore_errors=True)
