"""A session: what is open, what was changed by hand, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.quantities import (
    Brain,
    LocalField,
    Magnitude,
    Susceptibility,
    TotalField,
    Veins,
)
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.pipeline.measure import MeasureSettings
from napari_qsm_stroke.pipeline.recipe import Recipe, Step
from napari_qsm_stroke.pipeline.run import run
from napari_qsm_stroke.session import Session, alternatives

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_qsm_stroke import Case


@pytest.fixture
def recipe() -> Iterator[Recipe]:
    """Two quick steps: a map from the magnitude, and a mask from the map."""

    @method()
    def quick_map(magnitude: Magnitude, brain: Brain, gain: float = 1.0) -> Susceptibility:
        """Scale the first echo."""
        return (gain * magnitude[..., 0] * brain / 1000).astype(np.float32)

    @method()
    def quick_veins(susceptibility: Susceptibility, level: float = 0.075) -> Veins:
        """Take what is bright."""
        return (susceptibility > level).astype(np.uint8)

    yield Recipe("quick", (Step("quick_map"), Step("quick_veins")))
    forget("quick_map")
    forget("quick_veins")


@pytest.fixture
def session(small_case: Case, recipe: Recipe) -> Session:
    session = Session()
    session.open(small_case)
    session.commit(run(session.require(), recipe, store=session.store))
    return session


def changes(session: Session) -> list[frozenset[str]]:
    heard: list[frozenset[str]] = []
    session.changed.connect(heard.append)
    return heard


def test_nothing_is_open_at_first() -> None:
    session = Session()
    assert session.case is None
    assert session.can_run("tkd") == "Open a case first."
    assert session.can_measure() == "Open a case first."
    assert not session.undo()
    with pytest.raises(MissingError, match="Open a case"):
        session.require()
    with pytest.raises(MissingError, match="Open a case"):
        session.edit("veins", np.zeros((2, 2, 2), np.uint8))


def test_a_run_is_committed_and_undone(session: Session, small_case: Case) -> None:
    heard = changes(session)
    finished = session.case
    assert finished is not None
    assert "susceptibility" in finished.maps
    assert session.undo()
    assert session.case is small_case
    assert heard == [frozenset({"susceptibility", "veins"})]
    assert session.redo()
    assert session.case is finished
    assert not session.redo()


def test_strokes_are_seen_at_once_and_recorded_as_one_edit(session: Session) -> None:
    before = session.require()
    veins = before.maps["veins"].data.copy()
    heard = changes(session)
    for i in range(3):
        veins[i, 0, 0] ^= 1
        assert session.edit("veins", veins)
        assert session.case is not None
        assert (session.case.maps["veins"].data == veins).all()
    assert heard == [frozenset({"veins"})] * 3
    assert len(session.case.history) == len(before.history)
    case = session.require()
    assert [r.action for r in case.history[len(before.history) :]] == ["edit"]
    assert case.history[-1].parameters == {"changed_voxels": 3}
    assert "veins" in case.given


def test_an_edit_keeps_its_own_copy(session: Session) -> None:
    veins = session.require().maps["veins"].data.copy()
    veins[0, 0, 0] ^= 1
    session.edit("veins", veins)
    kept = veins.copy()
    veins[:] = 0
    assert session.case is not None
    assert (session.case.maps["veins"].data == kept).all()


def test_the_same_mask_is_no_edit(session: Session) -> None:
    heard = changes(session)
    assert not session.edit("veins", session.require().maps["veins"].data.copy())
    assert not session.edit("infarct", np.zeros(session.require().grid.shape, np.uint8))
    assert heard == []
    assert not session.edited


def test_a_mask_of_another_shape_is_refused(session: Session) -> None:
    with pytest.raises(InputError, match="shape"):
        session.edit("veins", np.zeros((3, 3, 3), np.uint8))


def test_a_run_never_overwrites_an_edit_not_even_one_drawn_meanwhile(
    session: Session, recipe: Recipe
) -> None:
    drawn = np.zeros(session.require().grid.shape, np.uint8)
    drawn[1, 1, 1] = 1
    session.edit("veins", drawn)
    result = run(session.require(), recipe)
    drawn[2, 2, 2] = 1
    session.edit("veins", drawn)  # while the run was going on
    session.commit(result)
    assert session.case is not None
    assert (session.case.maps["veins"].data == drawn).all()
    again = run(session.require(), recipe)
    assert (again.maps["veins"].data == drawn).all()


def test_accept_protects_a_proposal_and_reset_frees_it(session: Session, recipe: Recipe) -> None:
    proposal = session.require().maps["veins"]
    session.accept("veins")
    other = recipe.with_parameters("quick_veins", {"level": 0.09})
    session.commit(run(session.require(), other))
    assert session.require().maps["veins"] is proposal
    drawn = proposal.data.copy()
    drawn[0] = 1
    session.edit("veins", drawn)
    assert session.can_reset("veins")
    session.reset("veins")
    case = session.require()
    assert case.maps["veins"] is proposal
    assert "veins" not in case.given
    assert not session.can_reset("veins")
    session.commit(run(case, other))
    assert (session.require().maps["veins"].data != proposal.data).any()


def test_reset_without_a_proposal_says_what_to_do(session: Session) -> None:
    with pytest.raises(MissingError, match="Reconstruct"):
        session.reset("infarct")


def test_undo_takes_back_drawing_as_one_step(session: Session) -> None:
    before = session.require().maps["veins"].data.copy()
    drawn = before.copy()
    for i in range(3):
        drawn[i] = 1
        session.edit("veins", drawn)
    assert session.undo()
    assert (session.require().maps["veins"].data == before).all()
    assert "veins" not in session.require().given


def test_undo_is_limited_but_long(session: Session) -> None:
    for i in range(40):
        session.set_side("left" if i % 2 else "right")
    count = 0
    while session.undo():
        count += 1
    assert count == 30


def test_the_side_is_said_and_heard(session: Session) -> None:
    heard = changes(session)
    session.set_side("left")
    session.set_side("left")
    assert session.require().side == "left"
    assert heard == [frozenset({"side"})]
    session.undo()
    assert session.require().side is None


def test_why_a_method_or_a_recipe_cannot_run(session: Session, recipe: Recipe) -> None:
    assert session.can_run("quick_veins") is None
    assert session.can_run("tkd") == "tkd needs local_field, field_mask."
    assert session.can_run(recipe) is None
    lacking = Recipe("lacking", (Step("tkd"),))
    reason = session.can_run(lacking)
    assert reason is not None
    assert reason.startswith("tkd needs local_field")
    assert session.can_run(Recipe("optional", (Step("tkd", optional=True),))) is None


def test_what_an_old_run_made_does_not_count_for_a_new_one(session: Session) -> None:
    assert session.can_run("quick_veins") is None
    reason = session.can_run(Recipe("veins only", (Step("quick_veins"),)))
    assert reason == "quick_veins needs susceptibility, which nothing before it makes."


def test_measuring_says_what_is_missing(session: Session) -> None:
    reason = session.can_measure()
    assert reason is not None
    assert "infarct core" in reason
    assert "territories" in reason


def test_measure_sees_edits(session: Session) -> None:
    shape = session.require().grid.shape
    x = np.indices(shape)[0]
    session.settings = MeasureSettings(min_voxels=1, bootstrap_samples=0)
    infarct = np.zeros(shape, np.uint8)
    infarct[:2] = 1
    session.edit("infarct", infarct)
    session.edit("territories", np.where(x < 4, 3, 4).astype(np.uint8))
    session.edit("veins", np.ones(shape, np.uint8))
    everything = session.measure().row("infarct_core").n_vein_voxels
    some = np.ones(shape, np.uint8)
    some[:2, :5] = 0
    session.edit("veins", some)
    assert session.measure().row("infarct_core").n_vein_voxels == everything // 2


def test_opening_another_case_forgets_the_last_one(session: Session, small_case: Case) -> None:
    drawn = np.ones(session.require().grid.shape, np.uint8)
    session.edit("veins", drawn)
    heard = changes(session)
    session.open(small_case)
    assert session.case is small_case
    assert not session.can_undo
    assert not session.can_reset("veins")
    assert heard[0] >= {"case", "side", "measurements", "magnitude"}


def test_a_changed_parameter_computes_only_what_follows(session: Session, recipe: Recipe) -> None:
    calls: list[str] = []

    def listen(_fraction: float, stage: str) -> None:
        if not calls or calls[-1] != stage:
            calls.append(stage)

    other = recipe.with_parameters("quick_veins", {"level": 0.09})
    started = len(session.require().history)
    result = run(session.require(), other, listen, session.store)
    assert started
    kept = session.require().maps["susceptibility"]
    assert result.maps["susceptibility"] is kept
    assert result.maps["veins"] is not session.require().maps["veins"]


def test_alternatives_make_the_same_from_what_is_there() -> None:
    @method()
    def stand_in(local_field: LocalField, brain: Brain) -> Susceptibility:
        """Do as tkd does."""
        return local_field

    @method()
    def better(susceptibility: Susceptibility) -> Susceptibility:
        """Improve a map."""
        return susceptibility

    @method()
    def no_background(total_field: TotalField) -> Susceptibility:
        """Skip a stage."""
        return total_field

    try:
        recipe = Recipe("r", (Step("vsharp"), Step("tkd"), Step("better")))
        names = [m.name for m in alternatives(recipe, 1)]
        assert names[0] == "tkd"
        assert "stand_in" in names
        assert "tv" in names
        assert "better" not in names
        assert "no_background" in names
        improving = [m.name for m in alternatives(recipe, 2)]
        assert improving[0] == "better"
        assert "tkd" not in improving
    finally:
        for name in ("stand_in", "better", "no_background"):
            forget(name)


def test_a_volume_of_another_grid_is_no_edit(session: Session) -> None:
    """The session places edits on the grid of the case, whatever array they come as."""
    drawn = np.asfortranarray(np.ones(session.require().grid.shape, np.uint8))
    session.edit("veins", drawn)
    volume = session.require().maps["veins"]
    assert isinstance(volume, Volume)
    assert volume.grid == session.require().grid
