from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import pytest
from annotated_types import Gt, Interval

from napari_qsm_stroke.core.method import METHODS, Unit, forget, get_method, method
from napari_qsm_stroke.core.progress import Progress, part, silent, steps
from napari_qsm_stroke.core.quantities import (
    EchoTimes,
    FieldMask,
    LocalField,
    Susceptibility,
    VoxelSize,
)
from napari_qsm_stroke.errors import ParameterError


@pytest.fixture
def halve() -> Iterator[None]:
    @method(cite="10.1000/x", linear=True)
    def halve(
        local_field: LocalField,
        field_mask: FieldMask | None = None,
        *,
        voxel_size: VoxelSize,
        echo_times: EchoTimes | None = None,
        progress: Progress = silent,
        factor: Annotated[float, Interval(gt=0, le=2), Unit("mm")] = 0.5,
        count: Annotated[int, Gt(0)] = 3,
        kind: Literal["plain", "fancy"] = "plain",
        quick: bool = False,
    ) -> Susceptibility:
        """Halve it.

        Parameters
        ----------
        factor : float
            How
            much.
        """
        return np.asarray(local_field * factor)

    yield
    forget("halve")


@pytest.mark.usefixtures("halve")
def test_signature_is_all_there_is() -> None:
    entry = get_method("halve")
    assert [a.name for a in entry.inputs] == ["local_field", "field_mask"]
    assert [a.optional for a in entry.inputs] == [False, True]
    assert [(a.name, a.optional) for a in entry.headers] == [
        ("voxel_size", False),
        ("echo_times", True),
    ]
    assert entry.progress == "progress"
    assert [p.name for p in entry.parameters] == ["factor", "count", "kind", "quick"]
    factor = entry.parameter("factor")
    assert (factor.default, factor.unit, factor.description) == (0.5, "mm", "How much.")
    assert (factor.minimum, factor.open_minimum, factor.maximum) == (0, True, 2)
    assert entry.parameter("kind").choices == ("plain", "fancy")
    assert [q.name for q in entry.outputs] == ["susceptibility"]
    assert entry.summary == "Halve it."


@pytest.mark.usefixtures("halve")
@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("factor", "1e-5", 1e-5),
        ("factor", 2, 2.0),
        ("count", "4", 4),
        ("count", 4.0, 4),
        ("quick", "true", True),
        ("kind", "fancy", "fancy"),
    ],
)
def test_values_are_read(name: str, given: object, expected: object) -> None:
    value = get_method("halve").complete({name: given})[name]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.usefixtures("halve")
@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("factor", 0, "out of bounds"),
        ("factor", 2.01, "out of bounds"),
        ("factor", float("nan"), "out of bounds"),
        ("factor", "much", "expected float"),
        ("factor", True, "expected float"),
        ("count", 2.5, "expected int"),
        ("count", 0, "out of bounds"),
        ("kind", "odd", "plain or fancy"),
        ("quick", 1, "expected bool"),
        ("facto", 1, "no parameter 'facto'"),
    ],
)
def test_wrong_values_are_refused(name: str, given: object, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        get_method("halve").complete({name: given})


def test_unknown_method_names_the_known() -> None:
    with pytest.raises(ParameterError, match="no method 'nonsense'"):
        get_method("nonsense")


def test_an_unclear_signature_fails_at_import() -> None:
    def no_annotation(local_field: LocalField, x=1) -> Susceptibility:
        return local_field

    def no_default(local_field: LocalField, x: float) -> Susceptibility:
        return local_field

    def no_output(local_field: LocalField) -> float:
        return 1.0

    for function in (no_annotation, no_default, no_output):
        with pytest.raises(TypeError, match=function.__name__):
            method()(function)
        assert function.__name__ not in METHODS


def test_progress_parts_and_steps() -> None:
    seen: list[float] = []
    inner = part(lambda f, _s: seen.append(round(f, 3)), 0.5, 1.0)
    assert list(steps(2, inner, "x")) == [0, 1]
    assert seen == [0.5, 0.75, 1.0]
