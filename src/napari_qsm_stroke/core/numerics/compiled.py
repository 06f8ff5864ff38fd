"""Kernels compiled by numba, called one at a time.

numba's fallback threading layer (the one of a macOS wheel without OpenMP) aborts the process when
two threads enter a parallel kernel together, and a window with a worker does just that. So every
kernel called from Python goes through one lock. It is not held while a kernel is compiled: whoever
calls kernels that are ready does not wait for another thread that compiles.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])
_LOCK = threading.RLock()
prange = numba.prange
_typeof: Callable[[Any], Any] = numba.typeof

# Between kernels run transforms with threads of their own. Threads of OpenMP would keep their cores
# busy with waiting: that costs a fifth of all processor time, and slows down whoever shares them.
# Its library reads this once, when the first parallel kernel loads it.
WAITING = "OMP_WAIT_POLICY"
os.environ.setdefault(WAITING, "passive")


def kernel(*, parallel: bool = False, fastmath: bool = False) -> Callable[[F], F]:
    """Compile a function on its first call and serialise all calls to it.

    Kernels keep their compiled code on disk. A kernel cannot call another kernel: give functions
    that kernels share the decorator ``inner``.
    """

    def decorate(function: F) -> F:
        compiled = numba.njit(cache=True, nogil=True, parallel=parallel, fastmath=fastmath)(
            function
        )

        count = function.__code__.co_argcount

        @wraps(function)
        def call(*arguments: Any) -> Any:
            types = tuple(_typeof(argument) for argument in arguments)
            if len(types) == count and types not in compiled.overloads:
                compiled.compile(types)
            with _LOCK:
                return compiled(*arguments)

        return cast("F", call)

    return decorate


def inner(function: F) -> F:
    """Compile a small function that kernels call."""
    return cast("F", numba.njit(cache=True, nogil=True, inline="always")(function))


def routine(function: F) -> F:
    """Compile a function that kernels call, by itself: large bodies compile far faster so."""
    return cast("F", numba.njit(cache=True, nogil=True)(function))
