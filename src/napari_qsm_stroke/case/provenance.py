"""What was done to a case: one record a step, hand edits included."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

INTENDED_USE = (
    "Research use only. Not a medical device. "
    "Check side, masks and quality notes before using numbers."
)


@dataclass(frozen=True)
class Record:
    """One step of the history.

    ``action`` is ``"load"``, ``"run"``, ``"skip"`` or ``"edit"``; ``what`` names the method or the
    quantity. Inputs and outputs map quantities to the digests of their volumes, ``figures`` what
    the method measured of its own result.
    """

    action: str
    what: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    seconds: float = 0.0
    note: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("parameters", "inputs", "outputs", "figures"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in plain.items()}


@dataclass(frozen=True)
class Software:
    """Versions that the numbers depend on."""

    napari_qsm_stroke: str
    numpy: str
    scipy: str
    numba: str
    SimpleITK: str
    python: str

    def as_dict(self) -> dict[str, str]:
        """Return plain values for JSON."""
        return asdict(self)


@lru_cache(maxsize=1)
def software() -> Software:
    """Return the versions in use."""

    def known(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "unknown"

    return Software(
        napari_qsm_stroke=known("napari-qsm-stroke"),
        numpy=known("numpy"),
        scipy=known("scipy"),
        numba=known("numba"),
        SimpleITK=known("SimpleITK"),
        python=platform.python_version(),
    )
