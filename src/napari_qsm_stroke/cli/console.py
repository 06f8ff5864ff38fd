"""What a command shows: progress on the error stream, tables on the output stream."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import progress as rich_progress
from rich.console import Console
from rich.table import Table

from napari_qsm_stroke.case.acquisition import acquisition_lines
from napari_qsm_stroke.case.case import notes_of_loading
from napari_qsm_stroke.cli.ctrl_c import heed
from napari_qsm_stroke.core.measure.regions import REGIONS
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.pipeline.apply import ITERATIONS, SETTLED, as_many_as_usual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.progress import Progress
    from napari_qsm_stroke.io.check import Checked
    from napari_qsm_stroke.pipeline.measure import Measurements
    from napari_qsm_stroke.pipeline.recipe import Recipe

WIDTH_OF_A_FILE = 136
"""Columns of a table that goes into a file or a pipe."""
UNBROKEN = 4000
"""Columns of a table whose lines are never broken."""


@contextmanager
def shown(name: str) -> Iterator[Progress]:
    """Show progress as a bar in a terminal, else as one line a stage.

    What it yields raises ``Cancelled`` once Ctrl-C was pressed.

    Parameters
    ----------
    name : str
        What is being worked on.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(name)
        return
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=None),
        rich_progress.TextColumn("{task.percentage:>3.0f} %"),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("{task.fields[stage]:<24}"),
    )
    with rich_progress.Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(name, total=1.0, stage="")

        def report(fraction: float, stage: str) -> None:
            heed()
            bars.update(task, completed=fraction, stage=stage)

        yield report


def _lines(name: str) -> Progress:
    last = [""]

    def report(fraction: float, stage: str) -> None:
        heed()
        if stage != last[0]:
            last[0] = stage
            print(f"{name}  {100 * fraction:3.0f} %  {stage}", file=sys.stderr, flush=True)

    return report


def output() -> Console:
    """Return the console of the output stream; text in it is never read as markup."""
    console = Console(markup=False, highlight=False)
    return (
        console
        if console.is_terminal
        else Console(markup=False, highlight=False, width=WIDTH_OF_A_FILE)
    )


def show_cautions(recipe: Recipe) -> None:
    """Print a warning for each method of a recipe that is not recommended."""
    for step in recipe.steps:
        caution = get_method(step.method).caution
        if caution:
            print(
                f"warning: {step.method} is not recommended for this study: {caution}",
                file=sys.stderr,
            )


def show_acquisition(case: Case) -> None:
    """Print how the case was acquired, where each value came from, and what is unusual."""
    acquisition = case.acquisition
    for line in acquisition_lines(acquisition, case.b0_dir) if acquisition else ():
        print(line, file=sys.stderr)
    warnings = acquisition.warnings if acquisition else notes_of_loading(case)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def show_left_out(case: Case) -> None:
    """Print the steps that were left out because of the data, and why."""
    for record in case.history:
        if record.action == "skip":
            print(f"left out: {record.what}: {record.note}", file=sys.stderr)


def show_iterations(case: Case) -> None:
    """Print how many iterations each step took, and where fewer than its tolerance asks for."""
    for record in case.history:
        if record.action == "run" and ITERATIONS in record.figures:
            usual = as_many_as_usual(get_method(record.what), record.parameters)
            ended = record.figures[SETTLED] or usual
            end = "" if ended else " (its tolerance was not reached)"
            print(
                f"iterations: {record.what}: {record.figures[ITERATIONS]:.0f}{end}", file=sys.stderr
            )


def show_measurements(measurements: Measurements) -> None:
    """Print the territory table and its notes."""
    table = Table(title="Vein susceptibility by territory")
    for title in ("Region", "Side"):
        table.add_column(title, no_wrap=True)
    for title in ("Volume ml", "Vein voxels", "Median ppm"):
        table.add_column(title, justify="right")
    table.add_column("95 % interval", no_wrap=True)
    for title in ("vs ipsilateral", "vs contralateral", "OEF"):
        table.add_column(title, justify="right")
    for row in measurements.rows:
        low, high = row.chi_median_ci_low_ppm, row.chi_median_ci_high_ppm
        table.add_row(
            REGIONS[row.region],
            row.side or "n/a",
            _number(row.volume_ml, "{:.1f}"),
            _number(row.n_vein_voxels, "{:d}"),
            _number(row.chi_median_ppm, "{:.3f}"),
            "n/a" if low is None or high is None else f"{low:.3f} to {high:.3f}",
            _number(row.percent_vs_ipsilateral, "{:+.0f} %"),
            _number(row.percent_vs_contralateral, "{:+.0f} %"),
            _number(row.oef_median, "{:.2f}"),
        )
    console = output()
    console.print(table)
    for row in measurements.rows:
        if row.qc != "ok":
            console.print(f"{REGIONS[row.region]}: {row.qc}")
    for note in measurements.notes:
        console.print(note)


def show_problems(checked: Checked) -> None:
    """Print all that is wrong with a data set; in a file or a pipe each problem is one line."""
    if not checked.problems:
        return
    console = output()
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=UNBROKEN)
    table = Table()
    for title in ("Examination", "Level"):
        table.add_column(title, no_wrap=True)
    for title in ("File", "What is wrong", "What to do"):
        table.add_column(title, overflow="fold")
    for problem in checked.problems:
        about = problem.examination or "data set"
        table.add_row(about, problem.level, problem.file, problem.fault, problem.remedy)
    console.print(table)


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else form.format(value)
