"""Faults put into a method on purpose: what the contracts must find.

Faults of two kinds: those of its frame (a header, a parameter or the mask ignored, a result turned
or scaled, an input written to), and those of its text (see ``mutate_text``). Both are made in the
syntax tree of its module, so that any new method gets its own.
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
from contract_suite.equivalent import EQUIVALENT
from contract_suite.mutate_text import places, with_change
from napari_qsm_stroke.core.method import Method

AT_START = {
    "voxel_size": {
        "voxel size ignored": "voxel_size = (1.0, 1.0, 1.0)",
        "voxel size in another order": "voxel_size = tuple(voxel_size)[::-1]",
        "first two voxel sizes exchanged": (
            "voxel_size = (voxel_size[1], voxel_size[0], voxel_size[2])"
        ),
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
        "echo times from zero": "echo_times = tuple(t - echo_times[0] for t in echo_times)",
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
    "off by one slice": "np.roll({x}, -1, 2)",
    "last slice lost": "{x} * (np.arange({x}.shape[2]) < {x}.shape[2] // 2)"
    ".reshape((1, 1, -1) + (1,) * ({x}.ndim - 3)).astype({x}.dtype)",
    "mirrored": "np.ascontiguousarray({x}[::-1])",
    "double precision": "{x}.astype({x}.dtype.char.upper() if {x}.dtype.kind == 'c' else 'f8')",
    "NaN let through": "{x} + 0 * {first}",
}
"""Faults of a result."""
OF_MASKS = ("off by one voxel", "off by one slice", "last slice lost", "mirrored", "wrong sign")


@dataclass(frozen=True)
class Mutant:
    """One fault: what it is, and the text of the module with it."""

    what: str
    text: str


def mutants(entry: Method, count: int, seed: int = 2) -> list[Mutant]:
    """Choose faults of a method, half of its frame and half of its text.

    A change that changes nothing (see ``equivalent``) is none: another one takes its place.
    """
    source = Path(inspect.getfile(entry.function)).read_text("utf-8")
    rng = random.Random(f"{entry.name} {seed}")
    none = EQUIVALENT.get(entry.name, {})
    framed = [fault for fault in _of_frame(entry) if fault[0] not in none]
    rng.shuffle(framed)
    inner = (with_change(source, place) for place in places(source, rng))
    texts = [Mutant(what, text) for what, text in inner if what.partition(": ")[2] not in none]
    half = min(len(texts), max(count // 2, count - len(framed)))
    chosen = [Mutant(what, edit(source)) for what, edit in framed[: count - half]]
    return chosen + texts[:half]


def offered(entry: Method) -> set[str]:
    """What all faults of a method are called, also those that change nothing."""
    source = Path(inspect.getfile(entry.function)).read_text("utf-8")
    inner = {with_change(source, p)[0].partition(": ")[2] for p in places(source, random.Random(0))}
    return inner | {what for what, _ in _of_frame(entry)}


def _of_frame(entry: Method) -> Iterator[tuple[str, Callable[[str], str]]]:
    for what, statement in _starts(entry).items():
        yield what, partial(_with_start, entry, statement)
    first = entry.inputs[0]
    for number, quantity in enumerate(entry.outputs):
        for what, expression in AT_END.items():
            if quantity.kind in ("mask", "labels") and what not in OF_MASKS:
                continue
            same = not first.whole and first.source.kind == quantity.kind
            if what == "NaN let through" and not (same and masked(entry)):
                continue
            words = f"{quantity.name}: {what}"
            broken = expression.replace("{first}", first.name)
            yield words, partial(_with_end, entry, number, broken)


def _starts(entry: Method) -> dict[str, str]:
    """Statements that break a method where they come first in it."""
    names = {a.source.name: a.name for a in (*entry.inputs, *entry.headers)}
    starts: dict[str, str] = {}
    for header, faults in AT_START.items():
        if header in names:
            starts |= faults
    if not {"ppm", "1/s"} & {q.unit for q in entry.outputs}:
        starts.pop("echo times in ms", None)  # only their ratio counts
    for parameter in entry.parameters:
        starts[f"{parameter.name} ignored"] = f"{parameter.name} = {parameter.default!r}"
        if parameter.name == "max_iter":
            starts["half of the steps"] = "max_iter = max(1, max_iter // 2)"
            starts["one step more"] = "max_iter = max_iter + 1"
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
    return starts


def _with_start(entry: Method, statement: str, source: str) -> str:
    tree = ast.parse(source)
    function = _function(tree, entry.name)
    place = 1 if ast.get_docstring(function) is not None else 0
    function.body[place:place] = ast.parse(f"import numpy as np\n{statement}").body
    return ast.unparse(tree)


def _with_end(entry: Method, number: int, expression: str, source: str) -> str:
    """One result of every return statement goes through an expression."""
    tree = ast.parse(source)
    function = _function(tree, entry.name)
    inner = {
        n
        for f in ast.walk(function)
        if isinstance(f, ast.FunctionDef) and f is not function
        for n in ast.walk(f)
    }
    broken = (
        f"(lambda r, f: (*r[:{number}], f(r[{number}]), *r[{number + 1}:]) "
        "if isinstance(r, tuple) else f(r))"
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
