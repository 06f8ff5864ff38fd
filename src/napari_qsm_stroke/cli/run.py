"""``qsm-stroke run``: every examination of a BIDS data set."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.cli.arguments import add_phase_sign, add_recipe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from napari_qsm_stroke.cohort.participant import Plan
    from napari_qsm_stroke.io.files import CaseFiles
    from napari_qsm_stroke.pipeline.recipe import Recipe

HELP = "reconstruct and measure every participant of a BIDS data set"
SOME_FAILED, NOTHING_TO_DO = 4, 5


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("bids_dir", metavar="BIDS_DIR", type=Path, help="the raw data set")
    command.add_argument("out_dir", metavar="OUT_DIR", type=Path, help="folder for the results")
    command.add_argument(
        "level", choices=("participant",), help="participant: from raw files to a table for each"
    )
    command.add_argument(
        "--participant-label",
        metavar="L",
        nargs="+",
        action="extend",
        default=[],
        help="only these subjects, with or without sub-",
    )
    add_phase_sign(command)
    add_recipe(command)
    command.add_argument(
        "--engine", choices=("serial",), default="serial", help="serial: one after the other"
    )
    command.add_argument("--retry-failed", action="store_true", help="try again what failed before")
    command.add_argument("--force", action="store_true", help="do again what is already done")


def execute(arguments: argparse.Namespace) -> int:
    """Process one participant after the other; a bad one does not stop the others."""
    from napari_qsm_stroke.cli.console import show_cautions, shown
    from napari_qsm_stroke.cohort.participant import Plan, participant
    from napari_qsm_stroke.errors import InputError
    from napari_qsm_stroke.io.bids import find_cases
    from napari_qsm_stroke.io.store import DiskStore

    found = [
        replace(files, phase_sign=arguments.phase_sign)
        for files in find_cases(arguments.bids_dir, arguments.participant_label)
    ]
    if arguments.out_dir.resolve() == arguments.bids_dir.resolve():
        raise InputError(
            str(arguments.out_dir), "is the raw data set itself.", "Give another folder."
        )
    plan = Plan(
        arguments.recipe,
        tuple(arguments.values),
        force=arguments.force,
        retry_failed=arguments.retry_failed,
    )
    store = DiskStore(arguments.work) if arguments.work else None
    for recipe in _recipes(found, plan):
        show_cautions(recipe)
    statuses = []
    for files in found:
        with shown(files.key) as progress:
            outcome = participant(files, arguments.out_dir, plan, progress, store)
        statuses.append(outcome.status)
        said = f"{outcome.key}: {outcome.status}"
        said += f" ({outcome.reason})" if outcome.reason else f" in {outcome.seconds:.0f} s"
        print(said, file=sys.stderr if outcome.status == "failed" else sys.stdout, flush=True)
    counts = ", ".join(f"{statuses.count(s)} {s}" for s in ("done", "skipped", "failed"))
    print(f"{len(statuses)} examinations: {counts}. Results in {arguments.out_dir}")
    if "failed" in statuses:
        return SOME_FAILED
    return NOTHING_TO_DO if "done" not in statuses else 0


def _recipes(found: Sequence[CaseFiles], plan: Plan) -> list[Recipe]:
    """Recipes that these examinations are run with, each once."""
    from napari_qsm_stroke.io.echoes import count_echoes

    recipes = [plan.recipe_for(count_echoes(files)) for files in found]
    return list({recipe.name: recipe for recipe in recipes}.values())
