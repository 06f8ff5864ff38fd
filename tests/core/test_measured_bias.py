"""What the benchmark measured decides what is recommended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from napari_qsm_stroke import methods
from napari_qsm_stroke.core import measured_bias
from napari_qsm_stroke.core.measured_bias import LIMIT_OF_ONE, LIMIT_POINTS, Bias, measured
from napari_qsm_stroke.core.method import Method, forget, get_method, method
from napari_qsm_stroke.core.quantities import LocalField, Quantity, Susceptibility


@pytest.fixture
def entry() -> Iterator[Method]:
    @method(cite="10.1000/x")
    def measured_inversion(local_field: LocalField) -> Susceptibility:
        """Halve it."""
        return np.asarray(local_field / 2)

    yield get_method("measured_inversion")
    forget("measured_inversion")


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(*points: float) -> None:
        found = {"measured_inversion": Bias(points)}
        monkeypatch.setattr("napari_qsm_stroke.core.method.measured", lambda: found)

    return put


def test_words_hold_mean_and_range() -> None:
    bias = Bias((4.0, -1.0, 6.0))
    assert bias.mean == pytest.approx(3.0)
    assert "+3.0 points" in bias.words()
    assert "-1.0 to +6.0 in 3" in bias.words()


@pytest.mark.parametrize(
    ("points", "small"),
    [
        ((LIMIT_POINTS + 1, LIMIT_POINTS - 1), True),
        ((LIMIT_POINTS + 0.1, LIMIT_POINTS), False),
        ((-LIMIT_POINTS - 0.1, -LIMIT_POINTS), False),
        ((LIMIT_OF_ONE, -LIMIT_OF_ONE), True),
        ((LIMIT_OF_ONE + 0.1, -LIMIT_OF_ONE), False),
    ],
)
def test_what_is_within_the_limits_of_the_mean_and_of_each_patient_is_recommended(
    points: tuple[float, ...], small: bool, entry: Method, measure: Callable[..., None]
) -> None:
    measure(*points)
    assert entry.recommended is small
    assert bool(entry.caution) is not small
    if not small:
        assert f"{Bias(points).mean:+.1f} points" in entry.caution


def test_an_inversion_that_was_not_measured_is_not_recommended(entry: Method) -> None:
    assert entry.bias is None
    single_step = replace(
        entry, outputs=(*entry.outputs, Quantity("field_mask", "", "mask", "Mask"))
    )
    for inverting in (entry, single_step):
        assert not inverting.recommended
        assert "not measured" in inverting.caution


def test_a_declaration_goes_before_the_measurement(
    entry: Method, measure: Callable[..., None]
) -> None:
    assert replace(entry, advised=True).recommended
    measure(0.0)
    against = replace(entry, advised=False)
    assert not against.recommended
    assert "+0.0 points" in against.caution


def test_what_is_no_inversion_needs_no_measurement() -> None:
    methods()
    assert get_method("reference_brain").recommended
    assert get_method("vein_filter").recommended


def test_the_file_names_methods_and_points() -> None:
    found = measured()
    assert set(found) <= set(methods())
    for bias in found.values():
        assert bias.points
        assert bias.revision >= 1
        assert np.isfinite(bias.points).all()
    assert measured_bias.measured() is found
