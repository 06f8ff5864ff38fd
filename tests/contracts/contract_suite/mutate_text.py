"""Faults in the text of a method: what a slip of the pen would change, in its syntax tree."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator

Change = Callable[[ast.AST], None]
Place = tuple[int, int]

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
CONFUSED = {"min": "max", "max": "min", "sin": "cos", "cos": "sin", "any": "all", "all": "any"}
"""Names that are easily taken for each other."""
GUARD = 1e-5
"""Smaller constants only keep a division from failing."""
MORE = 1.5
"""A constant becomes this many times itself: less changes too little to matter."""


def places(source: str, rng: random.Random) -> list[Place]:
    """Every change of every node that makes a fault, the kinds of changes in turn.

    A place is the number of the node and that of the change.
    """
    kinds: dict[str, list[Place]] = {}
    for index, node in enumerate(_nodes(ast.parse(source))):
        for number, (what, _) in enumerate(_changes(node)):
            kinds.setdefault(what, []).append((index, number))
    for found in kinds.values():
        rng.shuffle(found)
    order = sorted(kinds)
    rng.shuffle(order)
    longest = max((len(found) for found in kinds.values()), default=0)
    return [kinds[kind][n] for n in range(longest) for kind in order if n < len(kinds[kind])]


def with_change(source: str, place: Place) -> tuple[str, str]:
    """What is changed, and the text with it."""
    tree = ast.parse(source)
    node = _nodes(tree)[place[0]]
    what, change = list(_changes(node))[place[1]]
    words = f"{what}: {ast.unparse(node).splitlines()[0][:70]}"
    if isinstance(node, ast.Constant):  # many are alike
        around = next(n for n in ast.walk(tree) if node in ast.iter_child_nodes(n))
        words += f" in {ast.unparse(around).splitlines()[0][:70]}"
    line = getattr(node, "lineno", 0)
    change(node)
    return f"line {line}: {words}", ast.unparse(ast.fix_missing_locations(tree))


def _nodes(tree: ast.Module) -> list[ast.AST]:
    """Nodes of the bodies of all functions, and of the numbers that the module names."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    statements = [s for f in functions for s in _statements(f)]
    statements += [s for s in tree.body if isinstance(s, ast.Assign) and _number(s.value)]
    words = {n for s in ast.walk(tree) if _only_tells(s) for n in ast.walk(s)}
    found = dict.fromkeys(n for s in statements for n in ast.walk(s))
    return [n for n in found if n not in words]


def _only_tells(node: ast.AST) -> bool:
    """Errors, and how far the work has come: no result depends on it."""
    if isinstance(node, ast.Call):
        return _name(node.func) in {"progress", "part"}
    return isinstance(node, ast.Raise)


def _statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """Body without the docstring and without errors that are raised for bad input."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return [s for s in body if not _refuses(s)]


def _refuses(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(isinstance(s, ast.Raise) for s in statement.body)


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in SWAPPED:
        yield "another operation", _exchange("op", SWAPPED)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.Add, ast.Sub)):
        yield "second part left out", _without_second
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign left out", _plus
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        yield "comparison turned round", _turn
    if isinstance(node, ast.AugAssign):
        yield "statement left out", _leave_out
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield "assignment left out", _assign_nowhere
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "one more", _one_more
    if isinstance(node, ast.Constant) and type(node.value) is float and abs(node.value) > GUARD:
        yield "another number", _larger
    if isinstance(node, (ast.Name, ast.Attribute)) and _name(node) in CONFUSED:
        yield "another function", _confuse
    if isinstance(node, ast.BoolOp):
        yield "and for or", _other_logic
    if isinstance(node, ast.Call) and _name(node.func) == "range":
        yield "one step less", _shorter


def _name(node: ast.AST) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def _exchange(name: str, table: dict[type, type]) -> Change:
    def change(node: ast.AST) -> None:
        setattr(node, name, table[type(getattr(node, name))]())

    return change


def _without_second(node: ast.AST) -> None:
    """``x * y`` becomes ``x * 1``, ``x + y`` becomes ``x + 0``."""
    assert isinstance(node, ast.BinOp)
    node.right = ast.Constant(1 if isinstance(node.op, (ast.Mult, ast.Div)) else 0)


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


def _assign_nowhere(node: ast.AST) -> None:
    """``x[i] = y`` becomes ``_nowhere = y``."""
    assert isinstance(node, ast.Assign)
    node.targets = [ast.Name("_nowhere", ast.Store())]


def _one_more(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int)
    node.value += 1


def _larger(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, float)
    node.value = MORE * node.value


def _confuse(node: ast.AST) -> None:
    if isinstance(node, ast.Name):
        node.id = CONFUSED[node.id]
    else:
        assert isinstance(node, ast.Attribute)
        node.attr = CONFUSED[node.attr]


def _other_logic(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _shorter(node: ast.AST) -> None:
    """``range(.., n)`` becomes ``range(.., n - 1)``."""
    assert isinstance(node, ast.Call)
    last = 0 if len(node.args) == 1 else 1
    node.args[last] = ast.BinOp(node.args[last], ast.Sub(), ast.Constant(1))
