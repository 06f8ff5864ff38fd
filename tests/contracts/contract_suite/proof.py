"""Puts faults into a copy of the package, one after the other, and runs the contracts on it."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import napari_qsm_stroke
from contract_suite.mutate import Mutant, mutants
from napari_qsm_stroke.core.method import Method

PACKAGE = Path(napari_qsm_stroke.__file__).parent
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Verdict:
    """Whether a fault was found, and the last words of the contracts."""

    mutant: Mutant
    found: bool
    words: str


class Copy:
    """A copy of the package in a folder, with what is compiled.

    Parameters
    ----------
    folder : Path
        Is made.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        # times are kept, and with them the compiled code of numba
        shutil.copytree(PACKAGE, folder / PACKAGE.name)

    def judge(self, entry: Method, count: int, *options: str) -> Iterator[Verdict]:
        """Put one fault after the other into a method and see whether the contracts find it.

        Raises
        ------
        ValueError
            The contracts fail without any fault.
        """
        path = self.root / PACKAGE.name / Path(inspect.getfile(entry.function)).relative_to(PACKAGE)
        kept, stat = path.read_bytes(), path.stat()
        with self._served(entry, *options) as served:
            code, words = _ask(served)
            if code != 0:
                raise ValueError(f"contracts of {entry.name} fail as it is: {words}")
            for mutant in mutants(entry, count):
                path.write_text(mutant.text, "utf-8")
                code, words = _ask(served)
                yield Verdict(mutant, code != 0, words)
                path.write_bytes(kept)
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    @contextmanager
    def _served(self, entry: Method, *options: str) -> Iterator[subprocess.Popen[str]]:
        paths = os.pathsep.join([str(self.root), str(TESTS)])
        command = [sys.executable, "-m", "contract_suite.one_method", entry.name, str(self.root)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        with subprocess.Popen(
            [*command, *options],
            cwd=TESTS.parents[1],
            env={**environment, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as served:
            yield served
            assert served.stdin is not None
            served.stdin.close()


def _ask(served: subprocess.Popen[str]) -> tuple[int, str]:
    assert served.stdin is not None
    assert served.stdout is not None
    served.stdin.write("again\n")
    served.stdin.flush()
    code, words = json.loads(served.stdout.readline())
    return int(code), str(words)
