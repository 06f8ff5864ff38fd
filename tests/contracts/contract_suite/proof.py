"""Faults are put into a method, in memory, and its contracts tell whether they find them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_qsm_stroke.core.method import Method

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Verdict:
    """A fault, whether it was found, and the last words of the contracts."""

    what: str
    found: bool
    words: str


def judge(entry: Method, count: int, seed: int = 2) -> Iterator[Verdict]:
    """Put one fault after the other into a method and see whether the contracts find it.

    Raises
    ------
    ValueError
        The contracts fail without any fault.
    """
    command = [sys.executable, "-m", "contract_suite.broken", entry.name, str(count), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        command, cwd=TESTS.parents[1], env=environment, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            told = json.loads(line)
            if told["what"] != "nothing":
                yield Verdict(told["what"], told["code"] != 0, told["words"])
            elif told["code"] != 0:
                child.kill()
                raise ValueError(f"contracts of {entry.name} fail as it is: {told['words']}")
    if child.returncode != 0:
        raise ValueError(f"the faults of {entry.name} were not tried: exit code {child.returncode}")
