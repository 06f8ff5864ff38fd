"""What a method says of itself is complete, and survives form, command line and TOML."""

from __future__ import annotations

import pytest
from contract_suite.calls import COMPUTED, INVERSIONS, NAMES, RECONSTRUCTION
from contract_suite.checks import check_bounds, check_defaults_survive, check_described, others

from napari_qsm_stroke.core.method import METHODS


@pytest.mark.parametrize("name", NAMES)
def test_declaration_is_complete(name: str) -> None:
    check_described(METHODS[name])


@pytest.mark.parametrize("name", NAMES)
def test_bounds_hold(name: str) -> None:
    check_bounds(METHODS[name])


@pytest.mark.parametrize("name", NAMES)
def test_values_survive_text_command_line_and_toml(name: str) -> None:
    check_defaults_survive(METHODS[name])


def test_pipeline_words_are_all_covered() -> None:
    """Each reconstruction stage has a method, and each method was put to the contracts."""
    assert {METHODS[n].stage for n in COMPUTED} >= RECONSTRUCTION
    assert {n for n in NAMES if METHODS[n].linear} <= set(COMPUTED)
    assert {"tkd", "tikhonov", "tv"} <= set(INVERSIONS)


def test_other_values_differ() -> None:
    """What stands for another value of a parameter is one."""
    for name in NAMES:
        for parameter in METHODS[name].parameters:
            assert others(METHODS[name])[parameter.name] != parameter.default, name
