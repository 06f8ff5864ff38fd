"""The documentation follows the code."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from napari_qsm_stroke import methods
from napari_qsm_stroke.cli.main import parser
from napari_qsm_stroke.core.method import forget, method
from napari_qsm_stroke.core.quantities import LocalField, Susceptibility

ROOT = Path(__file__).parents[2]


def page_maker(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_method_is_in_the_table_with_its_parameters() -> None:
    page = page_maker("methods_table").methods_page(methods())
    for entry in methods().values():
        assert f"| `{entry.name}` |" in page
        assert f"### {entry.name}" in page
        for parameter in entry.parameters:
            assert f"| `{parameter.name}` |" in page
        for doi in entry.cite:
            assert f"https://doi.org/{doi}" in page


def test_a_new_method_appears_by_itself() -> None:
    @method(cite="10.1000/new", recommended=False)
    def brand_new(local_field: LocalField, *, strength: float = 0.25) -> Susceptibility:
        """Do a | new * thing.

        Parameters
        ----------
        strength : float
            How much.
        """
        return local_field * strength

    try:
        page = page_maker("methods_table").methods_page(methods())
    finally:
        forget("brand_new")
    assert "| `brand_new` | local\\_field | susceptibility |  | Do a \\| new \\* thing." in page
    assert "Not recommended here" in page
    assert "| `strength` | 0.25 |" in page


def test_every_command_is_in_its_page() -> None:
    maker = page_maker("command_help")
    page = maker.help_page(parser())
    for name, command in maker.commands(parser()).items():
        assert f"## {name}" in page
        for action in command._actions:
            for option in action.option_strings:
                assert option in page


def test_readme_and_pages_name_only_commands_that_exist() -> None:
    known = set(page_maker("command_help").commands(parser()))
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for verb in re.findall(r"^\s*qsm-stroke (\w+)", path.read_text("utf-8"), flags=re.M):
            assert verb in known, f"{path.name}: {verb}"


def test_citation_and_package_agree() -> None:
    import napari_qsm_stroke

    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {napari_qsm_stroke.__version__}\n" in text
    assert "10.1038/s41598-021-95265-3" in text


def test_pages_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("myst_parser", reason="needs the extra docs")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", str(ROOT / "docs"), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "generated" / "methods.html").read_text("utf-8")
    assert "tkd" in page
