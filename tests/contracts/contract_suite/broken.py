"""Puts faults into a method one by one, each in a child process, and runs its contracts there.

    python -m contract_suite.broken NAME COUNT [SEED]

One line of JSON for each fault says what it is, whether the contracts found it, and how. Nothing is
written into the package: only the functions that a fault touches are read anew, in memory, and
kernels among them are compiled for one thread, which is several times faster.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numba
import pytest

TESTS = Path(__file__).parents[1]
PACKAGE = "napari_qsm_stroke"
PATIENCE_S = 240
"""A method that takes longer never ends."""
ROOM = 8 * 1024**3
"""Bytes of address space that a broken method may ask for."""
CRASHED = 70
GOLDEN = 71
FLAGS = compile("from __future__ import annotations", "", "exec").co_flags & ~0xFFFF
OTHERS = ("test_mutations", "test_forms", "test_added_method", "test_adjoints", "test_golden")


class Only:
    """Keeps the tests of one method."""

    def __init__(self, name: str) -> None:
        self.name = name

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what belongs to other methods."""
        items[:] = [
            item
            for item in items
            if getattr(getattr(item, "callspec", None), "params", {}).get("name") == self.name
        ]


def install(module: ModuleType, text: str) -> None:
    """Let what differs in another text of a module take the place of what is there."""
    before = ast.parse(inspect.getsource(module)).body
    after = ast.parse(text).body
    changed = [n for o, n in zip(before, after, strict=True) if ast.unparse(o) != ast.unparse(n)]
    names = {name for statement in changed for name in _defined(statement)}
    old = {name: module.__dict__[name] for name in names}
    for statement in after:
        used = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        if statement not in changed and used & names and _is_made_once(statement):
            changed.append(statement)
            for name in _defined(statement):
                names.add(name)
                old[name] = module.__dict__[name]
    njit = numba.njit

    def quick(**options: Any) -> Any:
        return njit(**{**options, "parallel": False, "cache": False})

    with patch.object(numba, "njit", quick):
        for statement in sorted(changed, key=lambda s: s.lineno):
            tree = ast.Module([statement], [])
            code = compile(tree, str(module.__file__), "exec", FLAGS, dont_inherit=True)
            exec(code, module.__dict__)
    for name, value in old.items():
        if callable(value):
            _replace(value, module.__dict__[name])


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [t.id for t in statement.targets if isinstance(t, ast.Name)]
    return []


def _is_made_once(statement: ast.stmt) -> bool:
    """What other names mean is settled when this is read: in kernels, and in other numbers."""
    decorated = isinstance(statement, ast.FunctionDef) and bool(statement.decorator_list)
    return decorated or isinstance(statement, ast.Assign)


def _replace(old: Any, new: Any) -> None:
    """Wherever another module has the old one by its name, it gets the new one."""
    for name, module in list(sys.modules.items()):
        if name.startswith((PACKAGE, "contract_suite")):
            for key, value in list(vars(module).items()):
                if value is old:
                    setattr(module, key, new)


def contracts(name: str) -> int:
    """Golden numbers first, run by run: they find most faults at once. Then all other contracts."""
    from contract_suite.golden import first_difference
    from napari_qsm_stroke.core.method import METHODS

    difference = first_difference(METHODS[name])
    if difference:
        print(f"E golden: {difference}")
        return GOLDEN
    files = [str(p) for p in sorted(TESTS.glob("test_*.py")) if p.stem not in OTHERS]
    arguments = [*files, "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*arguments, "-k", name], plugins=[Only(name)]))


def in_child(name: str, module: ModuleType, text: str) -> tuple[int, str]:
    """Run the contracts with another text in a child process; its exit code and last words."""
    with tempfile.TemporaryFile("w+") as words:
        child = os.fork()
        if child == 0:
            code = CRASHED
            try:
                os.dup2(words.fileno(), 1)
                os.dup2(words.fileno(), 2)
                signal.alarm(PATIENCE_S)
                resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
                install(module, text)
                code = contracts(name)
            finally:
                error = sys.exc_info()[1]
                if error is not None:
                    print(f"E {type(error).__name__}: {error}")
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        words.seek(0)
        lines = [line.strip() for line in words if line.startswith(("E ", "FAILED", "ERROR", "/"))]
    return os.waitstatus_to_exitcode(status), " | ".join(lines[-2:])[:300]


def main(name: str, count: str, seed: str = "2") -> None:
    """Print a line for the method as it is, then one for each fault."""
    from contract_suite.calls import usual
    from contract_suite.golden import signs
    from contract_suite.mutate import mutants
    from napari_qsm_stroke import methods
    from napari_qsm_stroke.core.method import METHODS

    methods()
    entry = METHODS[name]
    module = importlib.import_module(entry.function.__module__)
    for grid in ("odd", "fine"):  # what all children need; no kernel runs before they are born
        signs(usual(entry, grid).inside.size)
    faultless = ("nothing", inspect.getsource(module))
    faults = [(m.what, m.text) for m in mutants(entry, int(count), int(seed))]
    for what, text in (faultless, *faults):
        code, words = in_child(name, module, text)
        print(json.dumps({"what": what, "code": code, "words": words}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
