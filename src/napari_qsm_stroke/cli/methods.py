"""``qsm-stroke methods``: every method with its parameters, units, bounds and references."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from napari_qsm_stroke.core.method import Method, Parameter

HELP = "list the methods, or show one with its parameters, units, bounds and references"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("name", metavar="NAME", nargs="?", help="one method, in full")
    command.add_argument("--json", action="store_true", help="print JSON")


def execute(arguments: argparse.Namespace) -> int:
    """Print all methods, or one."""
    from napari_qsm_stroke.cli.console import output
    from napari_qsm_stroke.core.method import get_method
    from napari_qsm_stroke.pipeline.discovery import methods

    known = methods()
    chosen = [get_method(arguments.name)] if arguments.name else list(known.values())
    chosen.sort(key=lambda method: (method.stage, method.name))
    if arguments.json:
        facts = [as_dict(method) for method in chosen]
        print(json.dumps(facts[0] if arguments.name else facts, indent=2, ensure_ascii=False))
    elif arguments.name:
        output().print(_in_full(chosen[0]))
    else:
        output().print(_table(chosen))
    return 0


def as_dict(method: Method) -> dict[str, Any]:
    """Return all that is known of a method as plain values."""
    return {
        "name": method.name,
        "stage": method.stage,
        "summary": method.summary,
        "takes": [a.source.name for a in (*method.inputs, *method.headers)],
        "gives": [{"name": q.name, "unit": q.unit} for q in method.outputs],
        "recommended": method.recommended,
        "caution": method.caution,
        "bias_points": None if method.bias is None else list(method.bias.points),
        "linear": method.linear,
        "revision": method.revision,
        "memory_volumes": method.memory,
        "references": [f"https://doi.org/{doi}" for doi in method.cite],
        "parameters": [
            {
                "name": p.name,
                "type": p.type.__name__,
                "default": p.default,
                "unit": p.unit,
                "bounds": p.bounds(),
                "description": p.description,
            }
            for p in method.parameters
        ],
    }


def _table(chosen: list[Method]) -> Any:
    from rich.table import Table

    table = Table("Stage", "Method", "Gives", "What it does", show_lines=False)
    for method in chosen:
        gives = ", ".join(q.name for q in method.outputs)
        note = f" (not recommended for this study: {method.caution})" if method.caution else ""
        table.add_row(method.stage, method.name, gives, method.summary + note)
    return table


def _in_full(method: Method) -> Any:
    from rich.console import Group
    from rich.table import Table

    lines = [
        f"{method.name} ({method.stage}): {method.summary}",
        f"takes: {', '.join(a.source.name for a in (*method.inputs, *method.headers))}",
        f"gives: {', '.join(_with_unit(q.name, q.unit) for q in method.outputs)}",
    ]
    if method.memory is not None:
        lines.append(f"memory: {method.memory_words}")
    if method.caution:
        lines.append(f"not recommended for this study: {method.caution}")
    elif method.bias is not None:
        lines.append(f"bias: {method.bias.words()}")
    lines += [f"reference: https://doi.org/{doi}" for doi in method.cite]
    table = Table("Parameter", "Default", "Unit", "Bounds", "Meaning")
    for parameter in method.parameters:
        table.add_row(*_cells(parameter))
    return Group(*lines, *([method.notes] if method.notes else []), table)


def _with_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _cells(parameter: Parameter) -> tuple[str, str, str, str, str]:
    return (
        parameter.name,
        str(parameter.default),
        parameter.unit,
        parameter.bounds(),
        parameter.description,
    )
