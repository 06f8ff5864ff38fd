"""Writes the page of all methods from the methods themselves, each time the docs are built."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_qsm_stroke.core.method import Method, Parameter

STAGES = {
    "echoes": "Raw echoes to signal",
    "field": "Signal to total field",
    "background": "Total field to local field",
    "inversion": "Local field to susceptibility",
    "relaxation": "Relaxation",
    "contrast": "Contrasts",
    "masks": "Masks",
    "register": "Registration",
}


def methods_page(methods: Mapping[str, Method]) -> str:
    """Return the page in Markdown: a table for each stage, then each method in full."""
    lines = ["# Methods", "", INTRODUCTION, ""]
    order = list(STAGES)

    def place(method: Method) -> tuple[int, str, str]:
        stage = method.stage
        return (order.index(stage) if stage in STAGES else len(order), stage, method.name)

    for stage, group in groupby(sorted(methods.values(), key=place), key=lambda m: m.stage):
        members = list(group)
        lines += [
            f"## {STAGES.get(stage, stage)}",
            "",
            "| Method | Takes | Gives | |",
            "|---|---|---|---|",
        ]
        lines += [_row(method) for method in members]
        for method in members:
            lines += ["", *_details(method)]
        lines.append("")
    return "\n".join(lines) + "\n"


INTRODUCTION = (
    "Made from the methods of this version when the page was built. "
    "`qsm-stroke methods NAME` prints the same; `--set METHOD.PARAMETER=VALUE` changes a parameter."
)


def _row(method: Method) -> str:
    takes = ", ".join(a.source.name + (" (if there)" if a.optional else "") for a in method.inputs)
    gives = ", ".join(q.name for q in method.outputs)
    warning = "" if method.recommended else " **Not recommended here: its bias is too large.**"
    return f"| `{method.name}` | {cell(takes)} | {cell(gives)} | {cell(method.summary)}{warning} |"


def _details(method: Method) -> list[str]:
    links = ", ".join(f"[doi:{doi}](https://doi.org/{doi})" for doi in method.cite)
    lines = [f"### {method.name}", "", cell(method.summary)]
    if method.notes:
        lines += ["", cell(method.notes)]
    if links:
        lines += ["", f"Source: {links}"]
    if method.memory is not None:
        lines += ["", f"Memory: {method.memory_words}."]
    if method.parameters:
        lines += ["", "| Parameter | Default | Unit | Bounds | |", "|---|---|---|---|---|"]
        lines += [_parameter(p) for p in method.parameters]
    return lines


def _parameter(parameter: Parameter) -> str:
    return (
        f"| `{parameter.name}` | {cell(str(parameter.default))} | {cell(parameter.unit)} "
        f"| {cell(parameter.bounds())} | {cell(parameter.description)} |"
    )


def cell(text: str) -> str:
    """Return text that Markdown shows as it is, in a table too."""
    plain = " ".join(text.replace("``", "`").split())
    return "".join(f"\\{c}" if c in "|*_<>[]$" else c for c in plain)


def write(folder: Path) -> None:
    """Write the generated pages into ``folder``."""
    from napari_qsm_stroke import methods

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "methods.md").write_text(methods_page(methods()), "utf-8")
