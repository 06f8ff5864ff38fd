"""The manifest of a case: what was asked for, from which files, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Job:
    """What was asked for.

    Parameters
    ----------
    inputs : mapping of str to str
        SHA-256 of each file, by its name in the data set.
    config : mapping
        Recipe with every parameter, settings of the measurement, versions.
    seconds : float
        Time that it took.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def timed(self, seconds: float) -> Job:
        """Return the same job with the time that it took."""
        return replace(self, seconds=seconds)

    @property
    def config_hash(self) -> str:
        """Fingerprint of the configuration."""
        text = json.dumps(dict(self.config), sort_keys=True)
        return sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "inputs": dict(sorted(self.inputs.items())),
            "config": dict(self.config),
            "config_hash": self.config_hash,
            "seconds": round(self.seconds, 1),
        }

    def is_of(self, manifest: Mapping[str, Any]) -> bool:
        """Tell whether a manifest tells of the same inputs and configuration."""
        return (
            manifest.get("inputs") == dict(self.inputs)
            and manifest.get("config_hash") == self.config_hash
        )


def manifest_path(out_dir: Path, key: str) -> Path:
    """Path of the manifest of a case."""
    return out_dir.joinpath(*key.split("_"), f"{key}_manifest.json")


def read_manifest(out_dir: Path, key: str) -> dict[str, Any]:
    """Return the manifest of a case; empty where there is none that can be read."""
    try:
        content = json.loads(manifest_path(out_dir, key).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    state = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            state.update(block)
    return state.hexdigest()
