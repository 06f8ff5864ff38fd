"""Loops of steps tell what became of them."""

from __future__ import annotations

import pytest

from napari_qsm_stroke.core.progress import Loop, loops_noted, silent, steps
from napari_qsm_stroke.errors import Cancelled


def test_a_loop_that_is_left_has_settled_even_in_its_last_step() -> None:
    with loops_noted() as loops:
        for last in (2, 4, 9):
            for index in steps(5, silent, ""):
                if index == last:
                    break
    assert loops == [Loop(3, 5, True), Loop(5, 5, True), Loop(5, 5, False)]


def test_loops_are_noted_only_where_somebody_asks() -> None:
    with loops_noted() as outer:
        with loops_noted() as inner:
            list(steps(2, silent, ""))
        list(steps(3, silent, ""))
    list(steps(4, silent, ""))
    assert inner == [Loop(2, 2, False)]
    assert outer == [Loop(3, 3, False)]


def test_a_loop_that_is_cancelled_is_cancelled_all_the_same() -> None:
    def stop(fraction: float, _stage: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with loops_noted(), pytest.raises(Cancelled):
        list(steps(10, stop, ""))
