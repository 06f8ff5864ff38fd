"""The form of each method gives back what it was given."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from contract_suite.calls import NAMES
from contract_suite.checks import others

from napari_qsm_stroke.core.method import METHODS


@pytest.fixture(scope="module")
def forms() -> Iterator[type]:
    """The class of all forms, on a screen that nobody sees where there is none."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    from napari_qsm_stroke.gui.forms import Form

    yield Form
    application.processEvents()


@pytest.mark.parametrize("name", [n for n in NAMES if METHODS[n].parameters])
def test_values_survive_the_form(name: str, forms: type) -> None:
    entry = METHODS[name]
    form = forms(name, entry.parameters)
    assert form.values() == entry.complete({})
    assert form.differing() == {}
    form.set_values(others(entry))
    assert form.values() == entry.complete(others(entry))
    assert [type(v) for v in form.values().values()] == [p.type for p in entry.parameters]
