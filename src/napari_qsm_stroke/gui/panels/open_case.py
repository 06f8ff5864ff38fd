"""Open case: a BIDS or DICOM folder, single files, or the simulated patient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
)

from napari_qsm_stroke.case.acquisition import acquisition_lines
from napari_qsm_stroke.case.case import notes_of_loading
from napari_qsm_stroke.errors import InputError, QsmStrokeError
from napari_qsm_stroke.gui.dicom import PREFIX, Opened, import_and_load, is_dicom_folder
from napari_qsm_stroke.gui.layers import LOOKS, look
from napari_qsm_stroke.gui.panels.file_table import FileTable
from napari_qsm_stroke.gui.panels.panel import Panel, heading, note
from napari_qsm_stroke.gui.recent import recent, remember
from napari_qsm_stroke.gui.roles import is_nifti
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.files import ECHO_ROLES
from napari_qsm_stroke.io.load import load, load_files
from napari_qsm_stroke.pipeline.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.progress import Progress
    from napari_qsm_stroke.gui.jobs import Job
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.io.phase_sign import PhaseSign

BUSY = "Wait for the case that is being opened, or cancel it."
FROM_SIDECAR = "from the sidecars"
SIGNS: dict[PhaseSign, str] = {
    "auto": "by the scanner",
    "keep": "as stored",
    "negate": "negated",
}


class OpenPanel(Panel):
    """The dock Open case."""

    TITLE = "Open case"
    TAB = "Open"
    HINT = "Drop a BIDS or DICOM folder or NIfTI files anywhere here, or choose them."

    def build(self) -> None:
        """Add the three ways to a case."""
        self.setAcceptDrops(True)
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
        self.recent = QComboBox()
        self.recent.activated.connect(self._open_recent)
        self.body.addLayout(row)
        self.body.addWidget(self.recent)
        self.body.addWidget(self.participants)
        self._show_recent()

    def _build_files(self) -> None:
        self.body.addWidget(heading("Files"))
        self.table = FileTable()
        self.table.changed.connect(self._show_files)
        self.body.addWidget(self.table)
        add = QPushButton("Add files ...")
        add.setToolTip("NIfTI files of one examination; then check what each of them is")
        add.clicked.connect(self._ask_files)
        self.body.addWidget(add)
        form = QFormLayout()
        self.echo_times = QLineEdit()
        self.echo_times.setPlaceholderText(FROM_SIDECAR)
        self.echo_times.setToolTip("In seconds, one for each echo, e.g. 0.005, 0.010, 0.015")
        self.field_strength = QLineEdit()
        self.field_strength.setPlaceholderText(FROM_SIDECAR)
        form.addRow("Echo times (s)", self.echo_times)
        form.addRow("Field strength (T)", self.field_strength)
        self.phase_sign = QComboBox()
        for choice, title in SIGNS.items():
            self.phase_sign.addItem(title, choice)
        self.phase_sign.setToolTip(
            "GE scanners store the phase with the other sign. Veins must be bright in the map."
        )
        form.addRow("Sign of the phase", self.phase_sign)
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

    def open_files(self) -> None:
        """Open the files of the table."""
        try:
            times = _numbers(self.echo_times.text(), "Echo times", "0.005, 0.010")
            strength = _numbers(self.field_strength.text(), "Field strength", "3")
        except InputError as error:
            self.say(str(error), "bad")
            return
        files: dict[str, Any] = {
            role: paths if role in ECHO_ROLES else paths[0]
            for role, paths in self.table.files().items()
        }
        sign = self.phase_sign.currentData()

        def work(progress: Progress) -> Case:
            return load(
                **files,
                echo_times=times or None,
                field_strength=strength[0] if strength else None,
                phase_sign=sign,
                progress=progress,
            )

        self._load("Open files", work)

    def simulate(self, **options: Any) -> None:
        """Make the simulated patient; options as ``pipeline.simulate.simulate`` takes them."""
        options = {"seed": self.seed.value(), **options}
        self._load("Simulate a patient", lambda progress: simulate(**options, progress=progress)[0])

    def _load(self, title: str, work: Any, files: CaseFiles | None = None) -> None:
        if self.working:
            self.say(BUSY, "warn")
            return

        def opened(case: Case) -> str:
            if files is not None and files.root is not None and PREFIX not in files.root.as_posix():
                remember(files.root, files.key)
                self._show_recent()
            return f"{case.key} is open."

        self.follow(self.bench.load(title, work), opened)

    def _show_waited(self, job: Job) -> None:
        """Show work that napari's own menu has asked for: a sample, a folder."""
        if not self.working and not self._closed:
            self.follow(job)

    def _open_item(self, item: QListWidgetItem) -> None:
        self._open(item.data(Qt.ItemDataRole.UserRole))

    def _open(self, files: CaseFiles) -> None:
        """Open an examination of a data set, with the sign of the phase as it was chosen."""
        files = replace(files, phase_sign=self.phase_sign.currentData())
        self._load(f"Open {files.key}", lambda progress: load_files(files, progress), files)

    def _open_recent(self, index: int) -> None:
        folder, key = self.recent.itemData(index) or (None, "")
        if folder is None:
            return
        try:
            found = find_cases(folder, [key.split("_")[0]])
        except QsmStrokeError as error:
            self.say(str(error), "bad")
            return
        self._open(next((files for files in found if files.key == key), found[0]))

    def _show_recent(self) -> None:
        self.recent.clear()
        self.recent.addItem("Recent cases", None)
        for folder, key in recent():
            self.recent.addItem(f"{key} in {folder.name}", (folder, key))
            self.recent.setItemData(
                self.recent.count() - 1, str(folder), Qt.ItemDataRole.ToolTipRole
            )
        self.recent.setVisible(self.recent.count() > 1)

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
            lines += acquisition_lines(acquisition, case.b0_dir)
        warnings = acquisition.warnings if acquisition else notes_of_loading(case)
        lines += [f"<span style='color:#ffd166'>{w}</span>" for w in warnings]
        lines.append("Maps: " + ", ".join(look(n).title for n in LOOKS if n in case.maps))
        self.facts.setText("<br>".join(lines))
        echoes = len(acquisition.echo_times) if acquisition else 1
        self.echo.setMaximum(max(1, echoes))
        self.echo.setValue(1)
        for widget in (self.echo, self.echo_label):
            widget.setVisible(echoes > 1)

    def _show_files(self) -> None:
        fault = self.table.fault()
        self.open_button.setEnabled(bool(self.table.files()) and not fault)
        self.open_button.setToolTip(fault)

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

    def _ask_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(
            self, "NIfTI files of one examination", filter="NIfTI (*.nii *.nii.gz)"
        )
        if chosen:
            self.take([Path(p) for p in chosen])

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
        images = [p for p in paths if is_nifti(p)]
        others = [p.name for p in paths if not is_nifti(p)]
        unknown = [p.name for p in self.table.add(images)]
        if others:
            self.say(f"{', '.join(others)}: not a NIfTI file.", "warn")
        elif unknown:
            self.say(
                f"{', '.join(unknown)}: the name does not say what it is. Choose it beside it.",
                "warn",
            )
        elif images:
            self.say("Check what each file is, then open them.")


def _numbers(text: str, where: str, example: str) -> tuple[float, ...]:
    parts = text.replace(";", ",").replace(" ", ",").split(",")
    try:
        return tuple(float(part) for part in parts if part)
    except ValueError:
        raise InputError(where, f"{text!r} is no number.", f"Write it like {example}.") from None
