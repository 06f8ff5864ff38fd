"""The contracts: what is shared lies in ``contract_suite``."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import pytest

pytest.register_assert_rewrite("contract_suite.checks", "contract_suite.physics")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """With ``--durations``: seconds of each method and of each contract, slowest first."""
    if terminalreporter.config.option.durations is None:
        return
    tables: dict[str, dict[str, float]] = {
        "method": defaultdict(float),
        "contract": defaultdict(float),
    }
    for report in terminalreporter.stats.get("passed", []):
        found = re.search(r"tests/contracts/.*::(\w+)(?:\[(\w+))?", report.nodeid)
        if found:
            tables["contract"][found[1]] += report.duration
            tables["method"][found[2] or "-"] += report.duration
    for title, seconds in tables.items():
        terminalreporter.section(f"seconds by {title}")
        for name, spent in sorted(seconds.items(), key=lambda pair: -pair[1]):
            terminalreporter.write_line(f"{spent:8.2f}  {name}")
