"""Stacks to acquisitions: which magnitude and phase belong together, and what is left out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.io.dicom.kinds import (
    ADC,
    DIFFUSION,
    FIELD_MAP,
    GRADIENT_ECHO,
    PHASE_DIFFERENCE,
    STRUCTURAL,
    Kind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_qsm_stroke.io.dicom.stacks import Stack

SAME_MM, SAME_MS = 0.1, 0.05


@dataclass(frozen=True)
class LeftOut:
    """A series that is not imported, and why."""

    series: int | None
    images: int
    kind: Kind


@dataclass(frozen=True)
class GradientEcho:
    """The echoes of one gradient echo in order; each is magnitude and phase, or real and imaginary.

    ``magnitude`` may be empty where ``real`` and ``imaginary`` are given.
    """

    magnitude: tuple[Stack, ...]
    phase: tuple[Stack, ...] = ()
    real: tuple[Stack, ...] = ()
    imaginary: tuple[Stack, ...] = ()

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """All that it is made of."""
        return (*self.magnitude, *self.phase, *self.real, *self.imaginary)

    @property
    def echoes(self) -> tuple[Stack, ...]:
        """One stack for each echo."""
        return self.phase or self.real


@dataclass(frozen=True)
class Study:
    """One visit of one person: what is imported of it and what is left out."""

    patient: str
    key: str
    when: int
    gradient_echoes: tuple[GradientEcho, ...]
    diffusion: tuple[Stack, ...]
    adc: tuple[Stack, ...]
    structural: tuple[Stack, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing of it can be imported."""
        return not (self.gradient_echoes or self.diffusion or self.adc or self.structural)


def find_studies(stacks: Iterable[Stack]) -> list[Study]:
    """Sort stacks by person and visit, and each visit into acquisitions."""
    visits: dict[tuple[str, str], list[Stack]] = defaultdict(list)
    for stack in stacks:
        visits[stack.first.patient, stack.first.study].append(stack)
    return [_study(patient, key, found) for (patient, key), found in visits.items()]


def _study(patient: str, key: str, stacks: list[Stack]) -> Study:
    left_out = [_leave(s, s.kind) for s in stacks if s.kind.reason]
    echoes = [s for s in stacks if s.kind.name == GRADIENT_ECHO]
    found, unused = _gradient_echoes(echoes)
    whole = []
    for stack in (*(s for s in stacks if not s.kind.reason and s not in echoes), *unused):
        kind = stack.kind
        if kind.name == GRADIENT_ECHO and "t1" in stack.first.words:
            kind = Kind("T1-weighted")
        elif kind.name == GRADIENT_ECHO:
            left_out.append(_leave(stack, _without_partner(stack, echoes)))
            continue
        fault = _fault_of_single(stack)
        if fault:
            left_out.append(_leave(stack, Kind(kind.name, fault)))
        else:
            whole.append(replace(stack, kind=kind))
    good = []
    for acquisition in found:
        fault = _fault_of_echoes(acquisition)
        if fault:
            left_out += [_leave(s, Kind(GRADIENT_ECHO, fault)) for s in acquisition.stacks]
        else:
            good.append(acquisition)
    return Study(
        patient,
        key,
        min(s.first.when for s in stacks),
        tuple(good),
        tuple(s for s in whole if s.kind.name == DIFFUSION),
        tuple(s for s in whole if s.kind.name == ADC),
        tuple(s for s in whole if s.kind.name in STRUCTURAL),
        tuple(left_out),
    )


def _leave(stack: Stack, kind: Kind) -> LeftOut:
    return LeftOut(stack.first.number, len(stack.images), kind)


def _fault_of_single(stack: Stack) -> str:
    if "MOSAIC" in stack.frame.types:
        return ""
    several = stack.several_volumes and stack.kind.name != DIFFUSION
    return stack.fault() or ("it holds several images at one place" if several else "")


def _gradient_echoes(stacks: list[Stack]) -> tuple[list[GradientEcho], list[Stack]]:
    """Join magnitude with phase, or real with imaginary; the rest comes second."""
    series = _by_series(stacks)
    found_echoes = []
    used: set[tuple[str, str]] = set()
    covered: list[list[Stack]] = []
    for (name, component), anchor in series.items():
        if component != "phase":
            continue
        magnitude = _partner(series, anchor, name, "magnitude", used)
        if magnitude:
            used |= {(name, "phase"), (magnitude[0].first.series, "magnitude")}
            found_echoes.append(GradientEcho(tuple(magnitude), tuple(anchor)))
            covered.append(anchor)
    for (name, component), anchor in series.items():
        if component != "real":
            continue
        imaginary = _partner(series, anchor, name, "imaginary", used)
        if not imaginary:
            continue
        used |= {(name, "real"), (imaginary[0].first.series, "imaginary")}
        if any(_match(anchor, phases) for phases in covered):
            continue  # the scanner exported the same echoes as magnitude and phase too
        magnitude = _partner(series, anchor, name, "magnitude", used)
        if magnitude:
            used.add((magnitude[0].first.series, "magnitude"))
        found_echoes.append(
            GradientEcho(tuple(magnitude), real=tuple(anchor), imaginary=tuple(imaginary))
        )
    unused = [s for key, found in series.items() if key not in used for s in found]
    return found_echoes, unused


def _by_series(stacks: list[Stack]) -> dict[tuple[str, str], list[Stack]]:
    """Stacks by series and component, echoes in order; echoes split over series are joined."""
    series: dict[tuple[str, str], list[Stack]] = defaultdict(list)
    for stack in stacks:
        series[stack.first.series, stack.component].append(stack)
    joined: dict[tuple[str, str], list[Stack]] = {}
    for (name, component), found in series.items():
        found.sort(key=lambda s: (s.echo_number or 0, s.echo_time or 0))
        home = next(
            (k for k, own in joined.items() if k[1] == component and _continues(own, found)),
            (name, component),
        )
        joined[home] = [*joined.get(home, []), *found]
    return joined


def _continues(echoes: list[Stack], more: list[Stack]) -> bool:
    """Tell whether a series is just the next echo of another one."""
    last, next_one = echoes[-1], more[0]
    if len(more) > 1 or len({s.first.series for s in echoes}) < len(echoes):
        return False
    if not last.echo_number or next_one.echo_number != last.echo_number + 1:
        return False
    later = (next_one.echo_time or 0) > (last.echo_time or 0)
    return later and _same_place(last, next_one)


def _partner(
    series: dict[tuple[str, str], list[Stack]],
    anchor: list[Stack],
    name: str,
    component: str,
    used: set[tuple[str, str]],
) -> list[Stack]:
    """Find the stacks of another component that lie where these do, with the same echo times."""
    number = anchor[0].first.number or 0

    def distance(key: tuple[str, str]) -> tuple[bool, bool, bool, int]:
        first = series[key][0].first
        away = abs((first.number or 0) - number)
        return ("swi at the end" in first.words, key[0] != name, key in used, away)

    candidates = sorted((key for key in series if key[1] == component), key=distance)
    return next((series[k] for k in candidates if _match(anchor, series[k])), [])


def _match(one: list[Stack], other: list[Stack]) -> bool:
    return len(one) == len(other) and all(
        _same_echo(a, b) and _same_place(a, b) for a, b in zip(one, other, strict=True)
    )


def _same_echo(one: Stack, other: Stack) -> bool:
    if one.echo_time is None or other.echo_time is None:
        return one.echo_number == other.echo_number
    return abs(one.echo_time - other.echo_time) < SAME_MS


def _same_place(one: Stack, other: Stack) -> bool:
    if one.shape() != other.shape():
        return False
    apart = np.abs(one.corners() - other.corners()).max()
    return bool(apart < SAME_MM)


def _without_partner(stack: Stack, others: list[Stack]) -> Kind:
    """Say why an image of a gradient echo cannot be used alone."""
    near = [s for s in others if s.component != stack.component and _alike(s, stack)]
    times = sorted({s.echo_time for s in near if s.echo_time is not None})
    if stack.component == "phase":
        last = stack.echo_time is not None and times and abs(stack.echo_time - times[-1]) < SAME_MS
        if len(times) > 1 and last and not _has_other_echo(stack, others):
            return PHASE_DIFFERENCE
    if not near and "field map" in (*stack.first.words, *stack.first.protocol):
        return PHASE_DIFFERENCE if stack.component == "phase" else FIELD_MAP
    if near:
        return Kind(
            f"gradient echo, {stack.component}",
            "echoes or slices do not agree with those of its other half: some are missing",
        )
    wanted = {"phase": "magnitude", "real": "imaginary", "imaginary": "real"}
    missing = wanted.get(stack.component, "phase")
    return Kind(
        f"gradient echo, {stack.component}",
        f"there is no {missing} to it; QSM needs both: export the {missing} images too",
    )


def _alike(one: Stack, other: Stack) -> bool:
    """Tell whether two stacks are of one matrix and direction, even where slices are missing."""
    if one.shape()[:2] != other.shape()[:2] or one.frame.spacing != other.frame.spacing:
        return False
    return bool(np.abs(one.normal - other.normal).max() < 1e-3)


def _has_other_echo(stack: Stack, others: list[Stack]) -> bool:
    return any(
        s.component == stack.component
        and s.first.series == stack.first.series
        and s.echo_time != stack.echo_time
        for s in others
    )


def _fault_of_echoes(acquisition: GradientEcho) -> str:
    for stack in acquisition.stacks:
        fault = stack.fault()
        if fault:
            return fault
        if stack.several_volumes:
            return (
                "several images lie at one place: separate coils, repetitions, "
                "or echoes that do not say their echo time"
            )
        if stack.first.lossy:
            return "it was compressed with loss; values of the phase are wrong"
    return ""
