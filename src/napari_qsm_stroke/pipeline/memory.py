"""Whether the memory that is free will do, asked before a run starts; and what need not be held."""

from __future__ import annotations

import math
import mmap
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from napari_qsm_stroke.core.numerics.frame import Frame
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.method import Method
    from napari_qsm_stroke.core.quantities import Quantity

PADDING = (8, 8, 8)
"""What methods commonly add to the box of their mask, in voxels."""
GROUP = Path("/sys/fs/cgroup")
GB = 1e9
WORTH_IT = 2**20
"""Bytes of an array from which on its empty pages count."""


def without_empty_pages(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same values in an array whose pages of zeros take no memory.

    Maps are zero outside the brain: about half of their pages are. Where the system has no such
    pages, or there are few, the array itself comes back.
    """
    full = array.nbytes < WORTH_IT or 2 * np.count_nonzero(array) > array.size
    if sys.platform == "win32" or full or not array.flags.c_contiguous:
        return array
    pages = mmap.mmap(-1, array.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        pages.madvise(mmap.MADV_NOHUGEPAGE)  # a huge page is hardly ever empty
    kept: NDArray[Any] = np.frombuffer(pages, array.dtype).reshape(array.shape)
    for plane, source in zip(kept, array, strict=True):
        np.copyto(plane, source, where=source != 0)
    return kept


def free_bytes() -> int:
    """Return what can still be taken without swapping, within the limit of a container or job."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (GROUP / "memory.max").read_text("ascii").strip()
        if limit != "max":
            used = int((GROUP / "memory.current").read_text("ascii"))
            free = min(free, max(0, int(limit) - used + _reclaimable()))
    except (OSError, ValueError):
        return free
    return free


def _reclaimable() -> int:
    """Bytes of the group that hold files and are given up when needed."""
    for line in (GROUP / "memory.stat").read_text("ascii").splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0


def needed_bytes(case: Case, method: Method) -> int:
    """Return what a method takes on a case at its peak, beyond its inputs; 0 where not declared."""
    if method.memory is None:
        return 0
    masks = ("field_mask", "brain")
    taken = {a.source.name for a in method.inputs}
    mask = next((case.maps[m].data for m in masks if m in taken and m in case.maps), None)
    if mask is not None and mask.any():
        voxels = math.prod(Frame.around(mask, PADDING).shape)
    else:
        voxels = math.prod(case.grid.shape)
    return int(4 * voxels * method.memory * (_echoes(case) if method.takes_echoes else 1))


def check_memory(case: Case, steps: Iterable[Method]) -> None:
    """Refuse a run for which there is not enough memory.

    Parameters
    ----------
    case : Case
        As it is before the run.
    steps : iterable of Method
        What will run, in this order; the results of a step stay in memory.

    Raises
    ------
    InputError
        The step with the highest peak needs more than is free.
    """
    kept, worst, name = 0, 0, ""
    for method in steps:
        peak = kept + needed_bytes(case, method)
        if peak > worst:
            worst, name = peak, method.name
        kept += sum(_bytes(case, q) for q in method.outputs)
    free = free_bytes()
    if worst > free:
        shape = " x ".join(str(n) for n in case.grid.shape)
        raise InputError(
            case.key,
            f"{name} on a grid of {shape} needs about {worst / GB:.1f} GB of memory, "
            f"{free / GB:.1f} GB are free.",
            "Close other programs, use another method (`qsm-stroke methods NAME` shows what each "
            "takes), crop the images, or use a machine with more memory.",
        )


def _bytes(case: Case, quantity: Quantity) -> int:
    voxels = math.prod(case.grid.shape)
    if quantity.kind == "echoes":
        return voxels * _echoes(case) * 4
    return voxels * (4 if quantity.kind == "map" else 1)


def _echoes(case: Case) -> int:
    return len(case.acquisition.echo_times) if case.acquisition else 1
