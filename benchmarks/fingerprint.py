"""What a result depends on: the code of a method, without its comments and docstrings.

Sources are read once, when this module is imported: what runs is what was read, even where files
change under a long run.
"""

from __future__ import annotations

import ast
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import napari_qsm_stroke

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_qsm_stroke.core.method import Method

WITHOUT_NUMBERS = {
    "napari_qsm_stroke",
    "napari_qsm_stroke.errors",
    "napari_qsm_stroke.core.method",
    "napari_qsm_stroke.core.progress",
    "napari_qsm_stroke.core.quantities",
}
"""Modules that all others use and that change no result."""


def of_method(method: Method) -> str:
    """Fingerprint of a method with its defaults: changes with any code that it runs through."""
    defaults = sorted((p.name, repr(p.default)) for p in method.parameters)
    return digest(method.name, method.revision, defaults, of_module(method.function.__module__))


def digest(*facts: object) -> str:
    """Short text that differs where the facts differ."""
    return blake2b(repr(facts).encode(), digest_size=12).hexdigest()


@cache
def of_module(name: str) -> str:
    """Fingerprint of a module and of all modules of the package that it imports."""
    return digest(*(plain_code(SOURCES.get(module, "")) for module in sorted(closure(name))))


def closure(name: str) -> set[str]:
    """Names of a module and of all that it runs through."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module not in found and module not in WITHOUT_NUMBERS:
            found.add(module)
            waiting += _imports(module)
    return found


@cache
def plain_code(source: str) -> str:
    """Source without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


@cache
def _imports(module: str) -> tuple[str, ...]:
    return tuple(_imported(ast.parse(SOURCES.get(module, "")).body))


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    """Modules that statements import, but for those needed for types alone."""
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            continue
        for node in ast.walk(statement):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                module = name if name in SOURCES else name.rpartition(".")[0]
                if module in SOURCES:
                    yield module


def _read(package: Path) -> dict[str, str]:
    sources = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources[name] = path.read_text("utf-8")
    return sources


SOURCES = {
    name: text
    for package in (Path(napari_qsm_stroke.__file__).parent, Path(__file__).parent)
    for name, text in _read(package).items()
}
