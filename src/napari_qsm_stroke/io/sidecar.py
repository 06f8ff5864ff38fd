"""The .json beside an image, and the .bval beside a diffusion series."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from napari_qsm_stroke.errors import InputError

PHASE_SIGN_CORRECTED = "PhaseSignCorrected"
"""Key of a phase sidecar: true where an import has already made positive field positive phase."""


def stem(path: str | Path) -> str:
    """Name of an image file without ``.nii`` or ``.nii.gz``."""
    return Path(path).name.removesuffix(".gz").removesuffix(".nii")


def beside(path: str | Path, ending: str) -> Path:
    """Path of the file of the same name with another ending."""
    return Path(path).with_name(stem(path) + ending)


def read_sidecar(path: str | Path) -> dict[str, Any]:
    """Return what the .json beside an image says; empty where there is none.

    Raises
    ------
    InputError
        The file is no JSON object.
    """
    file = beside(path, ".json")
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(str(file), "is no JSON object.", "Repair or remove it.")
    return content


def number(sidecar: dict[str, Any], key: str, where: str) -> float | None:
    """Return a number of a sidecar, or None where it is not there.

    Raises
    ------
    InputError
        It is there and no finite number.
    """
    value = sidecar.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(where, f"{key} is {value!r}, expected a number.", "Correct the sidecar.")
    return float(value)


def read_bvalues(path: str | Path) -> list[float]:
    """Return the b values (s/mm2) beside a diffusion series; empty where there are none.

    Raises
    ------
    InputError
        The file holds something else than numbers.
    """
    file = beside(path, ".bval")
    if not file.is_file():
        return []
    try:
        return [float(word) for word in file.read_text("utf-8").split()]
    except (OSError, ValueError):
        raise InputError(str(file), "holds no b values.", "Write them in one line.") from None
