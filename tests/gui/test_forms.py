"""Forms show every parameter of every method, and give back exactly what they were given."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_qsm_stroke.core.method import Parameter, Unit, forget, get_method, method
from napari_qsm_stroke.core.quantities import LocalField, Susceptibility
from napari_qsm_stroke.errors import ParameterError
from napari_qsm_stroke.gui.forms import Form, cautions, label
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.measure import MeasureSettings

pytestmark = pytest.mark.gl


def form_of(name: str) -> Form:
    known = get_method(name)
    return Form(known.name, known.parameters)


@pytest.mark.parametrize("name", sorted(methods()))
def test_every_form_gives_back_the_defaults(qtbot: Any, name: str) -> None:
    form = form_of(name)
    qtbot.addWidget(form)
    defaults = {p.name: p.default for p in get_method(name).parameters}
    assert form.values() == defaults
    assert {k: type(v) for k, v in form.values().items()} == {
        p.name: p.type for p in get_method(name).parameters
    }
    assert form.differing() == {}


@pytest.mark.parametrize("name", sorted(methods()))
def test_every_parameter_is_explained(qtbot: Any, name: str) -> None:
    form = form_of(name)
    qtbot.addWidget(form)
    for field in form.fields.values():
        assert "Default" in field.widget.toolTip()
        assert field.parameter.description in field.widget.toolTip()


def test_the_settings_of_the_table_have_a_form(qtbot: Any) -> None:
    form = Form("measure", MeasureSettings.parameters())
    qtbot.addWidget(form)
    assert MeasureSettings(**form.values()) == MeasureSettings()


def test_what_is_not_recommended_says_why() -> None:
    (words,) = cautions(get_method("laplacian"))
    assert "Not recommended" in words
    assert "bias" in words
    assert cautions(get_method("vein_filter")) == ()


@pytest.mark.parametrize("value", [1e-5, 1 / 3, 1.2345678901234567e-9, 6.02e23, 0.1])
def test_floats_survive_to_the_last_digit(qtbot: Any, value: float) -> None:
    form = Form("some", [Parameter("x", float, 1.0)])
    qtbot.addWidget(form)
    form.set_values({"x": value})
    assert form.values() == {"x": value}


@pytest.fixture
def everything() -> Any:
    @method()
    def temporary_inversion(
        local_field: LocalField,
        weight: Annotated[float, Interval(gt=0, le=2), Unit("mm")] = 1e-5,
        count: Annotated[int, Interval(gt=2, lt=9)] = 4,
        fast: bool = True,
        mode: Literal["rough", "fine"] = "fine",
    ) -> Susceptibility:
        """Do little.

        Parameters
        ----------
        weight : float
            How much.
        """
        return local_field

    yield get_method("temporary_inversion")
    forget("temporary_inversion")


def test_bounds_are_kept(qtbot: Any, everything: Any) -> None:
    form = form_of("temporary_inversion")
    qtbot.addWidget(form)
    count = form.fields["count"].widget
    assert (count.minimum(), count.maximum()) == (3, 8)
    weight = form.fields["weight"].widget
    for wrong in ("0", "2.1", "a lot", "", "nan"):
        weight.setText(wrong)
        with pytest.raises(ParameterError, match=r"temporary_inversion\.weight"):
            form.values()
        assert "weight" in weight.toolTip()
        assert weight.styleSheet()
    weight.setText("2")
    assert form.differing() == {"weight": 2.0}
    assert not weight.styleSheet()


def test_every_kind_of_parameter_can_be_changed(qtbot: Any, everything: Any) -> None:
    form = form_of("temporary_inversion")
    qtbot.addWidget(form)
    heard: list[int] = []
    form.changed.connect(lambda: heard.append(1))
    changed = {"weight": 0.5, "count": 7, "fast": False, "mode": "rough"}
    form.set_values(changed)
    assert form.values() == form.differing() == changed
    assert len(heard) >= 4
    assert label(everything.parameters[0]) == "Weight (mm)"


def test_the_wheel_scrolls_the_panel_not_the_value(qtbot: Any, everything: Any) -> None:
    form = form_of("temporary_inversion")
    qtbot.addWidget(form)
    form.show()
    qtbot.waitExposed(form)
    count = form.fields["count"].widget
    count.clearFocus()
    turn = QWheelEvent(
        QPointF(5, 5),
        QPointF(count.mapToGlobal(QPoint(5, 5))),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(count, turn)
    assert count.value() == 4
