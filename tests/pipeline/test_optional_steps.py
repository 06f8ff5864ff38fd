"""A step that these data do not allow: left out where it is optional, an error where it is not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from napari_qsm_stroke import Case, Recipe, run
from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.quantities import Brain, Magnitude, Territories, Veins
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.pipeline.recipe import Step


@pytest.fixture
def methods() -> Iterator[None]:
    """One method that refuses the brain, and one that does not mind."""

    @method()
    def refusing(brain: Brain) -> Territories:
        """Refuse."""
        raise InputError("brain", "is too small.", "Give territories.")

    @method()
    def willing(magnitude: Magnitude) -> Veins:
        """Mark what is bright."""
        return np.asarray(magnitude[..., 0] > 75, np.uint8)

    yield
    forget("refusing")
    forget("willing")


@pytest.mark.usefixtures("methods")
def test_an_optional_step_that_the_data_do_not_allow_is_left_out(small_case: Case):
    recipe = Recipe("r", (Step("refusing", optional=True), Step("willing")))
    done = run(small_case, recipe)
    assert "territories" not in done.maps
    assert "veins" in done.maps
    (skip,) = [r for r in done.history if r.action == "skip"]
    assert (skip.what, skip.note) == ("refusing", "brain: is too small. Give territories.")


@pytest.mark.usefixtures("methods")
def test_a_step_that_is_needed_is_an_error(small_case: Case):
    with pytest.raises(InputError, match="too small"):
        run(small_case, Recipe("r", (Step("refusing"), Step("willing"))))
