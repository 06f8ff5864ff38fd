"""Writes the page of all methods from the methods themselves, each time the docs are built."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from measured_tables import costs, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from measured_tables import Record

    from napari_qsm_stroke.core.method import Method, Parameter

STAGES = {
    "echoes": "Phase offset of the raw echoes",
    "field": "Echoes to total field",
    "background": "Total field to local field",
    "inversion": "Local field to susceptibility",
    "relaxation": "Relaxation",
    "contrast": "Contrasts",
    "masks": "Masks",
    "register": "Registration",
}


def methods_page(methods: Mapping[str, Method], speed: Record | None = None) -> str:
    """Return the page in Markdown: a table for each stage, then each method in full.

    ``speed`` is what the benchmark measured of time and memory.
    """
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
            "| Method | Takes | Gives | Takes of time and memory | |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(method, speed) for method in members]
        for method in members:
            lines += ["", *_details(method)]
        lines.append("")
    return "\n".join(lines) + "\n"


INTRODUCTION = (
    "Made from the methods of this version when the page was built. "
    "`qsm-stroke methods NAME` prints the same; `--set METHOD.PARAMETER=VALUE` changes a value. "
    "Times are in transform pairs and memory in volumes, as [measured](../speed.md); a method is "
    "recommended where the [measured](../accuracy.md) error of the core's change is small."
)


def _row(method: Method, speed: Record | None) -> str:
    takes = ", ".join(a.source.name + (" (if there)" if a.optional else "") for a in method.inputs)
    gives = ", ".join(q.name for q in method.outputs)
    caution = f" **Not recommended here: {cell(method.caution)}.**" if method.caution else ""
    spent = costs(speed, method.name)
    return (
        f"| `{method.name}` | {cell(takes)} | {cell(gives)} | {spent} "
        f"| {cell(method.summary)}{caution} |"
    )


def _details(method: Method) -> list[str]:
    links = ", ".join(f"[doi:{doi}](https://doi.org/{doi})" for doi in method.cite)
    lines = [f"### {method.name}", "", cell(method.summary)]
    if method.notes:
        lines += ["", cell(method.notes)]
    if links:
        lines += ["", f"Source: {links}"]
    if method.bias is not None:
        lines += ["", f"Measured: {cell(method.bias.words())}."]
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


def write(folder: Path, measured: Path) -> None:
    """Write the generated page into ``folder``, with what lies in the folder ``measured``."""
    from napari_qsm_stroke import methods

    folder.mkdir(parents=True, exist_ok=True)
    page = methods_page(methods(), read(measured).get("speed"))
    (folder / "methods.md").write_text(page, "utf-8")
