"""Memory that was freed and that the C library keeps: given back before the next large array."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Hand freed memory back to the system, where the C library can.

    Arrays of up to 32 MB are cut from one heap, which shrinks at its end alone: what was freed in
    its middle stays with the process, too small for the next large array.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
