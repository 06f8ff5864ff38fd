"""Results of earlier steps on disk, by the fingerprint of all that they depend on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.quality import Quality
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


class DiskStore:
    """Keeps volumes in a folder; what is damaged counts as not there.

    Parameters
    ----------
    folder : path
        Made when something is kept. Several processes may share it: an entry appears whole or not
        at all, and is never changed.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def get(self, key: str) -> Mapping[str, Volume] | None:
        """Return the volumes kept under ``key``, or None."""
        entry = self._entry(key)
        try:
            facts = json.loads((entry / "entry.json").read_text("utf-8"))
            return {name: _read(entry / f"{name}.npy", fact) for name, fact in facts.items()}
        except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, InputError):
            return None

    def put(self, key: str, volumes: Mapping[str, Volume]) -> None:
        """Keep these volumes under ``key``.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        entry = self._entry(key)
        temporary = entry.with_name(f".{uuid4().hex}.part")
        temporary.mkdir(parents=True)
        try:
            for name, volume in volumes.items():
                np.save(temporary / f"{name}.npy", volume.data, allow_pickle=False)
            facts = {name: _facts(volume) for name, volume in volumes.items()}
            (temporary / "entry.json").write_text(json.dumps(facts), "utf-8")
            if entry.exists():  # damaged, or just kept by another process
                shutil.rmtree(entry, ignore_errors=True)
            os.replace(temporary, entry)
        except OSError:
            if not entry.exists():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _entry(self, key: str) -> Path:
        return self._folder / key[:2] / key


def _facts(volume: Volume) -> dict[str, Any]:
    return {
        "affine": volume.grid.affine.tolist(),
        "stored_as": volume.grid.stored_as,
        "unit": volume.unit,
        "source": volume.source,
        "quality": volume.quality.as_dict(),
        "digest": volume.digest,
    }


def _read(path: Path, fact: Mapping[str, Any]) -> Volume:
    data = np.load(path, allow_pickle=False)
    grid = Grid(data.shape[:3], np.array(fact["affine"]), fact["stored_as"])
    quality = Quality(**fact.get("quality", {}))
    volume = Volume(data, grid, fact["unit"], fact["source"], quality)
    if volume.digest != fact["digest"]:
        raise ValueError(f"{path} is damaged")
    return volume
