"""Writes the help of each command, from the parser itself."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from pathlib import Path


def help_page(parser: argparse.ArgumentParser) -> str:
    """Return the help of a parser and of all its commands in Markdown."""
    parts = []
    with patch.dict(os.environ, COLUMNS="88"):
        for name, command in commands(parser).items():
            text = "\n".join(line.rstrip() for line in command.format_help().splitlines())
            parts += [f"## {name}", "", "```text", text, "```", ""]
    return "\n".join(parts)


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of a parser by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def write(folder: Path) -> None:
    """Write the generated page into ``folder``."""
    from napari_qsm_stroke.cli.main import parser

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "commands.md").write_text(help_page(parser()), "utf-8")
