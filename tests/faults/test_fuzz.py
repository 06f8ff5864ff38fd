"""Damaged NIfTI files are refused with a sentence or are valid; no hang, crash or flood."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.fault_suite.corrupt import attack

ROOT = Path(__file__).parents[2]
FULL = 5000
IN_A_CHILD = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("error")
from tests.faults.fault_suite.corrupt import attack, original
original(Path(sys.argv[1]))  # all modules are loaded before memory is limited
try:
    import resource
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)
except (ImportError, OSError):
    pass  # no such limit on this system
print(json.dumps(attack(Path(sys.argv[1]), range(int(sys.argv[2]), int(sys.argv[3])))))
"""


def test_a_sample_of_the_damage(tmp_path: Path):
    came = attack(tmp_path, range(390))
    assert came.total() == 390
    assert came["refused"] > 200
    assert came["other"] > 10


@pytest.mark.long
def test_five_thousand_damaged_files_in_little_memory(tmp_path: Path):
    line = [sys.executable, "-c", IN_A_CHILD, str(tmp_path), "0", str(FULL)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    came = json.loads(done.stdout)
    assert sum(came.values()) == FULL
    assert came["refused"] > 0.4 * FULL
