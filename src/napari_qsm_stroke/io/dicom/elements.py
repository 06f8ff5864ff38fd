"""Values of DICOM elements: within bounds, or nothing. For the child process that reads."""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

if TYPE_CHECKING:
    from pydicom import Dataset

BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on damaged files (found by fuzzing)."""


def _value(group: Dataset, name: str) -> Any:
    try:
        return group.get(name)
    except BROKEN:
        return None


def text(group: Dataset, name: str) -> str:
    """Return a value as text; several are joined by backslashes."""
    value = _value(group, name)
    if isinstance(value, MultiValue):
        value = "\\".join(str(v) for v in value)
    return "" if value is None else str(value).strip()


def texts(group: Dataset, name: str) -> list[str]:
    """Return the words of a value of several, in capitals."""
    return [word.strip().upper() for word in text(group, name).split("\\") if word.strip()]


def numbers(group: Dataset, name: str, length: int) -> list[float] | None:
    """Return exactly ``length`` finite numbers, or None."""
    value = _value(group, name)
    try:
        found = [float(v) for v in value] if isinstance(value, MultiValue) else [float(value)]
    except BROKEN:
        return None
    fit = len(found) == length and all(math.isfinite(v) and abs(v) < 1e6 for v in found)
    return found if fit else None


def number(group: Dataset, name: str, low: float, high: float) -> float | None:
    """Return the first number of a value where it lies within the bounds, or None."""
    value = _value(group, name)
    return _within(value[0] if isinstance(value, MultiValue) and value else value, low, high)


def whole(group: Dataset, name: str, low: int, high: int) -> int | None:
    """Return a whole number within the bounds, or None."""
    value = number(group, name, low, high)
    return None if value is None or value != int(value) else int(value)


def _within(value: Any, low: float, high: float) -> float | None:
    try:
        number = float(value)
    except BROKEN:
        return None
    return number if low <= number <= high else None


def _private(group: Dataset, tag: int) -> Any:
    try:
        element = group.get(pydicom.tag.Tag(tag))
        return None if element is None else element.value
    except BROKEN:
        return None


def private_number(group: Dataset, tag: int) -> float | None:
    """Return the first number of a private element, also where its type was lost."""
    value = _private(group, tag)
    if isinstance(value, bytes):
        digits = value.split(b"\\")[0].strip(b"\0 ")
        if digits.isdigit() and len(value) != 2:
            value = digits.decode("ascii")
        else:
            value = int.from_bytes(value[:2], "little")
    elif isinstance(value, MultiValue) and value:
        value = value[0]
    return _within(value, 0, 1e12)


def private_text(group: Dataset, tag: int) -> str:
    """Return a private element as text in capitals."""
    value = _private(group, tag)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, MultiValue):
        value = "\\".join(str(v) for v in value)
    return "" if value is None else str(value).strip("\0 ").upper()


def one_of(said: str, *known: str) -> str:
    """Return the text where it is one of the known ones, else an empty text."""
    return said if said in known else ""
