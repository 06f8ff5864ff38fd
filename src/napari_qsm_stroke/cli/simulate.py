"""``qsm-stroke simulate``: patients whose truth is known, as a BIDS data set."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write simulated stroke patients as a BIDS data set, with the ground truth beside it"
SINGLE_ECHO_S = 0.020
SINGLE_ECHO_MM = (0.9, 0.9, 1.6)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("bids_dir", metavar="BIDS_DIR", type=Path, help="folder of the data set")
    command.add_argument(
        "--subjects", metavar="N", type=_count, default=1, help="how many (default: 1)"
    )
    command.add_argument(
        "--seed",
        metavar="S",
        type=int,
        default=11,
        help="of the first subject; the next one has S + 1 (default: 11)",
    )
    command.add_argument(
        "--single-echo",
        action="store_true",
        help="as in clinical SWI: one echo of 20 ms, voxels of 0.9 x 0.9 x 1.6 mm",
    )
    command.add_argument(
        "--core-ratio",
        metavar="R",
        type=float,
        default=0.62,
        help="vein susceptibility in the core against contralateral; 1 is no effect "
        "(default: 0.62)",
    )
    command.add_argument(
        "--side", choices=("left", "right"), help="side of the stroke (default: by the seed)"
    )
    command.add_argument(
        "--haemorrhage", action="store_true", help="with haemorrhagic transformation of the core"
    )
    command.add_argument(
        "--oblique",
        metavar="DEGREES",
        type=float,
        default=0.0,
        help="tilt of the slab (default: 0)",
    )
    command.add_argument(
        "--voxel-size",
        metavar="MM",
        nargs=3,
        type=float,
        help="of the gradient echo along x, y, z (default: 1 1 1)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Simulate and write one subject after the other."""
    from napari_qsm_stroke.cli.console import shown
    from napari_qsm_stroke.core.physics.phantom import MULTI_ECHO
    from napari_qsm_stroke.core.progress import part
    from napari_qsm_stroke.io.simulated import write_patient
    from napari_qsm_stroke.pipeline.simulate import simulate

    for index in range(arguments.subjects):
        key, seed = f"sub-{index + 1:02d}", arguments.seed + index
        with shown(key) as progress:
            case, truth = simulate(
                key=key,
                seed=seed,
                side=arguments.side,
                voxel_size=_voxel_size(arguments),
                echo_times=(SINGLE_ECHO_S,) if arguments.single_echo else MULTI_ECHO,
                core_ratio=arguments.core_ratio,
                haemorrhage=arguments.haemorrhage,
                oblique_degrees=arguments.oblique,
                progress=part(progress, 0.0, 0.9),
            )
            progress(0.9, "writing files")
            write_patient(case, truth, arguments.bids_dir, seed)
        print(
            f"{key}: seed {seed}, stroke on the {truth.side}, "
            f"core of {truth.infarct_volume_ml:.0f} ml, core ratio {truth.core_ratio:g}"
        )
    print(f"{arguments.subjects} subjects in {arguments.bids_dir}")
    return 0


def _voxel_size(arguments: argparse.Namespace) -> tuple[float, float, float]:
    if arguments.voxel_size:
        x, y, z = arguments.voxel_size
        return (x, y, z)
    return SINGLE_ECHO_MM if arguments.single_echo else (1.0, 1.0, 1.0)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1 subject")
    return count
