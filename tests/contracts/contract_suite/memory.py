"""How much memory a method takes at its peak, in the unit of its declaration."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np

from contract_suite.calls import masked
from contract_suite.scene import Scene, build
from napari_qsm_stroke.core.method import Method
from napari_qsm_stroke.core.numerics.frame import Frame

SHAPE = (64, 72, 60)
FEW = 3
"""Iterations are alike: the peak is reached in the first ones."""


@cache
def large_head() -> Scene:
    """A head large enough that nothing but volumes counts; its brain reaches all faces."""
    return build(SHAPE, (1.5, 1.5, 1.5), (0.1, 0.35, 0.93), zoom=1.33)


@contextmanager
def frames() -> Iterator[list[int]]:
    """Sizes of all frames that are made meanwhile, in voxels."""
    made: list[int] = []
    around = Frame.around.__func__

    def noted(cls: type[Frame], *arguments: Any) -> Frame:
        frame: Frame = around(cls, *arguments)
        made.append(int(np.prod(frame.shape)))
        return frame

    with patch.object(Frame, "around", classmethod(noted)):
        yield made


def volumes(entry: Method) -> float:
    """Peak beyond the inputs in float32 volumes of the frame; for each echo where it takes them.

    The frame is the largest that the method works in: the box of its mask with its padding. numpy
    tells tracemalloc of all that it allocates. The method must have run before: what numba
    allocates while it compiles would count too.
    """
    scene = large_head()
    arguments = scene.arguments(entry)
    few = {p.name: min(FEW, p.default) for p in entry.parameters if p.name == "max_iter"}
    mask = scene.maps["brain"]
    box = Frame.around(mask).shape if masked(entry) else mask.shape
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        with frames() as made:
            entry.function(**arguments, **few)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found = (peak - before) / (4 * max([int(np.prod(box)), *made]))
    return float(found / len(scene.times) if entry.takes_echoes else found)
