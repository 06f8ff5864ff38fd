"""What importing costs, and what it must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "napari_qsm_stroke"


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_qsm_stroke",
        "from napari_qsm_stroke import Case, Volume, Grid, Acquisition, Recipe, load, run, methods",
    ],
)
def test_importing_loads_no_window_and_no_plots(statement: str) -> None:
    code = (
        f"import sys; {statement}; "
        "print([m for m in ('qtpy', 'napari', 'matplotlib', 'PyQt6', 'vispy') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_qt_only_through_qtpy() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert not name.startswith(("PyQt", "PySide")), f"{path} imports {name}"


def test_no_lint_exceptions() -> None:
    """Lint, types and layers hold without exceptions."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text("utf-8")
        for excuse in ("# noqa", "# type: ignore"):
            assert excuse not in text, f"{path} holds {excuse}"
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert not [c for c in config["tool"]["importlinter"]["contracts"] if "ignore_imports" in c]


def test_base_install_brings_no_qt_binding() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    base = " ".join(config["project"]["dependencies"]).lower()
    assert "pyqt" not in base
    assert "pyside" not in base
    assert "napari>=" in base
    assert "napari[" not in base


def test_top_level_manifest_is_the_one_in_the_package() -> None:
    link = ROOT / "napari.yaml"
    assert link.read_bytes() == (SOURCE / "napari.yaml").read_bytes()


def test_no_module_is_too_long() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in SOURCE.rglob("*.py")
        if (n := len(p.read_text("utf-8").splitlines())) > 400
    }
    assert not long


def test_no_unsafe_deserialisation() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {a.name for a in node.names} | {getattr(node, "module", None)}
                assert "pickle" not in names, path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), path
                assert node.value.value is False, path
