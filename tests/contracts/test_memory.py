"""What a method declares of its memory is what it takes."""

from __future__ import annotations

import numpy as np
import pytest
from contract_suite.calls import COMPUTED, plain
from contract_suite.memory import volumes

from napari_qsm_stroke.core.method import METHODS


@pytest.mark.parametrize("name", COMPUTED)
def test_memory_is_as_declared(name: str) -> None:
    entry = METHODS[name]
    plain(entry)  # compiled by now
    found = volumes(entry)
    assert entry.memory is not None, f"say it in @method(..., memory={found:.1f})"
    # half a volume for what the interpreter itself takes meanwhile
    if found > 1.05 * entry.memory + 0.5:
        found = volumes(entry)  # a kernel that only large grids need was compiled meanwhile
    assert found <= 1.05 * entry.memory + 0.5, f"{name} takes {found:.1f} volumes"
    assert found >= 0.75 * entry.memory - 0.5, f"{name} takes {found:.1f} volumes only"


def test_a_volume_is_a_volume() -> None:
    """The measure itself, on what is known."""
    from dataclasses import replace

    entry = METHODS["tkd"]

    def function(local_field: np.ndarray, **_others: object) -> np.ndarray:
        one = np.ones(local_field.shape, np.float32)
        two = np.ones(local_field.shape, np.float64)
        return (one + two).astype(np.float32)

    # one of single precision, two of double, and the result, on the grid: more than the box
    found = volumes(replace(entry, function=function))
    assert found == pytest.approx(6 * 60 / 54, rel=0.05)
