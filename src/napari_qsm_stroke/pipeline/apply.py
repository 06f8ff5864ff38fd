"""Running one method on a case: bind, check, call, wrap, record."""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_qsm_stroke.case.provenance import Record, software
from napari_qsm_stroke.case.quality import Quality
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import Argument, Method, get_method
from napari_qsm_stroke.core.numerics.heap import give_back
from napari_qsm_stroke.core.progress import Loop, Progress, loops_noted, silent
from napari_qsm_stroke.core.quantities import Header
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.memory import check_memory, without_empty_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_qsm_stroke.case.case import Case

ITERATIONS, SETTLED = "iterations", "tolerance_reached"
"""Figures of what iterations made: their number, and 1 where the tolerance ended them, else 0."""


class Store(Protocol):
    """Keeps results by the fingerprint of all that they depend on."""

    def get(self, key: str) -> Mapping[str, Volume] | None:
        """Return the volumes kept under ``key``, or None."""

    def put(self, key: str, volumes: Mapping[str, Volume]) -> None:
        """Keep these volumes under ``key``."""


class MemoryStore:
    """The most recent results, kept in memory for one interactive session."""

    def __init__(self, limit_bytes: int = 2 * 1024**3) -> None:
        self._kept: dict[str, dict[str, Volume]] = {}
        self._limit = limit_bytes

    def get(self, key: str) -> Mapping[str, Volume] | None:
        """Return the volumes kept under ``key``, or None."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found  # most recently used last
        return found

    def put(self, key: str, volumes: Mapping[str, Volume]) -> None:
        """Keep these volumes; the least recently used go first when memory is full."""
        self._kept[key] = dict(volumes)
        while len(self._kept) > 1 and self._bytes() > self._limit:
            del self._kept[next(iter(self._kept))]

    def _bytes(self) -> int:
        return sum(v.data.nbytes for kept in self._kept.values() for v in kept.values())


def apply(
    case: Case,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress = silent,
    store: Store | None = None,
) -> Case:
    """Run one method and return the case with its outputs.

    Parameters
    ----------
    case : Case
        Is not changed.
    name : str
        Name of the method.
    parameters : mapping, optional
        Values that differ from the defaults.
    progress : Progress
        May raise ``Cancelled``.
    store : Store, optional
        Results of earlier runs; what is there is not computed again.

    Raises
    ------
    MissingError
        A quantity or header value that the method needs is not in the case.
    ParameterError
        A parameter is unknown or out of bounds.
    InputError
        The method needs more memory than is free, or maps of one grid.
    """
    methods()
    method = get_method(name)
    full = method.complete(parameters or {})
    inputs = _inputs(case, method)
    headers = {a.name: _header(case, a) for a in method.headers}
    started = time.monotonic()
    key = _key(method, full, inputs, headers)
    kept = store.get(key) if store else None
    if kept is None:
        give_back()
        check_memory(case, [method])
        progress(0.0, name)
        kept = _call(case, method, full, inputs, headers, progress)
        if store:
            store.put(key, kept)
    figures = {k: f for v in kept.values() for k, f in v.quality.figures.items()}
    notes = [v.quality.doubt for v in kept.values()] + [_iterations_note(method, full, figures)]
    record = Record(
        "run",
        name,
        parameters=full,
        inputs={k: v.digest for k, v in inputs.items() if v is not None},
        outputs={k: v.digest for k, v in kept.items()},
        revision=method.revision,
        seconds=round(time.monotonic() - started, 3),
        note=" ".join(dict.fromkeys(note for note in notes if note)),
        figures=figures,
    )
    progress(1.0, name)
    return case.with_maps(record, {k: v for k, v in kept.items() if k not in case.given})


def missing(case: Case, method: Method) -> list[str]:
    """Names of the quantities and header values that the method needs and the case lacks."""
    lacks = [
        a.source.name for a in method.inputs if not a.optional and a.source.name not in case.maps
    ]
    needs_acquisition = {"echo_times", "field_strength"}
    if case.acquisition is None:
        lacks += [
            a.source.name
            for a in method.headers
            if a.source.name in needs_acquisition and not a.optional
        ]
    return lacks


def _inputs(case: Case, method: Method) -> dict[str, Volume | None]:
    lacks = missing(case, method)
    if lacks:
        have = ", ".join(sorted(case.maps)) or "nothing"
        raise MissingError(
            case.key,
            f"{method.name} needs {', '.join(lacks)}; the case has {have}.",
            "Run the steps that make them first, or load them.",
        )
    found = {a.name: case.maps.get(a.source.name) for a in method.inputs}
    flat = [v for a in method.inputs if not a.whole and (v := found[a.name]) is not None]
    for volume in flat[1:]:
        problem = flat[0].grid.difference(volume.grid)
        if problem:
            raise InputError(
                case.key,
                f"{method.name} needs maps on one grid: {problem}.",
                "Align them first.",
            )
    return found


def _header(case: Case, argument: Argument) -> Any:
    assert isinstance(argument.source, Header)
    match argument.source.name:
        case "voxel_size":
            return case.grid.voxel_size
        case "b0_dir":
            return case.b0_dir
        case "affine":
            return case.grid.affine
        case "side":
            return case.side
    return getattr(case.acquisition, argument.source.name, None)


def _call(
    case: Case,
    method: Method,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Volume | None],
    headers: Mapping[str, Any],
    progress: Progress,
) -> dict[str, Volume]:
    arguments: dict[str, Any] = {}
    for argument in method.inputs:
        volume = inputs[argument.name]
        arguments[argument.name] = volume if argument.whole or volume is None else volume.data
    if method.progress:
        arguments[method.progress] = progress
    with loops_noted() as loops:
        result = method.function(**arguments, **headers, **parameters)
    quality = _convergence(parameters.get("max_iter"), loops)
    values = list(result) if isinstance(result, tuple) else [result]
    del result
    grid = next((v.grid for a in method.inputs if not a.whole and (v := inputs[a.name])), case.grid)
    made: dict[str, Volume] = {}
    for quantity, value in zip(method.outputs, _one_by_one(values), strict=True):
        if isinstance(value, Volume):
            made[quantity.name] = value
        elif value is not None:
            data = without_empty_pages(np.asarray(value))
            source = f"{case.key} {quantity.name}"
            made[quantity.name] = Volume(data, grid, quantity.unit, source, quality)
    return made


def _one_by_one(values: list[Any]) -> Iterator[Any]:
    """Each value in turn, which the list lets go of."""
    while values:
        yield values.pop(0)


def _convergence(most: int | None, loops: Sequence[Loop]) -> Quality:
    """How many iterations a method took, and whether its tolerance ended them.

    Of its loops those count that its ``max_iter`` ends; the last one makes the result.
    """
    counted = [loop for loop in loops if loop.most == most]
    if not counted:
        return Quality()
    return Quality({ITERATIONS: counted[-1].taken, SETTLED: int(counted[-1].settled)})


def as_many_as_usual(method: Method, parameters: Mapping[str, Any]) -> bool:
    """Tell whether a method that takes all its iterations does what it does by default.

    A default count that ends a method before its tolerance does is meant so: its accuracy was
    measured with it, and some methods lose by more.
    """
    ends = {"max_iter", "tol"}
    return all(parameters[p.name] == p.default for p in method.parameters if p.name in ends)


def _iterations_note(
    method: Method, parameters: Mapping[str, Any], figures: Mapping[str, float]
) -> str:
    if figures.get(SETTLED, 1):
        return ""
    count = figures[ITERATIONS]
    if as_many_as_usual(method, parameters):
        return f"took its usual {count:.0f} iterations"
    return f"stopped after {count:.0f} iterations, before its tolerance was reached"


def _key(
    method: Method,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Volume | None],
    headers: Mapping[str, Any],
) -> str:
    facts = (
        method.name,
        method.revision,
        software().napari_qsm_stroke,
        sorted((k, repr(v)) for k, v in parameters.items()),
        sorted((k, v.digest if v is not None else "") for k, v in inputs.items()),
        sorted((k, np.asarray(v).tolist() if v is not None else None) for k, v in headers.items()),
    )
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()
