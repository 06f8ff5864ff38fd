"""Faults put in on purpose are found: each method is broken in many ways, one by one."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from contract_suite.calls import COMPUTED
from contract_suite.equivalent import EQUIVALENT
from contract_suite.mutate import mutants, offered
from contract_suite.proof import judge

from napari_qsm_stroke.core.method import METHODS

COUNT = int(os.environ.get("QSM_STROKE_MUTANTS", "10"))
SEED = int(os.environ.get("QSM_STROKE_MUTANTS_SEED", "2"))


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("name", COMPUTED)
def test_faults_are_found(name: str) -> None:
    verdicts = list(judge(METHODS[name], COUNT, SEED))
    assert len(verdicts) == COUNT
    assert not [verdict.what for verdict in verdicts if not verdict.found]


@pytest.mark.parametrize("name", COMPUTED)
def test_there_are_ten_faults_for_every_method(name: str) -> None:
    """They differ, can be read as Python, and are the same the next time."""
    made = mutants(METHODS[name], 10)
    assert len({m.text for m in made}) == 10, [m.what for m in made]
    for mutant in made:
        compile(mutant.text, mutant.what, "exec")
    assert made == mutants(METHODS[name], 10)


@pytest.mark.parametrize("name", sorted(EQUIVALENT))
def test_every_excuse_is_still_that_of_a_change(name: str) -> None:
    assert set(EQUIVALENT[name]) <= offered(METHODS[name])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_method_that_cannot_be_run_proves_nothing() -> None:
    with pytest.raises(ValueError, match="were not tried"):
        list(judge(replace(METHODS["tkd"], name="no_such_method"), 1))
