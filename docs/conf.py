"""Sphinx: pages of methods and commands and tables of what was measured are made by each build."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

project = "napari-qsm-stroke"
author = "napari-qsm-stroke developers"
copyright = "napari-qsm-stroke developers, BSD-3-Clause"
version = release = installed("napari-qsm-stroke")
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "generated/commands.md", "generated/measured"]
html_theme = "alabaster"
html_theme_options = {
    "description": "QSM of ischemic stroke. Research use only, not a medical device.",
    "fixed_sidebar": True,
    "page_width": "1100px",
}
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Write the generated pages before Sphinx reads the sources."""
    import command_help
    import measured_tables
    import methods_table

    generated, measured = Path(app.srcdir) / "generated", Path(app.srcdir) / "measured"
    app.connect(
        "builder-inited", lambda _app: measured_tables.write(measured, generated / "measured")
    )
    app.connect("builder-inited", lambda _app: methods_table.write(generated, measured))
    app.connect("builder-inited", lambda _app: command_help.write(generated))
