"""A child process with limits of time and memory; it dies with whoever waits for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

GIGABYTE = 1 << 30
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.005, 0.1


@dataclass(frozen=True)
class Ending:
    """How a child process ended."""

    code: int
    output: str
    """What it printed; its error stream is thrown away, for it may quote what it reads."""
    stopped_for: str = ""
    """``"time"`` or ``"memory"`` where it was stopped for that, else empty."""


def run_confined(
    command: Sequence[str],
    *,
    request: str = "",
    memory: int,
    patience: float,
    folder: Path | None = None,
    look: Callable[[int], None] = lambda _lines: None,
) -> Ending:
    """Run a program to its end or until it goes beyond a limit.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    request : str
        What it reads from its input.
    memory : int
        Bytes that it may hold.
    patience : float
        Seconds that it may go on without printing anything.
    folder : path, optional
        Its working folder.
    look : callable
        Called again and again with the number of lines printed; may raise ``Cancelled``.
    """
    with tempfile.TemporaryDirectory() as place:
        asked, output = Path(place, "request"), Path(place, "output")
        asked.write_text(request, "utf-8")
        with asked.open("rb") as source, output.open("wb") as sink, output.open("rb") as printed:
            process = psutil.Popen(
                list(command), stdin=source, stdout=sink, stderr=subprocess.DEVNULL, cwd=folder
            )
            try:
                _limit(process, memory)
                stopped_for = _watch(process, printed, memory, patience, look)
            finally:
                if process.poll() is None:
                    process.kill()
                code = process.wait()
            printed.seek(0)
            return Ending(code, printed.read().decode("utf-8", "replace"), stopped_for)


def _limit(process: psutil.Popen, memory: int) -> None:
    """Ask the system to hold the limit, where it can do so for another process."""
    if sys.platform == "linux":
        try:
            process.rlimit(psutil.RLIMIT_AS, (memory, memory))
        except psutil.Error:
            return


def _watch(
    process: psutil.Popen,
    printed: BinaryIO,
    memory: int,
    patience: float,
    look: Callable[[int], None],
) -> str:
    wait, last, lines = SHORTEST_WAIT_S, time.monotonic(), 0
    while process.poll() is None:
        time.sleep(wait)
        wait = min(1.3 * wait, LONGEST_WAIT_S)
        new = printed.read()
        if new:
            lines += new.count(b"\n")
            last = time.monotonic()
        look(lines)
        if time.monotonic() - last > patience:
            return "time"
        try:
            if process.memory_info().rss > memory:
                return "memory"
        except psutil.Error:
            continue
    return ""
