"""Faults put into a method on purpose: what the contracts must find.

Faults of two kinds: those of its frame (a header ignored, the mask ignored, a result turned or
scaled, an input written to), and those of its text (a sign, a product, a number, a comparison, a
statement left out), made in the syntax tree of its module, so that any new method gets its own.
"""

from __future__ import annotations

import ast
import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from contract_suite.calls import masked
from napari_qsm_stroke.core.method import Method

AT_START = {
    "voxel_size": {
        "voxel size ignored": "voxel_size = (1.0, 1.0, 1.0)",
        "voxel size in another order": "voxel_size = tuple(voxel_size)[::-1]",
    },
    "b0_dir": {
        "B0 ignored": "b0_dir = (0.0, 0.0, 1.0)",
        "B0 in another order": "b0_dir = tuple(b0_dir)[::-1]",
        "B0 mirrored": "b0_dir = (-b0_dir[0], b0_dir[1], b0_dir[2])",
    },
    "echo_times": {
        "first echo time left out": "echo_times = (0.0, *tuple(echo_times)[1:])",
        "echo times in another order": "echo_times = tuple(echo_times)[::-1]",
        "echo times in ms": "echo_times = tuple(1000 * t for t in echo_times)",
    },
    "field_strength": {
        "another field strength": "field_strength = 1.5",
        "field strength ignored": "field_strength = 1.0",
    },
    "affine": {"affine ignored": "affine = np.eye(4)"},
}
"""Faults in the use of a header value."""

AT_END = {
    "wrong sign": "-1 * {x}",
    "without 2 pi": "{x} / np.float32(6.2831855)",
    "a third": "{x} / np.float32(3)",
    "a part in a million": "{x} * np.float32(1e-6)",
    "two per cent too much": "{x} * np.float32(1.02)",
    "a constant added": "{x} + np.float32(0.01) * np.float32(np.abs({x}).max())",
    "axes exchanged": "np.ascontiguousarray(np.swapaxes({x}, 0, 2).reshape({x}.shape))",
    "off by one voxel": "np.roll({x}, 1, 1)",
    "mirrored": "np.ascontiguousarray({x}[::-1])",
    "double precision": "{x}.astype({x}.dtype.char.upper() if {x}.dtype.kind == 'c' else 'f8')",
    "NaN let through": "{x} + 0 * {first}",
}
"""Faults of a result."""


@dataclass(frozen=True)
class Mutant:
    """One fault: what it is, and the text of the module with it."""

    what: str
    text: str


def mutants(entry: Method, count: int, seed: int = 2) -> list[Mutant]:
    """Choose faults of a method, half of its frame and half of its text."""
    source = Path(inspect.getfile(entry.function)).read_text("utf-8")
    rng = random.Random(f"{entry.name} {seed}")
    framed, places = list(_of_frame(entry)), list(_of_text(source))
    rng.shuffle(framed)
    rng.shuffle(places)
    inner = min(len(places), count // 2)
    chosen = [(what, edit(source)) for what, edit in framed[: count - inner]]
    chosen += [_with_change(source, *place) for place in places[:inner]]
    return [Mutant(what, text) for what, text in chosen]


# --- of the frame


def _of_frame(entry: Method) -> Iterator[tuple[str, Callable[[str], str]]]:
    names = {a.source.name: a.name for a in (*entry.inputs, *entry.headers)}
    starts: dict[str, str] = {}
    for header, faults in AT_START.items():
        if header in names:
            starts |= faults
    if not {"ppm", "1/s"} & {q.unit for q in entry.outputs}:
        starts.pop("echo times in ms", None)  # only their ratio counts
    for argument in entry.inputs:
        if argument.optional:
            starts[f"{argument.name} ignored"] = f"{argument.name} = None"
        if not argument.whole:
            starts[f"{argument.name} written to"] = f"{argument.name}[...] = {argument.name}[...]"
    if masked(entry):
        mask = names.get("brain") or names["field_mask"]
        starts["mask ignored"] = f"{mask} = np.ones_like({mask})"
        starts["mask moved by one voxel"] = f"{mask} = np.roll(np.asarray({mask}), 1, 0)"
    if entry.progress:
        starts["progress not told"] = f"{entry.progress} = lambda *_: None"
    for what, statement in starts.items():
        yield what, partial(_with_start, entry, statement)
    first, kind = entry.inputs[0], entry.outputs[0].kind
    for what, expression in AT_END.items():
        discrete = kind in ("mask", "labels")
        if discrete and what not in ("off by one voxel", "mirrored", "wrong sign"):
            continue
        same = not first.whole and first.source.kind == kind
        if what == "NaN let through" and not (same and masked(entry)):
            continue
        yield what, partial(_with_end, entry, expression.replace("{first}", first.name))


def _with_start(entry: Method, statement: str, source: str) -> str:
    tree = ast.parse(source)
    function = _function(tree, entry.name)
    place = 1 if ast.get_docstring(function) is not None else 0
    function.body[place:place] = ast.parse(f"import numpy as np\n{statement}").body
    return ast.unparse(tree)


def _with_end(entry: Method, expression: str, source: str) -> str:
    """The first result of every return statement goes through an expression."""
    tree = ast.parse(source)
    function = _function(tree, entry.name)
    inner = {
        n
        for f in ast.walk(function)
        if isinstance(f, ast.FunctionDef) and f is not function
        for n in ast.walk(f)
    }
    broken = (
        f"(lambda r, f: (f(r[0]), *r[1:]) if isinstance(r, tuple) else f(r))"
        f"(0, lambda x: {expression.replace('{x}', 'x')})"
    )
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None and node not in inner:
            call = ast.parse(broken, mode="eval").body
            assert isinstance(call, ast.Call)
            call.args[0] = node.value
            node.value = call
    function.body[1:1] = ast.parse("import numpy as np").body
    return ast.unparse(ast.fix_missing_locations(tree))


def _function(tree: ast.Module, name: str) -> ast.FunctionDef:
    return next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)


# --- of the text

SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.Lt,
    ast.Lt: ast.Gt,
    ast.GtE: ast.Lt,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def _of_text(source: str) -> Iterator[tuple[int, int]]:
    """Yield each node in the functions of a module, and each change of it that makes a fault."""
    for index, node in enumerate(_nodes(ast.parse(source))):
        for number, _ in enumerate(_changes(node)):
            yield index, number


def _with_change(source: str, index: int, number: int) -> tuple[str, str]:
    """What is changed, and the text with it."""
    tree = ast.parse(source)
    node = _nodes(tree)[index]
    what, change = list(_changes(node))[number]
    words = f"line {getattr(node, 'lineno', 0)}: {what}: {ast.unparse(node).splitlines()[0][:60]}"
    change(node)
    return words, ast.unparse(ast.fix_missing_locations(tree))


def _nodes(tree: ast.Module) -> list[ast.AST]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return list(dict.fromkeys(n for f in functions for s in _statements(f) for n in ast.walk(s)))


def _statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """Body without the docstring and without errors that are raised for bad input."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return [s for s in body if not _refuses(s)]


def _refuses(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(isinstance(s, ast.Raise) for s in statement.body)


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in SWAPPED:
        yield "another operation", _exchange("op", SWAPPED)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign left out", _plus
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        yield "comparison turned round", _turn
    if isinstance(node, ast.AugAssign):
        yield "statement left out", _leave_out


def _exchange(name: str, table: dict[type, type]) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        setattr(node, name, table[type(getattr(node, name))]())

    return change


def _plus(node: ast.AST) -> None:
    assert isinstance(node, ast.UnaryOp)
    node.op = ast.UAdd()


def _turn(node: ast.AST) -> None:
    assert isinstance(node, ast.Compare)
    node.ops[0] = TURNED[type(node.ops[0])]()


def _leave_out(node: ast.AST) -> None:
    """``x += y`` becomes ``x += 0`` or ``x *= 1``."""
    assert isinstance(node, ast.AugAssign)
    node.value = ast.Constant(1 if isinstance(node.op, (ast.Mult, ast.Div, ast.Pow)) else 0)
