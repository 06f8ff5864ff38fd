"""Benchmarks of napari-qsm-stroke: accuracy, speed and memory, against their limits.

Results are kept in a cache outside the repository: what did not change is not computed again.
With --write they also go into the files that docs and program read. The exit code is 1 where a
limit is missed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import accuracy, alignment, chains, limits, masks, records, speed
from benchmarks.cache import Cache, default_folder
from benchmarks.heads import SUPERSAMPLING, TEST_SEEDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.limits import Verdict

Row = dict[str, Any]
QUICK_SEEDS, QUICK_MM = (9001,), 2.0
MISSED = 1


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for and return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    command = shlex.join(["python", "-m", "benchmarks", *_without_folders(argv)])
    cache = Cache(options.cache or default_folder())
    work: Callable[[argparse.Namespace, str, Cache], list[Verdict]] = options.work
    verdicts = work(options, command, cache)
    for verdict in verdicts:
        print(verdict.line())
    return MISSED if any(v.value is not None and not v.good for v in verdicts) else 0


def _without_folders(argv: list[str]) -> list[str]:
    """Return the arguments but for those that only this machine knows."""
    kept, skip = [], False
    for argument in argv:
        if not skip and not argument.startswith("--cache"):
            kept.append(argument)
        skip = argument == "--cache"
    return kept


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--cache", type=Path, help=f"folder (default: {default_folder()})")
    shared.add_argument("--write", action="store_true", help="write the files that are committed")
    heads = argparse.ArgumentParser(add_help=False)
    heads.add_argument("--seeds", type=int, nargs="+", default=list(TEST_SEEDS), metavar="S")
    commands = top.add_subparsers(dest="command", required=True)

    one = commands.add_parser("accuracy", parents=[shared, heads], help="errors against the truth")
    one.add_argument("--quick", action="store_true", help="one head of 2 mm")
    one.add_argument("--voxel-size", type=float, default=1.0, metavar="MM")
    one.add_argument("--backgrounds", nargs="+", default=[], metavar="NAME", help="only these")
    one.add_argument("--inversions", nargs="+", default=[], metavar="NAME", help="only these")
    one.add_argument("--parts", nargs="+", default=list(accuracy.PARTS), choices=accuracy.PARTS)
    one.add_argument(
        "--whole", action="store_true", help="every field path with every background and inversion"
    )
    one.set_defaults(work=run_accuracy)

    two = commands.add_parser("speed", parents=[shared], help="time and memory")
    two.add_argument("--methods", nargs="+", default=[], metavar="NAME", help="only these")
    two.add_argument("--recipes", nargs="*", default=list(speed.RECIPES), metavar="NAME")
    two.add_argument(
        "--shape",
        type=int,
        nargs=3,
        action="append",
        metavar="N",
        help="once or more (default: 256 256 128 and, for recipes, 384 448 160)",
    )
    two.set_defaults(work=run_speed)

    three = commands.add_parser(
        "masks",
        parents=[shared],
        help="masks of whole patients, and what they do to the number",
    )
    three.add_argument("--seeds", type=int, nargs="+", metavar="S", help="(default: 20 and 10)")
    three.add_argument("--modes", nargs="+", default=list(masks.MODES), choices=masks.MODES)
    three.add_argument(
        "--effects", type=float, nargs="+", default=list(masks.EFFECTS), metavar="RATIO"
    )
    three.set_defaults(work=run_masks)

    four = commands.add_parser(
        "alignment",
        parents=[shared, heads],
        help="alignment, infarct core, territories and brain mask against the truth",
    )
    four.add_argument("--displacements", type=int, default=10, metavar="N", help="of each seed")
    four.set_defaults(work=run_alignment)

    every = commands.add_parser("all", parents=[shared], help="all of them, in full")
    every.set_defaults(work=run_all)
    return top


def run_all(options: argparse.Namespace, command: str, cache: Cache) -> list[Verdict]:
    """Everything with its defaults."""
    verdicts = []
    for name in ("accuracy", "masks", "alignment", "speed"):
        part = parser().parse_args([name])
        part.write = options.write
        verdicts += part.work(part, command, cache)
    return verdicts


def run_accuracy(options: argparse.Namespace, command: str, cache: Cache) -> list[Verdict]:
    """Errors of each step and of whole ways."""
    selection = accuracy.Selection(
        QUICK_SEEDS if options.quick else tuple(options.seeds),
        QUICK_MM if options.quick else options.voxel_size,
        tuple(options.backgrounds),
        tuple(options.inversions),
        tuple(options.parts),
        options.whole,
    )
    rows = accuracy.rows(selection, cache, teller())
    way = chains.usual()
    usual = {
        "field": chains.path_name(way.path),
        "background": way.background,
        "inversion": way.inversion,
    }
    facts = {
        "seeds": list(selection.seeds),
        "voxel_size_mm": selection.voxel_size,
        "supersampling": SUPERSAMPLING,
        "recipe": chains.RECIPE,
    }
    verdicts = limits.of_accuracy(rows, usual)
    if options.write:
        plain = {**facts, "usual": usual, "limits": [asdict(v) for v in verdicts]}
        print(records.write("accuracy", command, plain, records.over_heads(rows)))
        print(records.write_bias(command, facts, rows))
    return verdicts


def run_speed(options: argparse.Namespace, command: str, cache: Cache) -> list[Verdict]:
    """Time and memory."""
    shapes = [tuple(shape) for shape in options.shape or (limits.BASE, limits.LARGE)]
    rows = speed.rows(
        tuple(shapes), tuple(options.methods), tuple(options.recipes), cache, teller()
    )
    verdicts = limits.of_speed(rows)
    if options.write:
        facts = {"limits": [asdict(v) for v in verdicts]}
        print(records.write("speed", command, facts, rows))
    return verdicts


def run_masks(options: argparse.Namespace, command: str, cache: Cache) -> list[Verdict]:
    """Masks of whole patients."""
    examined = masks.patients(options.modes, options.seeds, options.effects)
    rows = masks.rows(examined, cache, teller())
    verdicts = limits.of_masks(rows)
    if options.write:
        facts = {"supersampling": SUPERSAMPLING, "limits": [asdict(v) for v in verdicts]}
        facts["patients"] = rows
        print(records.write("masks", command, facts, masks.over_patients(rows)))
    return verdicts


def run_alignment(options: argparse.Namespace, command: str, cache: Cache) -> list[Verdict]:
    """Alignment and the masks that rest on it."""
    rows = alignment.rows(options.seeds, options.displacements, cache, teller())
    verdicts = limits.of_alignment(rows)
    if options.write:
        facts = {
            "seeds": list(options.seeds),
            "voxel_size_mm": alignment.VOXEL_MM,
            "limits": [asdict(v) for v in verdicts],
        }
        print(records.write("alignment", command, facts, alignment.summary(rows)))
    return verdicts


def teller() -> Callable[[Row], None]:
    """Return what prints a row as it comes, with the time since the start."""
    started = time.monotonic()

    def say(row: Row) -> None:
        words = [str(v) for v in row.values() if isinstance(v, str)]
        numbers = [f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, (int, float))]
        print(f"{time.monotonic() - started:6.0f} s  {', '.join(words)}: {', '.join(numbers)}")
        sys.stdout.flush()

    return say


if __name__ == "__main__":
    sys.exit(main())
