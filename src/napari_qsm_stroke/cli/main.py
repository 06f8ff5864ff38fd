"""``qsm-stroke``: reads the verb, runs it, turns errors into one sentence and an exit code."""

from __future__ import annotations

import argparse
import logging
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from napari_qsm_stroke.case.provenance import INTENDED_USE
from napari_qsm_stroke.cli import (
    check,
    ctrl_c,
    demo,
    import_,
    measure,
    methods,
    reconstruct,
    run,
    simulate,
)
from napari_qsm_stroke.errors import Cancelled, InputError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG = logging.getLogger(__name__)
CRASH, USAGE, BAD_INPUT, STOPPED = 1, 2, 3, 130
VERBS = (demo, simulate, import_, check, run, reconstruct, measure, methods)
EXIT_CODES = (
    "exit codes: 0 done, 1 crash, 2 usage, 3 bad input, 4 some subjects failed, 5 nothing to do, "
    "130 stopped by Ctrl-C"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; those of the process where not given.

    Returns
    -------
    int
        Exit code: 0 done, 1 crash, 2 usage, 3 bad input, 4 some subjects failed, 5 nothing to do,
        130 stopped by Ctrl-C.
    """
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has already printed help or what is wrong
        return stop.code if isinstance(stop.code, int) else USAGE
    print(INTENDED_USE, file=sys.stderr)
    try:
        with ctrl_c.noted():
            code: int = arguments.execute(arguments)
    except ParameterError as error:
        return _say(error, USAGE)
    except InputError as error:
        return _say(error, BAD_INPUT)
    except (KeyboardInterrupt, Cancelled):
        return _say("Stopped; what was being written is not there, what was done is.", STOPPED)
    except OSError as error:
        what = f"{error.filename or 'Files'}: {error.strerror or error}."
        return _say(f"{what} Check rights and free space.", CRASH)
    except Exception:
        LOG.exception("crash")
        return _say("This is a bug of the program: please report it with the lines above.", CRASH)
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="qsm-stroke",
        description=(
            "QSM of ischemic stroke: from raw gradient-echo phase to the susceptibility of the "
            f"veins by territory. {INTENDED_USE}"
        ),
        epilog=EXIT_CODES,
    )
    top.add_argument("--version", action="version", version=version("napari-qsm-stroke"))
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in VERBS:
        name = verb.__name__.rpartition(".")[2].rstrip("_")
        command = verbs.add_parser(
            name, help=verb.HELP, description=f"{verb.HELP}. {INTENDED_USE}", epilog=EXIT_CODES
        )
        verb.add_arguments(command)
        command.set_defaults(execute=verb.execute)
    return top


def _say(what: object, code: int) -> int:
    print(f"qsm-stroke: {what}", file=sys.stderr)
    return code
