"""``qsm-stroke measure``: the territory table from a finished map and masks."""

from __future__ import annotations

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
    from napari_qsm_stroke.cli.console import show_measurements, shown
    from napari_qsm_stroke.cohort.export import export
    from napari_qsm_stroke.errors import MissingError
    from napari_qsm_stroke.io.load import load
    from napari_qsm_stroke.pipeline.measure import check_inputs, measure

    given = {"--chi": arguments.chi, "--veins": arguments.veins, "--infarct": arguments.infarct}
    given["--territories"] = arguments.territories
    lacking = [flag for flag, path in given.items() if path is None]
    if lacking:
        raise MissingError(", ".join(lacking), "not given.", "Measuring needs all four files.")
    with shown("measure") as progress:
        case = load(
            susceptibility=arguments.chi,
            veins=arguments.veins,
            infarct=arguments.infarct,
            territories=arguments.territories,
            side=arguments.side,
            progress=progress,
        )
        check_inputs(case)
        progress(0.5, "measuring")
        measurements = measure(case)
        progress(0.8, "writing files")
        files = export(case, measurements, arguments.out)
    show_measurements(measurements)
    print(f"{len(files)} files in {arguments.out}")
    return 0
