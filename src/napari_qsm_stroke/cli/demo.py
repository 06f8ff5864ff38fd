"""``qsm-stroke demo``: a simulated patient from raw phase to the report."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.pipeline.measure import Measurements

HELP = "take a simulated patient from raw phase to the report, in napari or headless"
SEED = 11
WINDOWS = "napari_qsm_stroke.windows"
"""Group of entry points: functions that show a finished case and its measurements."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("qsm-stroke-demo"),
        help="folder for raw data and results (default: qsm-stroke-demo)",
    )
    command.add_argument(
        "--headless",
        action="store_true",
        help="open no window (that is also so where there is no display)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Simulate, write raw data, run on what was written, write results, open napari."""
    from napari_qsm_stroke.cli.console import (
        show_iterations,
        show_left_out,
        show_measurements,
        shown,
    )
    from napari_qsm_stroke.cohort.export import export
    from napari_qsm_stroke.cohort.participant import Plan, describe, reconstruct
    from napari_qsm_stroke.core.progress import part
    from napari_qsm_stroke.io.bids import find_cases
    from napari_qsm_stroke.io.load import load_files
    from napari_qsm_stroke.io.simulated import write_patient
    from napari_qsm_stroke.pipeline.simulate import simulate

    raw, results = arguments.out / "bids", arguments.out / "results"
    with shown("simulate") as progress:
        case, truth = simulate(key="sub-01", seed=SEED, progress=part(progress, 0.0, 0.9))
        progress(0.9, "writing raw data")
        write_patient(case, truth, raw, SEED)
    started = time.monotonic()
    with shown("reconstruct") as progress:
        source = find_cases(raw, ["01"])[0]
        case = load_files(source, part(progress, 0.0, 0.05))
        case, measurements = reconstruct(case, Plan(), part(progress, 0.05, 0.95))
        progress(0.95, "writing files")
        job = describe(source, Plan()).timed(time.monotonic() - started)
        files = export(case, measurements, results, job)
    show_left_out(case)
    show_iterations(case)
    show_measurements(measurements)
    inside, shared = _core_change(truth.intravascular_ppm), _core_change(truth.map_ppm)
    print(
        f"Truth of the core against contralateral: {inside:+.0f} % inside the veins, "
        f"{shared:+.0f} % in voxels that veins share with tissue."
    )
    report = next((f for f in files if f.name.endswith("_report.html")), results)
    print(f"Report: {report.resolve()}")
    if not arguments.headless and has_display():
        open_window(case, measurements)
    return 0


def _core_change(medians: Mapping[str, float]) -> float:
    return 100 * (medians["infarct_core"] / medians["contralateral_mca"] - 1)


def has_display() -> bool:
    """Tell whether a window can be opened here."""
    on_screen_only_with_these = ("DISPLAY", "WAYLAND_DISPLAY")
    return platform.system() != "Linux" or any(map(os.environ.get, on_screen_only_with_these))


def open_window(case: Case, measurements: Measurements) -> None:
    """Open the window that an entry point names: the command line itself knows of none."""
    for window in entry_points(group=WINDOWS):
        try:
            show_case = window.load()
        except ImportError as error:  # napari came without a Qt binding
            print(f"No window: {error}. Install napari-qsm-stroke[all].", file=sys.stderr)
        else:
            show_case(case, measurements)
