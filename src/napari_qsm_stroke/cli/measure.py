"""``qsm-stroke measure``: the territory table from a finished map and masks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.cli.arguments import add_masks, add_side

if TYPE_CHECKING:
    import argparse

HELP = "measure vein susceptibility by territory in a finished map with given masks"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("--chi", metavar="FILE", type=Path, help="susceptibility map in ppm")
    add_masks(command)
    add_side(command)
    command.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder for the results"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Load, measure, write."""
    from napari_qsm_stroke.cli.console import show_acquisition, show_measurements, shown
    from napari_qsm_stroke.cohort.export import export
    from napari_qsm_stroke.cohort.participant import Plan, describe
    from napari_qsm_stroke.core.progress import part
    from napari_qsm_stroke.errors import MissingError
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.io.load import load_files
    from napari_qsm_stroke.pipeline.measure import check_inputs, measure

    started = time.monotonic()
    flags = ("chi", "veins", "infarct", "territories")
    lacking = [f"--{flag}" for flag in flags if getattr(arguments, flag) is None]
    if lacking:
        raise MissingError(", ".join(lacking), "not given.", "Measuring needs all four files.")
    files = CaseFiles(
        susceptibility=arguments.chi,
        veins=arguments.veins,
        infarct=arguments.infarct,
        territories=arguments.territories,
        side=arguments.side,
    )
    with shown("measure") as progress:
        case = load_files(files, part(progress, 0.0, 0.5))
        show_acquisition(case)
        check_inputs(case)
        progress(0.5, "measuring")
        measurements = measure(case)
        progress(0.6, "writing files")
        job = describe(files, Plan()).timed(time.monotonic() - started)
        written = export(case, measurements, arguments.out, job)
    show_measurements(measurements)
    print(f"{len(written)} files in {arguments.out}")
    return 0
