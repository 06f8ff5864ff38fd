"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_qsm_stroke.io.phase_sign import PHASE_SIGNS

if TYPE_CHECKING:
    import argparse


def add_recipe(command: argparse.ArgumentParser) -> None:
    """Add what chooses the methods and their parameters."""
    command.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help="multi-echo, single-echo, all-maps, preview, or a TOML file "
        "(default: multi-echo or single-echo, by the number of echoes)",
    )
    command.add_argument(
        "--set",
        dest="values",
        metavar="METHOD.PARAM=V",
        nargs="+",
        action="extend",
        default=[],
        help="change parameters of the recipe's methods; see `qsm-stroke methods`",
    )
    command.add_argument(
        "--work",
        metavar="DIR",
        type=Path,
        help="keep the result of each step here, so that a changed parameter recomputes only "
        "what follows it",
    )


def add_side(command: argparse.ArgumentParser) -> None:
    """Add the side of the stroke."""
    command.add_argument(
        "--side",
        choices=("left", "right"),
        help="the patient's side of the stroke (default: the side of the infarct)",
    )


def add_phase_sign(command: argparse.ArgumentParser) -> None:
    """Add the switch for the sign of the phase."""
    command.add_argument(
        "--phase-sign",
        choices=PHASE_SIGNS,
        default="auto",
        help="auto: phase of GE scanners is negated unless its .json says that this was done "
        "(default); keep: as stored; negate: always",
    )


def add_masks(command: argparse.ArgumentParser) -> None:
    """Add masks that replace those made automatically."""
    for name, what in (
        ("veins", "mask of the cortical veins"),
        ("infarct", "mask of the infarct core"),
        ("territories", "arterial territories, labels 1 to 8 (ACA, MCA, PCA, VB; odd is left)"),
    ):
        command.add_argument(f"--{name}", metavar="FILE", type=Path, help=what)
