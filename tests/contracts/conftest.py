"""The contracts: what is shared lies in ``contract_suite``."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite("contract_suite.checks", "contract_suite.physics")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the CPU seconds of a test: those of the clock depend on what else runs."""
    before = time.process_time()
    try:
        return (yield)
    finally:
        item.user_properties.append(("cpu", time.process_time() - before))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """With ``--durations``: CPU seconds of each method and of each contract, slowest first."""
    if terminalreporter.config.option.durations is None:
        return
    tables: dict[str, dict[str, float]] = {
        "method": defaultdict(float),
        "contract": defaultdict(float),
    }
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            found = re.search(r"tests/contracts/.*::(\w+)(?:\[(\w+))?", report.nodeid)
            if found:
                spent = dict(report.user_properties).get("cpu", 0.0)
                tables["contract"][found[1]] += spent
                tables["method"][found[2] or "-"] += spent
    for title, seconds in tables.items():
        terminalreporter.section(f"CPU seconds by {title}, {sum(seconds.values()):.0f} in all")
        for name, spent in sorted(seconds.items(), key=lambda pair: -pair[1]):
            terminalreporter.write_line(f"{spent:8.2f}  {name}")
