"""What must change nothing: axes in another order, what lies outside the brain; zero and sums."""

from __future__ import annotations

import pytest
from contract_suite.calls import COMPUTED, FILTERS, masked
from contract_suite.checks import (
    check_linear,
    check_moved,
    check_outside_is_not_looked_at,
    check_zero,
)

from napari_qsm_stroke.core.method import METHODS

MOVABLE = [
    n for n in COMPUTED if not {"affine", "side"} & {a.source.name for a in METHODS[n].headers}
]
"""The affine of the moved head would be another: those that take it know left from right."""


@pytest.mark.parametrize("name", MOVABLE)
def test_axes_have_no_preference(name: str) -> None:
    check_moved(METHODS[name], "cyclic")


@pytest.mark.parametrize("name", MOVABLE)
def test_axes_have_no_preference_on_an_even_grid(name: str) -> None:
    check_moved(METHODS[name], "swapped", "even")


@pytest.mark.parametrize("name", MOVABLE)
def test_axes_have_no_preference_on_fine_voxels(name: str) -> None:
    check_moved(METHODS[name], "mirrored", "fine")


@pytest.mark.parametrize("name", [n for n in COMPUTED if masked(METHODS[n])])
def test_outside_the_brain_nothing_is_looked_at(name: str) -> None:
    check_outside_is_not_looked_at(METHODS[name])


@pytest.mark.parametrize("name", FILTERS)
def test_nothing_in_nothing_out(name: str) -> None:
    check_zero(METHODS[name])


@pytest.mark.parametrize("name", [n for n in COMPUTED if METHODS[n].linear])
def test_what_is_declared_linear_is(name: str) -> None:
    check_linear(METHODS[name])
