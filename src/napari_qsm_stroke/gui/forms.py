"""Forms from the signatures of methods: one widget a parameter, exact in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from napari_qsm_stroke.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_qsm_stroke.core.method import Method, Parameter

INT_LIMIT = 2**31 - 1
WRONG = "border: 1px solid #ff5a3c;"


class _WheelGuard(QObject):
    """Lets the wheel scroll the panel: it changes a value only where the user has clicked."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


class Field(QObject):
    """One parameter and its widget.

    Numbers are typed: a spin box of floats would cut 1e-5 to zero.
    """

    changed = Signal()

    def __init__(self, parameter: Parameter, owner: str) -> None:
        super().__init__()
        self.parameter = parameter
        self._owner = owner
        self._guard = _WheelGuard()
        self.widget = self._build()
        self.widget.setToolTip(_help(parameter))
        self.widget.setAccessibleName(label(parameter))
        self.set(parameter.default)

    def _build(self) -> QWidget:
        parameter = self.parameter
        if parameter.choices:
            box = QComboBox()
            box.addItems(list(parameter.choices))
            box.currentIndexChanged.connect(lambda _index: self.changed.emit())
        elif parameter.type is bool:
            box = QCheckBox()
            box.toggled.connect(lambda _on: self.changed.emit())
        elif parameter.type is int:
            box = QSpinBox()
            box.setRange(*_int_range(parameter))
            box.valueChanged.connect(lambda _value: self.changed.emit())
        else:
            box = QLineEdit()
            box.textChanged.connect(self._check)
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        box.installEventFilter(self._guard)
        return box

    def value(self) -> Any:
        """Return the value as typed.

        Raises
        ------
        ParameterError
            It is no value of this parameter.
        """
        box = self.widget
        if isinstance(box, QComboBox):
            found: Any = box.currentText()
        elif isinstance(box, QCheckBox):
            found = box.isChecked()
        elif isinstance(box, QSpinBox):
            found = box.value()
        else:
            found = box.text()
        return self.parameter.check(found, self._owner)

    def set(self, value: Any) -> None:
        """Show a value."""
        box = self.widget
        if isinstance(box, QComboBox):
            box.setCurrentText(str(value))
        elif isinstance(box, QCheckBox):
            box.setChecked(bool(value))
        elif isinstance(box, QSpinBox):
            box.setValue(int(value))
        else:
            box.setText(repr(value) if isinstance(value, float) else str(value))

    def _check(self) -> None:
        try:
            self.value()
        except ParameterError as error:
            self.widget.setStyleSheet(WRONG)
            self.widget.setToolTip(str(error))
        else:
            self.widget.setStyleSheet("")
            self.widget.setToolTip(_help(self.parameter))
        self.changed.emit()


class Form(QWidget):
    """All parameters of one method, or of anything else that has parameters.

    Parameters
    ----------
    owner : str
        Name of the method, for messages.
    parameters : iterable of Parameter
        Say everything that the form shows.
    """

    changed = Signal()

    def __init__(self, owner: str, parameters: Iterable[Parameter]) -> None:
        super().__init__()
        self.fields = {p.name: Field(p, owner) for p in parameters}
        layout = QFormLayout(self)
        layout.setContentsMargins(6, 2, 0, 6)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        if not self.fields:
            layout.addRow(QLabel("No parameters."))
        for field in self.fields.values():
            name = QLabel(label(field.parameter))
            name.setToolTip(_help(field.parameter))
            layout.addRow(name, field.widget)
            field.changed.connect(self.changed)

    def values(self) -> dict[str, Any]:
        """Return every parameter with its value.

        Raises
        ------
        ParameterError
            A value is not allowed.
        """
        return {name: field.value() for name, field in self.fields.items()}

    def differing(self) -> dict[str, Any]:
        """Return the parameters that differ from their defaults."""
        values = self.values()
        return {n: v for n, v in values.items() if v != self.fields[n].parameter.default}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show these values, and the defaults of all others."""
        for name, field in self.fields.items():
            field.set(values.get(name, field.parameter.default))


def cautions(method: Method) -> tuple[str, ...]:
    """What to tell of a method before it is chosen: nothing where it is recommended."""
    return (f"Not recommended for this study: {method.caution}.",) if method.caution else ()


def label(parameter: Parameter) -> str:
    """Name of a parameter as the form writes it, with its unit."""
    words = parameter.name.replace("_", " ").capitalize()
    return f"{words} ({parameter.unit})" if parameter.unit else words


def _help(parameter: Parameter) -> str:
    lines = [parameter.description or label(parameter)]
    if parameter.bounds():
        lines.append(f"Allowed: {parameter.bounds()} {parameter.unit}".rstrip())
    lines.append(f"Default: {parameter.default}")
    return "\n".join(lines)


def _int_range(parameter: Parameter) -> tuple[int, int]:
    low, high = -INT_LIMIT, INT_LIMIT
    if parameter.minimum is not None:
        low = int(parameter.minimum) + (1 if parameter.open_minimum else 0)
    if parameter.maximum is not None:
        high = int(parameter.maximum) - (1 if parameter.open_maximum else 0)
    return low, high
