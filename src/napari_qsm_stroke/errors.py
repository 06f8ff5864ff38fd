"""Every error that this package raises on purpose.

::

    QsmStrokeError
    ├── InputError        what the user gave cannot be used (exit code 3)
    │   └── MissingError  something needed is not there
    ├── ParameterError    a parameter is unknown or out of bounds (exit code 2)
    └── Cancelled         the user stopped the run; nothing was changed

A message says what is wrong, where, what was expected and found (with units), and what to do.
"""

from __future__ import annotations


class QsmStrokeError(Exception):
    """Base of all errors raised on purpose."""


class InputError(QsmStrokeError):
    """The data given cannot be used as they are.

    Parameters
    ----------
    where : str
        The file or the quantity at fault.
    what : str
        What is wrong with it: expected and found, with units.
    remedy : str
        What the user can do about it.
    """

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what} {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy


class MissingError(InputError):
    """Something that is needed was not given."""


class ParameterError(QsmStrokeError):
    """A parameter or a method is unknown, or a value is out of its bounds."""


class Cancelled(QsmStrokeError):
    """The user stopped the run."""

    def __init__(self) -> None:
        super().__init__("Stopped by the user; nothing was changed.")
