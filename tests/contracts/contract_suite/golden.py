"""Golden numbers: a few numbers that tell a result from any other, tied to a revision.

A result is projected on a few fixed patterns of random signs. Two results that differ by more than
three times the tolerance, wherever and however, differ in one of the projections, but for one case
in a thousand. The runs are: all defaults; few iterations on fine voxels with a hole in the brain
and bad data; many veins; one echo; the same echoes said to have come at other times; every number
set to another value, without what is optional; few iterations under a strong penalty; large
tolerances; all that can be 0 set to 0; and every other choice of a parameter. The defaults are kept
too: another number of iterations shows only where a method does not end before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from contract_suite.calls import call, gives, plain
from contract_suite.checks import others
from contract_suite.scene import head, many_veins, rough_head
from napari_qsm_stroke.core.method import Method, Parameter
from napari_qsm_stroke.errors import InputError

FOLDER = Path(__file__).parents[1] / "golden"
PROJECTIONS = 6
TOLERANCE = 1e-3
"""Of the norm of the result."""
FEW, FEWEST = 4, 2
"""Most iterations of a run that is not that of the defaults, and on a bad scan, where some methods
end after five."""
TINY, STRONG = 1e-9, 100
"""A tolerance that is not reached, and how many times stronger a penalty is in such a run."""
LATE = (0.021, 0.030, 0.055)
"""Echo times in s of a run: at unequal distances, and the first one is the usual echo of 3 T."""
WRAPPED = {"phase", "phase_offset"}
"""Quantities that are the same a turn further."""
COMMAND = "python tests/contracts/refresh_golden.py"

Numbers = dict[str, list[float] | str]


@dataclass(frozen=True)
class Golden:
    """Numbers of one method and the revision that they were made with."""

    revision: int
    numbers: Numbers

    @classmethod
    def of(cls, entry: Method) -> Golden:
        """Run the method."""
        return cls(entry.revision, numbers_of(entry))

    @classmethod
    def kept(cls, name: str) -> Golden | None:
        """Read what is kept; None where there is nothing."""
        path = FOLDER / f"{name}.json"
        if not path.is_file():
            return None
        table = json.loads(path.read_text("utf-8"))
        return cls(table["revision"], table["numbers"])

    def keep(self, name: str) -> None:
        """Write it down."""
        FOLDER.mkdir(exist_ok=True)
        rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in self.numbers.items())
        text = f'{{"revision": {self.revision}, "numbers": {{\n{rows}\n}}}}\n'
        (FOLDER / f"{name}.json").write_text(text, "utf-8")

    def same_runs(self, other: Golden) -> bool:
        """Whether both are of the same runs: a new parameter or choice makes new ones."""
        return self.numbers.keys() == other.numbers.keys()

    def differences(self, other: Golden) -> list[str]:
        """Say where the numbers of the same runs are not the same."""
        shared = sorted(self.numbers.keys() & other.numbers.keys())
        found = [_difference(key, self.numbers[key], other.numbers[key]) for key in shared]
        return [words for words in found if words]


def _difference(key: str, mine: list[float] | str, theirs: list[float] | str) -> str:
    if isinstance(mine, str) or isinstance(theirs, str):
        return "" if mine == theirs else f"{key}: {mine!r} became {theirs!r}"
    scale = max(abs(mine[0]), 1e-12)
    gap = float(np.abs(np.subtract(mine, theirs)).max()) / scale
    return "" if gap <= TOLERANCE else f"{key}: by {100 * gap:.2g} % of its norm"


def first_difference(entry: Method) -> str:
    """Say where the numbers of a method first differ from those kept; no run after that is made."""
    kept = Golden.kept(entry.name)
    assert kept is not None, entry.name
    for key, now in runs_of(entry):
        words = _difference(key, kept.numbers[key], now)
        if words:
            return words
    return ""


def numbers_of(entry: Method) -> Numbers:
    """Norm and projections of every output of every run."""
    return dict(runs_of(entry))


def runs_of(entry: Method) -> Iterator[tuple[str, list[float] | str]]:
    """Yield the numbers run by run."""

    def numbers(run: str, outputs: tuple[np.ndarray, ...]) -> Iterator[tuple[str, list[float]]]:
        for quantity, array in zip(entry.outputs, outputs, strict=True):
            # half a turn is +pi on one processor and -pi on another
            kept = np.exp(1j * array) if quantity.name in WRAPPED else array
            yield f"{run} {quantity.name}", fingerprint(kept)

    yield "defaults", "; ".join(f"{p.name}={p.default!r} {p.unit}" for p in entry.parameters)
    yield from numbers("default", plain(entry))
    few = _few(entry, FEWEST)
    bad = f"bad scan, {FEWEST} steps" if few else "bad scan"
    yield from numbers(bad, call(entry, rough_head(), **few))
    if "veins" in gives(entry):
        yield from numbers("many veins", call(entry, many_veins()))
    for run, values in _other_runs(entry).items():
        scene = {"one echo": head().first_echo, "other numbers": rough_head}.get(run, head)()
        changes = dict(values)
        if run == "other numbers":
            changes |= {a.name: None for a in (*entry.inputs, *entry.headers) if a.optional}
        try:
            yield from numbers(run, call(entry, scene, **changes))
        except InputError as error:
            yield run, type(error).__name__


def _few(entry: Method, most: int = FEW) -> dict[str, Any]:
    """Few iterations.

    On a bad scan what is left goes up and down, and rounding alone decides at which iteration it
    first falls below the tolerance.
    """
    return {
        p.name: min(most, p.default)
        for p in entry.parameters
        if p.name in {"max_iter", "iterations"}
    }


def _other_runs(entry: Method) -> dict[str, dict[str, Any]]:
    few = _few(entry)
    other = others(entry)
    runs: dict[str, dict[str, Any]] = {}
    if any(a.source.kind == "echoes" for a in entry.inputs):
        runs["one echo"] = dict(few)
    times = next((a.name for a in entry.headers if a.source.name == "echo_times"), None)
    if times:
        runs["uneven echoes"] = {times: LATE, **few}
    numbers = [p for p in entry.parameters if p.type in (int, float)]
    numeric = {p.name: other[p.name] for p in numbers}
    if numeric or any(a.optional for a in entry.inputs):
        runs["other numbers"] = {**numeric, **few}
    if few:
        runs[f"{FEWEST} steps, strong"] = {**_few(entry, FEWEST), **_strict_and_strong(numbers)}
    loose = {p.name: min(10 * p.default, 0.5) for p in numbers if p.name.endswith("tol")}
    if loose:
        runs["loose"] = dict(loose)
    off = [p.name for p in numbers if p.minimum == 0 != p.default and not p.open_minimum]
    if off:
        runs["off"] = {**dict.fromkeys(off, 0), **few}
    for parameter in entry.parameters:
        values = parameter.choices or ((False, True) if parameter.type is bool else ())
        for value in values:
            if value != parameter.default:
                runs[f"{parameter.name}={value}"] = {**few, parameter.name: value}
    return runs


def _strict_and_strong(numbers: list[Parameter]) -> dict[str, Any]:
    """No end before the last step, and a penalty that is felt."""
    strict = {p.name: TINY for p in numbers if p.name.endswith("tol")}
    penalties = [p for p in numbers if p.name.startswith("regularisation")]
    return strict | {p.name: min(STRONG * p.default, p.maximum or math.inf) for p in penalties}


def fingerprint(array: np.ndarray) -> list[float]:
    """Norm of an array and its products with patterns of random signs of unit size."""
    flat = array.ravel()
    if np.iscomplexobj(flat):
        flat = np.concatenate([flat.real, flat.imag])
    values = flat.astype(np.float64)
    found = [float(np.linalg.norm(values)), *(signs(values.size) @ values).tolist()]
    return [float(f"{v:.6g}") for v in found]


@cache
def signs(size: int) -> np.ndarray:
    """Patterns of +1 and -1, the same for ever."""
    bits = np.random.PCG64(96).random_raw(PROJECTIONS * size) >> np.uint64(63)
    return (2.0 * bits - 1.0).astype(np.int8).reshape(PROJECTIONS, size)


def refresh(entry: Method) -> tuple[bool, str]:
    """Keep the present numbers of a method, unless they changed and its revision did not.

    Returns
    -------
    fine : bool
        False where it was refused.
    sentence : str
        What happened.
    """
    kept, now = Golden.kept(entry.name), Golden.of(entry)
    if kept is not None:
        changed = kept.differences(now)
        if not changed and kept.same_runs(now) and kept.revision == now.revision:
            return True, f"{entry.name}: as before"
        if changed and now.revision <= kept.revision:
            wanted = kept.revision + 1
            return False, (
                f"{entry.name}: refused. Its numbers changed ({'; '.join(changed)}) and its "
                f"revision did not: write @method(..., revision={wanted})."
            )
    now.keep(entry.name)
    return True, f"{entry.name}: kept for revision {now.revision}"


def unlike(entry: Method) -> str:
    """Say what is wrong with the golden numbers of a method, and what to do; empty if nothing."""
    kept = Golden.kept(entry.name)
    command = f"{COMMAND} {entry.name}"
    if kept is None:
        return f"{entry.name} has no golden numbers. Run: {command}"
    now = Golden.of(entry)
    changed = kept.differences(now)
    if changed and now.revision <= kept.revision:
        return (
            f"The numbers of {entry.name} changed: {'; '.join(changed)}. Where that is meant, "
            f"write @method(..., revision={kept.revision + 1}) and run: {command}"
        )
    if changed or now.revision != kept.revision:
        return (
            f"{entry.name} is of revision {now.revision}, its golden numbers of {kept.revision}. "
            f"Run: {command}"
        )
    if not kept.same_runs(now):
        return f"{entry.name} has other runs than its golden numbers. Run: {command}"
    return ""
