"""``qsm-stroke import``: a folder of DICOM files to a BIDS data set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from napari_qsm_stroke.io.dicom.acquisitions import LeftOut

SOME_FAILED = 4
HELP = "import DICOM files (classic or enhanced) into a BIDS data set, without who was examined"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument(
        "dicom_dir",
        metavar="DICOM_DIR",
        type=Path,
        help="folder of DICOM files, searched with all folders in it",
    )
    command.add_argument(
        "bids_dir",
        metavar="BIDS_DIR",
        type=Path,
        help="folder of the data set; examinations are added to what is there",
    )
    command.add_argument(
        "--participant-label",
        metavar="L",
        default="",
        help="label of the only person in the folder (default: the next free number)",
    )
    command.add_argument(
        "--session",
        metavar="L",
        default="",
        help="label of the only visit in the folder (default: visits are numbered where there "
        "are several)",
    )
    command.add_argument(
        "--echo-times",
        metavar="S",
        nargs="+",
        type=float,
        help="in seconds, where the headers do not say them",
    )
    command.add_argument(
        "--phase-sign",
        choices=("auto", "keep", "negate"),
        default="auto",
        help="auto: the phase of GE scanners is negated, as they store it with the other sign "
        "(default: auto)",
    )
    command.add_argument(
        "--key-file",
        metavar="FILE",
        type=Path,
        help="write who each label is into this file (JSON), outside BIDS_DIR; persons that it "
        "knows already keep their labels",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Import and tell what became of each series."""
    from napari_qsm_stroke.cli.console import shown
    from napari_qsm_stroke.io.dicom.importer import import_dicom

    with shown("import") as progress:
        result = import_dicom(
            arguments.dicom_dir,
            arguments.bids_dir,
            participant_label=arguments.participant_label,
            session=arguments.session,
            echo_times=arguments.echo_times,
            phase_sign=arguments.phase_sign,
            key_file=arguments.key_file,
            progress=progress,
        )
    for examination in result.examinations:
        print(f"{examination.key}: {len(examination.files)} images")
        for file in examination.files:
            print(f"  {file}")
        for line in dict.fromkeys(_line(left) for left in examination.left_out):
            print(f"  left out: {line}")
        for warning in examination.warnings:
            print(f"warning: {examination.key}: {warning}", file=sys.stderr)
    if result.others:
        print(f"{result.others} files of the folder are no DICOM files.")
    for key, why in result.failures:
        print(f"{key}: failed ({why})", file=sys.stderr)
    return SOME_FAILED if result.failures else 0


def _line(left: LeftOut) -> str:
    number = "without number" if left.series is None else str(left.series)
    return f"series {number}, {left.kind.name}: {left.kind.reason}"
