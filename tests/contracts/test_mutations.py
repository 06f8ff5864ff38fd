"""Faults put in on purpose are found: each method of a copy is broken in many ways, one by one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from contract_suite.calls import COMPUTED
from contract_suite.mutate import mutants
from contract_suite.proof import Copy

from napari_qsm_stroke.core.method import METHODS

COUNT = int(os.environ.get("QSM_STROKE_MUTANTS", "12"))
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the package, to be broken."""
    return Copy(tmp_path_factory.mktemp("broken") / "src")


@pytest.mark.long
@pytest.mark.parametrize("name", COMPUTED)
def test_faults_are_found(name: str, broken: Copy) -> None:
    """Every fault of the frame; of the text all but those that change no number.

    ``sum(w (t - mean_t) (p - mean_p))`` does not need ``mean_p``: of changes to the text a few are
    none. They are told by their number: one in six at most.
    """
    verdicts = list(broken.judge(METHODS[name], COUNT))
    survivors = [v.mutant for v in verdicts if not v.found]
    assert len(verdicts) >= 10
    assert not [m.what for m in survivors if not m.what.startswith("line ")]
    assert 6 * len(survivors) <= len(verdicts), [m.what for m in survivors]


@pytest.mark.parametrize("name", COMPUTED)
def test_there_are_ten_faults_for_every_method(name: str) -> None:
    """They differ, can be read as Python, and are the same the next time."""
    made = mutants(METHODS[name], 10)
    assert len({m.text for m in made}) == 10, [m.what for m in made]
    for mutant in made:
        compile(mutant.text, mutant.what, "exec")
    assert made == mutants(METHODS[name], 10)
    assert made != mutants(METHODS[name], 10, seed=3)


@pytest.mark.long
def test_a_copy_that_is_broken_already_proves_nothing(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "src")
    path = copy.root / "napari_qsm_stroke" / "core" / "inversion" / "tkd.py"
    path.write_text(path.read_text("utf-8").replace("np.sign(dipole)", "-np.sign(dipole)"), "utf-8")
    with pytest.raises(ValueError, match="contracts of tkd fail as it is"):
        next(copy.judge(METHODS["tkd"], 1))
