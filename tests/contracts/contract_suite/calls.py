"""Which methods there are, and how they are called: the plain run of each is made once."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np

from contract_suite.scene import Scene, head
from napari_qsm_stroke import Volume, methods
from napari_qsm_stroke.core.method import METHODS, Method

NAMES = sorted(methods())
COMPUTED = [n for n in NAMES if METHODS[n].stage not in {"register"}]
"""Registration of a toy head means nothing, and takes long: only its declaration is looked at."""
RECONSTRUCTION = {"echoes", "field", "background", "inversion", "relaxation", "contrast"}
BACKGROUNDS = [n for n in NAMES if METHODS[n].stage == "background"]


def takes(entry: Method) -> set[str]:
    """Names of the quantities that a method takes."""
    return {a.source.name for a in entry.inputs}


def gives(entry: Method) -> list[str]:
    """Names of the quantities that a method gives, in their order."""
    return [q.name for q in entry.outputs]


def masked(entry: Method) -> bool:
    """Whether the method is told where the brain is."""
    return bool({"brain", "field_mask"} & takes(entry))


def making(quantity: str) -> list[str]:
    """Names of the methods that give a quantity."""
    return [n for n in COMPUTED if quantity in gives(METHODS[n])]


INVERSIONS = [
    n
    for n in NAMES
    if "susceptibility" in gives(METHODS[n])
    and "susceptibility" not in takes(METHODS[n])
    and METHODS[n].stage == "inversion"
]
FILTERS = sorted({*BACKGROUNDS, *(n for n in NAMES if METHODS[n].stage == "inversion")})


def call(entry: Method, scene: Scene, **changes: Any) -> tuple[np.ndarray, ...]:
    """Outputs as arrays, in the order of the declaration."""
    result = entry.function(**{**scene.arguments(entry), **changes})
    values = result if isinstance(result, tuple) else (result,)
    return tuple(v.data if isinstance(v, Volume) else v for v in values if v is not None)


def usual(entry: Method, grid: str = "odd") -> Scene:
    """Return the scene of the plain run: NaN lies outside the brain where a mask is given."""
    return _poisoned(grid) if masked(entry) else head(grid)


@lru_cache
def _poisoned(grid: str) -> Scene:
    return head(grid).poisoned()


@cache
def plain(entry: Method, grid: str = "odd") -> tuple[np.ndarray, ...]:
    """Outputs of a run with all defaults, made once; they cannot be written to."""
    outputs = call(entry, usual(entry, grid))
    for array in outputs:
        array.flags.writeable = False
    return outputs


def named(entry: Method, outputs: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Outputs by the name of their quantity."""
    return dict(zip(gives(entry), outputs, strict=True))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Norm of the difference relative to that of the second."""
    scale = float(np.linalg.norm(b.astype(np.complex128)))
    gap = float(np.linalg.norm(a.astype(np.complex128) - b))
    return gap / scale if scale else gap


def without_turns(found: np.ndarray, wanted: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Unwrapped phase less the whole turns that all voxels of an echo have in common."""
    turns = np.round(np.median((found - wanted)[inside], axis=0) / (2 * np.pi))
    return (found - 2 * np.pi * turns) * inside[..., None]
