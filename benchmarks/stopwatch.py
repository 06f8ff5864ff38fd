"""Time in transform pairs and memory in float32 volumes: measures that mean the same anywhere.

A transform pair is one forward and one inverse real transform in single precision with two
workers. Wall time is what counts where nothing else runs; where something does, only the ratio of
processor times is worth looking at.

Peak memory is that of the process as the kernel counts it (Linux: the high-water mark of resident
memory, set back just before): it sees what compiled code and the transforms take, which
``tracemalloc`` does not. Inputs are in memory before and are not counted; outputs are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from napari_qsm_stroke.core.numerics.heap import give_back

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 2
STATUS, MARK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Seconds:
    """Wall time and time of all processors."""

    wall: float
    cpu: float

    @classmethod
    def of(cls, work: Callable[[], object]) -> Seconds:
        """Time one call."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return cls(time.perf_counter() - wall, time.process_time() - cpu)

    @classmethod
    def median(cls, many: list[Seconds]) -> Seconds:
        """Median of each of both."""
        return cls(
            float(np.median([s.wall for s in many])), float(np.median([s.cpu for s in many]))
        )


def pairs(shape: tuple[int, int, int], count: int) -> list[Seconds]:
    """Time some transform pairs of that shape."""
    volume = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)

    def pair() -> object:
        spectrum = scipy.fft.rfftn(volume, workers=WORKERS)
        return scipy.fft.irfftn(spectrum, shape, workers=WORKERS)

    pair()
    return [Seconds.of(pair) for _ in range(count)]


def resident_bytes(field: str = "VmRSS") -> int | None:
    """Resident memory of this process, or its high-water mark (``VmHWM``); None if not known."""
    if not STATUS.is_file():
        return None
    for line in STATUS.read_text("utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    return None


def peak_bytes(work: Callable[[], object]) -> int | None:
    """Most resident memory during a call beyond that before it; None where that is not known."""
    give_back()
    before = resident_bytes()
    try:
        MARK.write_text("5", "utf-8")
    except OSError:
        before = None
    work()
    after = resident_bytes("VmHWM")
    return None if before is None or after is None else max(after - before, 0)
