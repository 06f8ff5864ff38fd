"""Kernels are called one at a time, and compiled meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from napari_qsm_stroke.core.numerics import compiled
from napari_qsm_stroke.core.numerics.compiled import kernel


@kernel()
def _sum(values: np.ndarray, start: float = 0.0) -> float:
    total = start
    for i in range(values.size):
        total += values[i]
    return total


def test_a_kernel_takes_any_type_and_default() -> None:
    assert _sum(np.arange(4.0)) == 6
    assert _sum(np.arange(4, dtype=np.float32), 1.0) == 7
    assert _sum(np.arange(4), 2.0) == 8


def test_a_kernel_is_compiled_without_the_lock_and_called_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others may call what is ready while a thread compiles."""
    compiling = threading.Event()
    original = Dispatcher.compile

    def compile_and_tell(self: Dispatcher, types: object) -> object:
        made = original(self, types)
        compiling.set()
        return made

    monkeypatch.setattr(Dispatcher, "compile", compile_and_tell)
    found: list[float] = []
    values = np.arange(4, dtype=np.int16)  # a type that was not compiled before
    worker = threading.Thread(target=lambda: found.append(_sum(values, 1.0)))
    with compiled._LOCK:
        worker.start()
        assert compiling.wait(60)  # compiled although the lock is taken
        worker.join(0.2)
        assert found == []  # called only with it
    worker.join(60)
    assert found == [7.0]


@pytest.mark.parametrize("chosen", [None, "active"])
def test_waiting_threads_leave_the_cores_alone_unless_asked_otherwise(chosen: str | None) -> None:
    known = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    code = "import os, napari_qsm_stroke.core.numerics.compiled as c; print(os.environ[c.WAITING])"
    asked = {} if chosen is None else {"OMP_WAIT_POLICY": chosen}
    done = subprocess.run(
        [sys.executable, "-c", code], env=known | asked, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [chosen or "passive"]
