"""Runs the contracts of one method again and again, each time in a fresh child process.

    python -m contract_suite.one_method NAME ROOT [--without-golden]

``ROOT`` is the folder that the package must come from. For each line of the input the module of
the method is read anew in a child, and one line of JSON tells the exit code of its contracts (1:
one is broken) and their last words.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CRASHED = 70
OTHERS = ("test_mutations", "test_forms", "test_added_method", "test_adjoints")


class Only:
    """Keeps the tests of one method, golden numbers first: they find most faults at once."""

    def __init__(self, name: str, golden: bool) -> None:
        self.name = name
        self.golden = golden

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what belongs to other methods."""
        kept = [
            item
            for item in items
            if getattr(getattr(item, "callspec", None), "params", {}).get("name") == self.name
            and item.path.stem not in OTHERS
            and (self.golden or item.path.stem != "test_golden")
        ]
        items[:] = sorted(kept, key=lambda item: item.path.stem != "test_golden")


def contracts(name: str, golden: bool) -> int:
    """Read the module of the method anew and run its contracts up to the first that fails."""
    from napari_qsm_stroke.core.method import METHODS

    importlib.reload(sys.modules[METHODS[name].function.__module__])
    files = [str(p) for p in sorted(TESTS.glob("test_*.py")) if p.stem not in OTHERS]
    arguments = [*files, "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
    return int(pytest.main(arguments, plugins=[Only(name, golden)]))


def in_child(name: str, golden: bool) -> tuple[int, str]:
    """Run the contracts in a child process; return its exit code and last words."""
    with tempfile.TemporaryFile("w+") as words:
        child = os.fork()
        if child == 0:
            code = CRASHED
            try:
                os.dup2(words.fileno(), 1)
                os.dup2(words.fileno(), 2)
                code = contracts(name, golden)
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        words.seek(0)
        lines = [line.strip() for line in words if line.startswith(("E ", "FAILED", "ERROR", "/"))]
    return os.waitstatus_to_exitcode(status), " | ".join(lines[-2:])


def main(name: str, root: str, *options: str) -> None:
    """Serve until the input ends."""
    import napari_qsm_stroke

    assert Path(napari_qsm_stroke.__file__).is_relative_to(root), napari_qsm_stroke.__file__
    napari_qsm_stroke.methods()
    for _ in sys.stdin:
        print(json.dumps(in_child(name, "--without-golden" not in options)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
