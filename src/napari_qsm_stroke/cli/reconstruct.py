"""``qsm-stroke reconstruct``: one examination from its files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.cli.arguments import add_masks, add_phase_sign, add_recipe, add_side

if TYPE_CHECKING:
    import argparse

HELP = "reconstruct one examination from NIfTI files: map, masks, table and report"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument(
        "--magnitude",
        metavar="FILE",
        nargs="+",
        type=Path,
        default=[],
        help="magnitude: one file for each echo in their order, or one with all echoes",
    )
    command.add_argument(
        "--phase",
        metavar="FILE",
        nargs="+",
        type=Path,
        default=[],
        help="phase, in the same order; in rad, or as the scanner stores it",
    )
    for name, what in (("real", "real part"), ("imaginary", "imaginary part")):
        command.add_argument(
            f"--{name}",
            metavar="FILE",
            nargs="+",
            type=Path,
            default=[],
            help=f"{what} of the signal; both together instead of magnitude and phase",
        )
    command.add_argument(
        "--echo-times",
        metavar="S",
        nargs="+",
        type=float,
        help="echo times in seconds (default: from the .json beside the files)",
    )
    command.add_argument(
        "--field-strength",
        metavar="T",
        type=float,
        help="field strength in tesla (default: from the .json beside the files)",
    )
    command.add_argument(
        "--b0-direction",
        metavar=("X", "Y", "Z"),
        nargs=3,
        type=float,
        help="direction of the main field along the voxel axes of the files "
        "(default: from their orientation)",
    )
    add_phase_sign(command)
    command.add_argument(
        "--dwi", metavar="FILE", type=Path, help="diffusion-weighted image, or series with .bval"
    )
    command.add_argument("--b0", metavar="FILE", type=Path, help="b0 image of the diffusion series")
    command.add_argument("--adc", metavar="FILE", type=Path, help="ADC map")
    command.add_argument("--brain-mask", metavar="FILE", type=Path, help="brain mask")
    command.add_argument(
        "--atlas",
        metavar="FILE",
        type=Path,
        help="atlas of arterial territories in MNI space, with a table of its labels beside it "
        "(default: the built-in map)",
    )
    add_masks(command)
    add_side(command)
    add_recipe(command)
    command.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder for the results"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Load, run, measure, write."""
    from napari_qsm_stroke.cli.console import (
        show_acquisition,
        show_cautions,
        show_iterations,
        show_left_out,
        show_measurements,
        shown,
    )
    from napari_qsm_stroke.cohort.export import export
    from napari_qsm_stroke.cohort.participant import Plan, describe, reconstruct
    from napari_qsm_stroke.core.progress import part
    from napari_qsm_stroke.io.echoes import count_echoes
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.io.load import load_files
    from napari_qsm_stroke.io.store import DiskStore

    started = time.monotonic()
    files = CaseFiles(
        magnitude=tuple(arguments.magnitude),
        phase=tuple(arguments.phase),
        real=tuple(arguments.real),
        imaginary=tuple(arguments.imaginary),
        dwi=arguments.dwi,
        b0=arguments.b0,
        adc=arguments.adc,
        brain_mask=arguments.brain_mask,
        veins=arguments.veins,
        infarct=arguments.infarct,
        territories=arguments.territories,
        atlas=arguments.atlas,
        echo_times=tuple(arguments.echo_times) if arguments.echo_times else None,
        field_strength=arguments.field_strength,
        b0_direction=tuple(arguments.b0_direction) if arguments.b0_direction else None,
        phase_sign=arguments.phase_sign,
        side=arguments.side,
    )
    plan = Plan(arguments.recipe, tuple(arguments.values))
    store = DiskStore(arguments.work) if arguments.work else None
    job = describe(files, plan)
    if files.has_gradient_echo:
        show_cautions(plan.recipe_for(count_echoes(files)))
    with shown("reconstruct") as progress:
        case = load_files(files, part(progress, 0.0, 0.05))
        show_acquisition(case)
        case, measurements = reconstruct(case, plan, part(progress, 0.05, 0.95), store)
        progress(0.95, "writing files")
        written = export(case, measurements, arguments.out, job.timed(time.monotonic() - started))
    show_left_out(case)
    show_iterations(case)
    show_measurements(measurements)
    print(f"{len(written)} files in {arguments.out}")
    return 0
