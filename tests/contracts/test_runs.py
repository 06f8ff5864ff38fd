"""Any run: clean, repeatable, quiet about the rest of memory, and stopped when asked."""

from __future__ import annotations

import pytest
from contract_suite.calls import COMPUTED, masked, takes
from contract_suite.checks import (
    check_bad_magnitude,
    check_double,
    check_empty_mask,
    check_nan,
    check_progress,
    check_repeatable,
    check_run,
)
from contract_suite.scene import USUAL_VOXELS

from napari_qsm_stroke.core.method import METHODS


@pytest.mark.parametrize("grid", USUAL_VOXELS)
@pytest.mark.parametrize("name", COMPUTED)
def test_a_run_is_clean(name: str, grid: str) -> None:
    check_run(METHODS[name], grid)


# those with a mask are always run on such data
@pytest.mark.parametrize("name", [n for n in COMPUTED if not masked(METHODS[n])])
def test_nan_goes_nowhere(name: str) -> None:
    check_nan(METHODS[name])


@pytest.mark.parametrize("name", [n for n in COMPUTED if "magnitude" in takes(METHODS[n])])
def test_an_infinite_magnitude_is_no_number(name: str) -> None:
    check_bad_magnitude(METHODS[name])


# the contract of progress says the same of the others
@pytest.mark.parametrize("name", [n for n in COMPUTED if not METHODS[n].progress])
def test_a_run_is_repeatable_on_one_thread(name: str) -> None:
    check_repeatable(METHODS[name])


@pytest.mark.parametrize("name", [n for n in COMPUTED if masked(METHODS[n])])
def test_an_empty_mask_is_said_or_gives_nothing(name: str) -> None:
    check_empty_mask(METHODS[name])


@pytest.mark.parametrize("name", COMPUTED)
def test_double_precision_gives_the_same_and_stays_untouched(name: str) -> None:
    check_double(METHODS[name])


@pytest.mark.parametrize("name", [n for n in COMPUTED if METHODS[n].progress])
def test_a_run_is_repeatable_while_progress_grows_and_cancel_stops(name: str) -> None:
    check_progress(METHODS[name])
