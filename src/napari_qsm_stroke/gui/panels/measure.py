"""Measure and export: the side, the table of the territories, and the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QColor, QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
)

from napari_qsm_stroke.errors import ParameterError, QsmStrokeError
from napari_qsm_stroke.gui.forms import Form
from napari_qsm_stroke.gui.panels.panel import Panel, note
from napari_qsm_stroke.pipeline.measure import MeasureSettings

if TYPE_CHECKING:
    from napari_qsm_stroke.core.measure.table import RegionRow
    from napari_qsm_stroke.pipeline.measure import Measurements

REGIONS = {
    "infarct_core": "Infarct core",
    "ipsilateral_mca": "Ipsilateral MCA, not ischemic",
    "contralateral_mca": "Contralateral MCA",
    "mirrored_core": "Core mirrored",
    "peri_infarct_0_5mm": "Around the core, 0-5 mm",
    "peri_infarct_5_10mm": "Around the core, 5-10 mm",
}
COLUMNS = (
    "Veins\nml",
    "Veins\nvoxels",
    "Median (ppm)\nquartiles",
    "vs\nipsi",
    "vs\ncontra",
)
WARN = "#ffd166"
NOT_MEASURED = "n/a"


class MeasurePanel(Panel):
    """The dock Measure and export."""

    TITLE = "Measure and export"
    TAB = "Measure"
    HINT = "Susceptibility in the veins of each territory. It follows every correction."

    def build(self) -> None:
        """Add side, table, settings and export."""
        row = QHBoxLayout()
        row.addWidget(QLabel("Side of the stroke"))
        self.side = QComboBox()
        for text, value in (("found", None), ("left", "left"), ("right", "right")):
            self.side.addItem(text, value)
        self.side.currentIndexChanged.connect(self._set_side)
        self.busy = note("")
        self.busy.setWordWrap(False)
        row.addWidget(self.side, 1)
        row.addWidget(self.busy)
        self.body.addLayout(row)
        self.table = QTableWidget(2 * len(REGIONS), len(COLUMNS))
        self._prepare_table()
        self.body.addWidget(self.table)
        self.notes = note("")
        self.body.addWidget(self.notes)
        self.opener = QToolButton()
        self.opener.setText("Settings")
        self.opener.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.opener.setArrowType(Qt.ArrowType.RightArrow)
        self.opener.setCheckable(True)
        self.opener.toggled.connect(self._open_settings)
        self.body.addWidget(self.opener)
        self.form = Form("measure", MeasureSettings.parameters())
        self.form.set_values(self.session.settings.as_dict())
        self.form.changed.connect(self._set_settings)
        self.form.setVisible(False)
        self.body.addWidget(self.form)
        buttons = QGridLayout()
        self.export_button = QPushButton("Export ...")
        self.export_button.clicked.connect(self._ask_export)
        self.report_button = QPushButton("Open report")
        self.report_button.setVisible(False)
        self.report_button.clicked.connect(self._open_report)
        buttons.addWidget(self.export_button, 0, 0)
        buttons.addWidget(self.report_button, 0, 1)
        self.actions.addLayout(buttons)
        self.exported: list[Path] = []
        self.ears.listen(self.bench.unmeasured, self._unmeasured)
        self.ears.listen(self.bench.measuring, self._measuring)

    def refresh(self, names: frozenset[str]) -> None:
        """Show the table, the side and what can be exported."""
        if names & {"measurements", "case", "side"}:
            self._fill(self.session.measurements)
            self._show_side()
        if "case" in names:
            self.exported = []
            self.report_button.setVisible(False)
        case = self.session.case
        ready = case is not None and "susceptibility" in case.maps and not self.working
        self.export_button.setEnabled(ready)
        self.export_button.setToolTip("" if ready else "Reconstruct a case first.")

    def export(self, folder: Path) -> None:
        """Write every file of the case into a folder."""
        try:
            job = self.bench.export(folder)
        except QsmStrokeError as error:
            self.say(str(error), "bad")
            return
        self.follow(job, lambda result: self._exported(result[1], folder))
        self.refresh(frozenset({"job"}))

    def median(self, region: str) -> str:
        """Median of a region as the table shows it."""
        item = self.table.item(2 * list(REGIONS).index(region) + 1, 2)
        return item.text() if item else ""

    # -- table -------------------------------------------------------------------------------

    def _prepare_table(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.verticalHeader().setVisible(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        table.setShowGrid(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        for index, title in enumerate(REGIONS.values()):
            table.setSpan(2 * index, 0, 1, len(COLUMNS))
            name = QTableWidgetItem(title)
            font = name.font()
            font.setBold(True)
            name.setFont(font)
            table.setItem(2 * index, 0, name)

    def _fill(self, found: Measurements | None) -> None:
        rows = {row.region: row for row in found.rows} if found else {}
        for index, region in enumerate(REGIONS):
            row = rows.get(region)
            texts = _cells(row)
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                if row is not None and row.qc and row.qc != "ok":
                    item.setToolTip(row.qc)
                    item.setForeground(QColor(WARN))
                self.table.setItem(2 * index + 1, column, item)
        if found is not None:
            said = [f"Relative to: {found.reference}."] if found.reference else []
            self.notes.setText("\n".join([*said, *found.notes]))
        self.table.resizeRowsToContents()
        height = self.table.verticalHeader().length() + self.table.horizontalHeader().height()
        self.table.setFixedHeight(height + 4)

    def _measuring(self, on: bool) -> None:
        self.busy.setText("measuring ..." if on else "")

    def _unmeasured(self, reason: str) -> None:
        self.notes.setText(reason)

    # -- side and settings -------------------------------------------------------------------

    def _show_side(self) -> None:
        found, case = self.session.measurements, self.session.case
        self.side.blockSignals(True)
        text = "found"
        if found is not None and found.side_origin == "found":
            text = f"found: {found.side}"
        self.side.setItemText(0, text)
        self.side.setCurrentIndex(self.side.findData(case.side if case else None))
        self.side.setEnabled(case is not None)
        self.side.blockSignals(False)

    def _set_side(self, _index: int) -> None:
        try:
            self.session.set_side(self.side.currentData())
        except QsmStrokeError as error:
            self.say(str(error), "bad")

    def _open_settings(self, on: bool) -> None:
        self.opener.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.form.setVisible(on)

    def _set_settings(self) -> None:
        try:
            self.session.settings = MeasureSettings(**self.form.values())
        except ParameterError as error:
            self.say(str(error), "bad")
        else:
            self.say("")

    # -- files -------------------------------------------------------------------------------

    def _ask_export(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the results")
        if not chosen:
            return
        folder = Path(chosen)
        case = self.session.case
        subject = folder / f"sub-{case.subject}" if case else folder
        if subject.exists():
            answer = QMessageBox.question(
                self,
                "Replace the results?",
                f"{subject} has results of this case already. Replace them?",
            )
            if answer != QMessageBox.StandardButton.Yes:
                return
        self.export(folder)

    def _exported(self, paths: list[Path], folder: Path) -> str:
        self.exported = list(paths)
        self.report_button.setVisible(self._report() is not None)
        return f"{len(self.exported)} files written to {folder}."

    def _report(self) -> Path | None:
        return next((p for p in self.exported if p.suffix == ".html"), None)

    def _open_report(self) -> None:
        report = self._report()
        if report is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(report)))


def _cells(row: RegionRow | None) -> tuple[str, ...]:
    if row is None:
        return (NOT_MEASURED,) * len(COLUMNS)

    def text(value: Any, form: str) -> str:
        return NOT_MEASURED if value is None else format(value, form)

    median = text(row.chi_median_ppm, ".3f")
    if row.chi_median_ppm is not None:
        median += f"\n{row.chi_q1_ppm:.3f}–{row.chi_q3_ppm:.3f}"
    return (
        text(row.vein_volume_ml, ".2f"),
        text(row.n_vein_voxels, "d"),
        median,
        _percent(row, "ipsilateral"),
        _percent(row, "contralateral"),
    )


def _percent(row: RegionRow, other: str) -> str:
    if row.region.startswith(other):
        return "-"
    value = getattr(row, f"percent_vs_{other}")
    return NOT_MEASURED if value is None else f"{value:+.0f} %"
