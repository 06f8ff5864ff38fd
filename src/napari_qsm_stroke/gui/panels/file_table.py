"""Which file is what: one row a file, its role guessed from its name and corrected by the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_qsm_stroke.gui.roles import TITLES, guess_role
from napari_qsm_stroke.io.files import ECHO_ROLES

if TYPE_CHECKING:
    from pathlib import Path

NOT_USED = "not used"
SHOWN = 30
"""Letters of a file's name that fit beside its role."""


class FileTable(QWidget):
    """Files of one examination and their roles.

    Attributes
    ----------
    changed : Signal
        Emitted when a file or a role is another one.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._roles: dict[Path, str] = {}
        self.boxes: dict[Path, QComboBox] = {}
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self._empty = QLabel("No files yet: drop them here, or add them.")
        self._empty.setStyleSheet("color: #9aa0a6;")
        outer.addWidget(self._empty)
        self._rows = QWidget()
        self._grid = QGridLayout(self._rows)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(1)
        self._grid.setColumnStretch(0, 1)
        outer.addWidget(self._rows)
        self._show()

    def add(self, paths: list[Path]) -> list[Path]:
        """Add files with the role of their name; return those whose name says none."""
        for path in sorted(paths):
            self._roles[path] = guess_role(path) or ""
        self._show()
        return [path for path in sorted(paths) if not self._roles[path]]

    def set_role(self, path: Path, role: str) -> None:
        """Say what a file is; an empty text leaves it out."""
        self._roles[path] = role
        self.changed.emit()

    def remove(self, path: Path) -> None:
        """Take a file out of the table."""
        self._roles.pop(path, None)
        self._show()

    def files(self) -> dict[str, list[Path]]:
        """Files by role; echoes in the order of their names."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self._roles):
            if self._roles[path]:
                found.setdefault(self._roles[path], []).append(path)
        return found

    def fault(self) -> str:
        """Return why the files cannot be opened so, or an empty text."""
        for role, paths in self.files().items():
            if role not in ECHO_ROLES and len(paths) > 1:
                return f"Two files are {TITLES[role]}: choose one."
        return ""

    def _show(self) -> None:
        while self._grid.count():
            widget = self._grid.takeAt(0).widget()
            widget.setParent(None)
            widget.deleteLater()
        self.boxes.clear()
        for row, path in enumerate(sorted(self._roles)):
            name = path.name if len(path.name) <= SHOWN else f"...{path.name[3 - SHOWN :]}"
            label = QLabel(name)
            label.setToolTip(str(path))
            box = QComboBox()
            box.addItem(NOT_USED, "")
            for role, title in TITLES.items():
                box.addItem(title, role)
            box.setCurrentIndex(box.findData(self._roles[path]))
            box.setToolTip("What this file is")
            box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            box.activated.connect(lambda _i, p=path, b=box: self.set_role(p, b.currentData()))
            clear = QToolButton()
            clear.setText("x")
            clear.setToolTip("Take it out")
            clear.clicked.connect(lambda _on, p=path: self.remove(p))
            for column, widget in enumerate((label, box, clear)):
                self._grid.addWidget(widget, row, column)
            self.boxes[path] = box
        self._empty.setVisible(not self._roles)
        self._rows.setVisible(bool(self._roles))
        self.changed.emit()
