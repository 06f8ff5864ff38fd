"""Examinations that were opened last: where they lie, kept beside napari's own settings."""

from __future__ import annotations

import json
from pathlib import Path

from napari.settings import get_settings

from napari_qsm_stroke.io.atomic import write_json

MOST = 8
FILE = "napari-qsm-stroke-recent.json"


def recent() -> list[tuple[Path, str]]:
    """Return data set and key of the last examinations that are still there, the newest first."""
    try:
        content = json.loads(path().read_text("utf-8"))
        found = [(Path(folder), str(key)) for folder, key in content]
    except (OSError, ValueError, TypeError):
        return []
    return [(folder, key) for folder, key in found if folder.joinpath(*key.split("_")).is_dir()]


def remember(folder: Path, key: str) -> None:
    """Put an examination at the top; settings that cannot be written are no reason to stop."""
    entry = (folder.resolve(), key)
    entries = [entry, *(e for e in recent() if e != entry)][:MOST]
    try:
        write_json(path(), [[str(where), name] for where, name in entries])
    except OSError:
        return


def path() -> Path:
    """Return where they are kept.

    Raises
    ------
    FileNotFoundError
        napari keeps no settings, so neither are these kept.
    """
    settings = get_settings().config_path
    if settings is None:
        raise FileNotFoundError("napari keeps no settings")
    return Path(settings).parent / FILE
