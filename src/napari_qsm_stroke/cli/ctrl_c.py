"""Ctrl-C: once pressed it is not forgotten.

Python raises ``KeyboardInterrupt`` wherever the program happens to be, and where that is a callback
of compiled code or a finalizer it is lost. So it is noted as well, and every report of progress
looks at the note.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_qsm_stroke.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_pressed = threading.Event()


@contextmanager
def noted() -> Iterator[None]:
    """Note Ctrl-C meanwhile; a process that was started deaf to it stays so.

    Raises
    ------
    Cancelled
        It was pressed. Takes the place of any other error, which may have come of it.
    """
    _pressed.clear()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        heed()


def heed() -> None:
    """Stop here where Ctrl-C was pressed before.

    Raises
    ------
    Cancelled
        It was.
    """
    if _pressed.is_set():
        raise Cancelled


def _note(number: int, frame: FrameType | None) -> None:
    _pressed.set()
    signal.default_int_handler(number, frame)
