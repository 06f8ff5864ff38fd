"""``qsm-stroke check``: everything that is wrong with a data set, before any computing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.case.provenance import INTENDED_USE

if TYPE_CHECKING:
    import argparse

    from napari_qsm_stroke.io.check import Checked

HELP = "read a data set and list all that is wrong with it, with what to do about it"
BAD_INPUT = 3


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("bids_dir", metavar="BIDS_DIR", type=Path, help="the raw data set")
    command.add_argument(
        "--participant-label",
        metavar="L",
        nargs="+",
        action="extend",
        default=[],
        help="only these subjects, with or without sub-",
    )
    command.add_argument("--json", action="store_true", help="as JSON instead of a table")


def execute(arguments: argparse.Namespace) -> int:
    """Check and show; bad input where anything keeps an examination from being run."""
    from napari_qsm_stroke.cli.console import show_problems, shown
    from napari_qsm_stroke.io.check import check_dataset

    with shown("check") as progress:
        checked = check_dataset(arguments.bids_dir, arguments.participant_label, progress)
    if arguments.json:
        print(json.dumps(_as_dict(checked, arguments.bids_dir), indent=2, ensure_ascii=False))
    else:
        show_problems(checked)
        print(summary(checked))
    return BAD_INPUT if checked.errors else 0


def summary(checked: Checked) -> str:
    """Return one line: how many examinations, errors and warnings."""

    def count(number: int, what: str) -> str:
        return f"{number} {what}{'' if number == 1 else 's'}"

    warnings = len(checked.problems) - checked.errors
    found = f"{count(checked.errors, 'error')}, {count(warnings, 'warning')}"
    said = found if checked.problems else "nothing wrong"
    return f"{count(len(checked.examinations), 'examination')}: {said}."


def _as_dict(checked: Checked, bids_dir: Path) -> dict[str, object]:
    return {
        "dataset": str(bids_dir),
        "examinations": list(checked.examinations),
        "errors": checked.errors,
        "warnings": len(checked.problems) - checked.errors,
        "problems": [
            {
                "examination": problem.examination,
                "level": problem.level,
                "file": problem.file,
                "fault": problem.fault,
                "remedy": problem.remedy,
            }
            for problem in checked.problems
        ],
        "IntendedUse": INTENDED_USE,
    }
