"""Open case: a BIDS or DICOM folder, single files, or the simulated patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QToolButton,
)

from napari_qsm_stroke.errors import InputError, QsmStrokeError
from napari_qsm_stroke.gui.dicom import Opened, import_and_load, is_dicom_folder
from napari_qsm_stroke.gui.layers import LOOKS, look
from napari_qsm_stroke.gui.panels.panel import Panel, heading, note
from napari_qsm_stroke.gui.roles import TITLES, guess_role, is_nifti
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.load import load, load_files
from napari_qsm_stroke.pipeline.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_qsm_stroke.case.acquisition import Acquisition
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.progress import Progress
    from napari_qsm_stroke.gui.jobs import Job
    from napari_qsm_stroke.io.files import CaseFiles

BUSY = "Wait for the case that is being opened, or cancel it."
FROM_SIDECAR = "from the sidecars"
ORIGINS = {"header": "from the files", "user": "typed in", "derived": "derived"}


class OpenPanel(Panel):
    """The dock Open case."""

    TITLE = "Open case"
    TAB = "Open"
    HINT = "Drop a BIDS or DICOM folder or NIfTI files anywhere here, or choose them."

    def build(self) -> None:
        """Add the three ways to a case."""
        self.setAcceptDrops(True)
        self._files: dict[str, list[Path]] = {}
        self.bench.jobs.waited.connect(self._show_waited)
        self._build_folder()
        self._build_files()
        self._build_simulated()
        self.body.addWidget(heading("Open now"))
        self.facts = note("Nothing yet.")
        self.body.addWidget(self.facts)
        row = QHBoxLayout()
        self.echo_label = QLabel("Echo shown")
        self.echo = QSpinBox()
        self.echo.setMinimum(1)
        self.echo.valueChanged.connect(lambda n: setattr(self.bench.scene, "echo", n - 1))
        row.addWidget(self.echo_label)
        row.addWidget(self.echo)
        row.addStretch(1)
        self.body.addLayout(row)

    def _build_folder(self) -> None:
        self.body.addWidget(heading("BIDS or DICOM folder"))
        row = QHBoxLayout()
        choose = QPushButton("Choose folder ...")
        choose.setToolTip("Opens a BIDS folder; looks into a DICOM folder without keeping anything")
        choose.clicked.connect(self._ask_folder)
        keep = QPushButton("Import DICOM ...")
        keep.setToolTip("Writes a DICOM folder into a BIDS folder, without who was examined")
        keep.clicked.connect(self._ask_import)
        row.addWidget(choose)
        row.addWidget(keep)
        self.participants = QListWidget()
        self.participants.setMaximumHeight(90)
        self.participants.itemDoubleClicked.connect(self._open_item)
        self.participants.setToolTip("Double-click to open")
        self.participants.setVisible(False)
        self.body.addLayout(row)
        self.body.addWidget(self.participants)

    def _build_files(self) -> None:
        self.body.addWidget(heading("Files"))
        grid = QGridLayout()
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(1, 1)
        self.cells: dict[str, QLabel] = {}
        for row, (role, title) in enumerate(TITLES.items()):
            cell = QLabel()
            cell.setStyleSheet("color: #9aa0a6;")
            pick, clear = QToolButton(), QToolButton()
            pick.setText("...")
            pick.setToolTip(f"Choose the file of {title}")
            pick.clicked.connect(lambda _on, r=role: self._ask_files(r))
            clear.setText("x")
            clear.setToolTip("Take it out")
            clear.clicked.connect(lambda _on, r=role: self.set_files(r, []))
            for column, widget in enumerate((QLabel(title), cell, pick, clear)):
                grid.addWidget(widget, row, column)
            self.cells[role] = cell
        self.body.addLayout(grid)
        form = QFormLayout()
        self.echo_times = QLineEdit()
        self.echo_times.setPlaceholderText(FROM_SIDECAR)
        self.echo_times.setToolTip("In seconds, one for each echo, e.g. 0.005, 0.010, 0.015")
        self.field_strength = QLineEdit()
        self.field_strength.setPlaceholderText(FROM_SIDECAR)
        form.addRow("Echo times (s)", self.echo_times)
        form.addRow("Field strength (T)", self.field_strength)
        self.body.addLayout(form)
        self.open_button = QPushButton("Open these files")
        self.open_button.clicked.connect(self.open_files)
        self.body.addWidget(self.open_button)
        self._show_files()

    def _build_simulated(self) -> None:
        self.body.addWidget(heading("Simulated patient"))
        row = QHBoxLayout()
        self.seed = QSpinBox()
        self.seed.setRange(0, 10_000)
        self.seed.setValue(1)
        self.seed.setPrefix("person ")
        self.simulate_button = QPushButton("Simulated patient")
        self.simulate_button.setToolTip(
            "A stroke patient made by physics, with known truth; no patient data."
        )
        self.simulate_button.clicked.connect(lambda: self.simulate())
        row.addWidget(self.seed)
        row.addWidget(self.simulate_button, 1)
        self.body.addLayout(row)

    # -- opening -----------------------------------------------------------------------------

    def choose_folder(self, folder: Path) -> None:
        """List the examinations of a BIDS folder; open the only one. DICOM is imported first."""
        if is_dicom_folder(folder):
            self.import_folder(folder)
            return
        try:
            found = find_cases(folder)
        except QsmStrokeError as error:
            self.say(str(error), "bad")
            return
        self._list(found)
        if not found:
            self.say(f"{folder}: no gradient echo with magnitude and phase in there.", "bad")
        elif len(found) == 1:
            self._open_item(self.participants.item(0))
        else:
            self.say(f"{len(found)} examinations: double-click one to open it.")

    def import_folder(self, folder: Path, target: Path | None = None) -> None:
        """Import a DICOM folder into a BIDS folder, or into one that is not kept, and open it."""
        if self.working:
            self.say(BUSY, "warn")
            return

        def done(opened: Opened) -> None:
            self._list(opened.found)
            if opened.case is not None:
                self.session.open(opened.case)

        job = self.bench.jobs.start(
            "Import DICOM", lambda progress: import_and_load(folder, target, progress), done
        )
        self.follow(job, lambda opened: opened.sentence)

    def _list(self, found: Iterable[CaseFiles]) -> None:
        self.participants.clear()
        for files in found:
            item = QListWidgetItem(files.key)
            item.setData(Qt.ItemDataRole.UserRole, files)
            self.participants.addItem(item)
        self.participants.setVisible(self.participants.count() > 0)

    def set_files(self, role: str, paths: list[Path]) -> None:
        """Give files a role; echoes in the order of their names."""
        self._files[role] = sorted(paths) if role in ("magnitude", "phase") else paths[:1]
        self._show_files()

    def open_files(self) -> None:
        """Open the files of the table."""
        try:
            times = _numbers(self.echo_times.text(), "Echo times", "0.005, 0.010")
            strength = _numbers(self.field_strength.text(), "Field strength", "3")
        except InputError as error:
            self.say(str(error), "bad")
            return
        files: dict[str, Any] = {
            role: paths if role in ("magnitude", "phase") else paths[0]
            for role, paths in self._files.items()
            if paths
        }

        def work(progress: Progress) -> Case:
            return load(
                **files,
                echo_times=times or None,
                field_strength=strength[0] if strength else None,
                progress=progress,
            )

        self._load("Open files", work)

    def simulate(self, **options: Any) -> None:
        """Make the simulated patient; options as ``pipeline.simulate.simulate`` takes them."""
        options = {"seed": self.seed.value(), **options}
        self._load("Simulate a patient", lambda progress: simulate(**options, progress=progress)[0])

    def _load(self, title: str, work: Any) -> None:
        if self.working:
            self.say(BUSY, "warn")
            return
        self.follow(self.bench.load(title, work), lambda case: f"{case.key} is open.")

    def _show_waited(self, job: Job) -> None:
        """Show work that napari's own menu has asked for: a sample, a folder."""
        if not self.working and not self._closed:
            self.follow(job)

    def _open_item(self, item: QListWidgetItem) -> None:
        files = item.data(Qt.ItemDataRole.UserRole)
        self._load(f"Open {files.key}", lambda progress: load_files(files, progress))

    # -- what is shown -----------------------------------------------------------------------

    def refresh(self, names: frozenset[str]) -> None:
        """Tell what is open."""
        case = self.session.case
        if case is None or not names & {"case"}:
            return
        grid, acquisition = case.grid, case.acquisition
        size = " x ".join(f"{s:.3g}" for s in grid.voxel_size)
        lines = [f"<b>{case.key}</b>, {' x '.join(map(str, grid.shape))} voxels of {size} mm"]
        if grid.obliquity_degrees > 0.5:
            lines.append(f"Slab tilted by {grid.obliquity_degrees:.0f} degrees")
        if acquisition is not None:
            lines += _acquisition_lines(acquisition)
        lines.append("Maps: " + ", ".join(look(n).title for n in LOOKS if n in case.maps))
        self.facts.setText("<br>".join(lines))
        echoes = len(acquisition.echo_times) if acquisition else 1
        self.echo.setMaximum(max(1, echoes))
        self.echo.setValue(1)
        for widget in (self.echo, self.echo_label):
            widget.setVisible(echoes > 1)

    def _show_files(self) -> None:
        for role, cell in self.cells.items():
            paths = self._files.get(role, [])
            text = paths[0].name if len(paths) == 1 else f"{len(paths)} files" if paths else "-"
            cell.setText(text if len(text) < 26 else "..." + text[-23:])
            cell.setToolTip("\n".join(str(p) for p in paths))
        self.open_button.setEnabled(any(self._files.values()))

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "BIDS or DICOM folder")
        if chosen:
            self.choose_folder(Path(chosen))

    def _ask_import(self) -> None:
        source = QFileDialog.getExistingDirectory(self, "Folder of DICOM files")
        target = source and QFileDialog.getExistingDirectory(
            self, "BIDS folder to write into: an empty one, or a data set to add to"
        )
        if target:
            self.import_folder(Path(source), Path(target))

    def _ask_files(self, role: str) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(
            self, TITLES[role], filter="NIfTI (*.nii *.nii.gz)"
        )
        if chosen:
            self.set_files(role, [Path(p) for p in chosen])

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Sort what was dropped by its name."""
        self.take([Path(url.toLocalFile()) for url in event.mimeData().urls()])
        event.acceptProposedAction()

    def take(self, paths: list[Path]) -> None:
        """Take what is dropped: a BIDS or DICOM folder, or files, whose names say what they are."""
        folders = [p for p in paths if p.is_dir()]
        if folders:
            self.choose_folder(folders[0])
            return
        sorted_out: dict[str, list[Path]] = {}
        unknown = [p.name for p in paths if not is_nifti(p) or guess_role(p) is None]
        for path in paths:
            role = guess_role(path) if is_nifti(path) else None
            if role is not None:
                sorted_out.setdefault(role, []).append(path)
        for role, found in sorted_out.items():
            self.set_files(role, found)
        if unknown:
            self.say(
                f"{', '.join(unknown)}: the name does not say what it is. Choose its row.", "warn"
            )
        elif sorted_out:
            self.say("Check the roles, then open the files.")


def _acquisition_lines(acquisition: Acquisition) -> list[str]:
    def origin(name: str) -> str:
        said = acquisition.origins.get(name, "")
        return f" ({ORIGINS.get(said, said)})" if said else ""

    times = ", ".join(f"{1000 * t:.4g}" for t in acquisition.echo_times)
    lines = [
        f"Echo times {times} ms{origin('echo_times')}",
        f"Field strength {acquisition.field_strength:g} T{origin('field_strength')}",
    ]
    return lines + [f"<span style='color:#ffd166'>{w}</span>" for w in acquisition.warnings]


def _numbers(text: str, where: str, example: str) -> tuple[float, ...]:
    parts = text.replace(";", ",").replace(" ", ",").split(",")
    try:
        return tuple(float(part) for part in parts if part)
    except ValueError:
        raise InputError(where, f"{text!r} is no number.", f"Write it like {example}.") from None
