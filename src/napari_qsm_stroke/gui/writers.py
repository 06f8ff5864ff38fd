"""File > Save: masks and maps as NIfTI that lie exactly where the input did."""

from __future__ import annotations

from typing import Any

import numpy as np


def write_mask(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as uint8."""
    from napari_qsm_stroke.errors import InputError

    array = np.asarray(data)
    if array.min(initial=0) < 0 or array.max(initial=0) > 255:
        raise InputError(
            str(meta.get("name", path)),
            f"has labels up to {array.max()}; a mask holds 0 to 255.",
            "Renumber the labels.",
        )
    return _write(path, array.astype(np.uint8), meta)


def write_map(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write an Image layer as float32."""
    return _write(path, np.asarray(data), meta)


def _write(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    from napari_qsm_stroke.gui.layers import volume_of
    from napari_qsm_stroke.io.nifti import write_volume

    return [str(write_volume(volume_of(data, meta), path))]
