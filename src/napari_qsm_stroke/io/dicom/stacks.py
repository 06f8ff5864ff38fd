"""Images to stacks: the slices of one echo and one component, where they lie, and their kind."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.io.dicom.kinds import ADC, DIFFUSION, ECHO_PLANAR, STRUCTURAL, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_qsm_stroke.io.dicom.scan import DicomFile, Frame

POSITION_MM = 0.02
"""Two slices nearer than that lie at the same place."""
UNEVEN = 0.05
"""Largest deviation of a slice distance, as part of it."""
WHOLE_SERIES = {DIFFUSION, ADC, *STRUCTURAL}
"""Kinds of which a series is one image, whatever echoes and components its frames have."""


@dataclass(frozen=True)
class Stack:
    """Slices that make one volume (several, for diffusion)."""

    kind: Kind
    component: str
    echo_time: float | None
    """In ms, as the header says."""
    echo_number: int | None
    images: tuple[tuple[DicomFile, Frame], ...] = field(repr=False)

    @property
    def first(self) -> DicomFile:
        """A file of the stack."""
        return self.images[0][0]

    @property
    def frame(self) -> Frame:
        """A frame of the stack."""
        return self.images[0][1]

    @property
    def files(self) -> tuple[DicomFile, ...]:
        """Its files, each once."""
        return tuple({file.index: file for file, _ in self.images}.values())

    @property
    def several_volumes(self) -> bool:
        """Whether it holds more than one image at a place, as a diffusion series does."""
        return len(self.images) > len(self.places)

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Where the first voxel of each image lies, in the patient's axes of DICOM (mm)."""
        nowhere = (np.nan, np.nan, np.nan)
        return np.array([frame.position or nowhere for _, frame in self.images], dtype=np.float64)

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector along the slices, in the patient's axes of DICOM (left, posterior, head)."""
        row, column = np.reshape(self.frame.orientation or (np.nan,) * 6, (2, 3))
        return np.asarray(np.cross(row, column))

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """Distances (mm) of the slices along the normal, in order, each once."""
        along = np.sort(self.positions @ self.normal)
        return np.asarray(along[np.diff(along, prepend=-np.inf) > POSITION_MM])

    def corners(self) -> NDArray[np.float64]:
        """Centres of the eight outermost voxels, RAS mm, shape (8, 3)."""
        columns, rows, _ = self.shape()
        down, across = self.frame.spacing or (np.nan, np.nan)
        row, column = np.reshape(self.frame.orientation or (np.nan,) * 6, (2, 3))
        along = self.positions @ self.normal
        ends = self.positions[[int(along.argmin()), int(along.argmax())]]
        steps = [
            i * across * (columns - 1) * row + j * down * (rows - 1) * column
            for i in (0, 1)
            for j in (0, 1)
        ]
        return np.asarray([end + step for end in ends for step in steps]) * (-1, -1, 1)

    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and slices."""
        return (self.first.columns or 0, self.first.rows or 0, len(self.places))

    def fault(self) -> str:
        """Say what is wrong with the geometry, or nothing."""
        if not self.first.rows or not self.first.columns:
            return "the size of the images is not said"
        frames = [frame for _, frame in self.images]
        if any(f.position is None or f.orientation is None or f.spacing is None for f in frames):
            return "the header does not say where the slices lie"
        if _spread([f.orientation for f in frames]) > 1e-3:
            return "the slices are not parallel"
        row, column = np.reshape(self.frame.orientation or (), (2, 3))
        lengths = (np.linalg.norm(row), np.linalg.norm(column))
        if abs(np.dot(row, column)) > 1e-3 or max(abs(n - 1) for n in lengths) > 1e-3:
            return "the orientation of the slices is no orientation"
        if _spread([f.spacing for f in frames]) > 1e-4 or min(self.frame.spacing or (0,)) <= 0:
            return "the size of the pixels differs from slice to slice"
        sizes = {(file.rows, file.columns) for file, _ in self.images}
        if len(sizes) > 1:
            return "the size of the images differs from slice to slice"
        return self._fault_of_places()

    def _fault_of_places(self) -> str:
        places, count = self.places, len(self.images)
        if len(places) < 2:
            return "it is a single slice"
        gaps = np.diff(places)
        middle = float(np.median(gaps))
        if np.abs(gaps - middle).max() > UNEVEN * middle:
            missing = round((places[-1] - places[0]) / middle) + 1 - len(places)
            what = f"{missing} of them seem to be missing" if missing > 0 else "check the export"
            return f"{len(places)} slices at uneven distances: {what}"
        if count % len(places):
            return f"{count} images at {len(places)} places: some are missing or there twice"
        aside = self.positions - np.outer(self.positions @ self.normal, self.normal)
        if np.abs(aside - aside.mean(axis=0)).max() > 0.5:
            return "the slices do not lie on a straight line"
        return ""


def _spread(values: list[tuple[float, ...] | None]) -> float:
    return float(np.ptp(np.array(values, dtype=np.float64), axis=0).max())


def make_stacks(files: Iterable[DicomFile]) -> list[Stack]:
    """Sort the images of all files into stacks, in the order of their series numbers."""
    images = [(file, frame, kind_of(file, frame)) for file in files for frame in file.frames]
    diffusion = {file.series for file, _, kind in images if kind.name == DIFFUSION}
    groups: dict[tuple[object, ...], list[tuple[DicomFile, Frame]]] = defaultdict(list)
    kinds: dict[tuple[object, ...], Kind] = {}
    for file, frame, said in images:
        kind = said
        if kind == ECHO_PLANAR and file.series in diffusion:
            kind = Kind(DIFFUSION)  # the images without weighting
        key: tuple[object, ...] = (file.patient, file.study, file.series, kind)
        if kind.name == DIFFUSION:
            key += ("DERIVED" in frame.types,)
        elif kind.name not in WHOLE_SERIES and not kind.reason:
            time = None if frame.echo_time is None else round(1000 * frame.echo_time)
            key += (frame.component or "magnitude", time, frame.echo_number)
        groups[key].append((file, frame))
        kinds[key] = kind
    return sorted(
        (
            Stack(
                kinds[key],
                found[0][1].component or "magnitude",
                found[0][1].echo_time,
                found[0][1].echo_number,
                tuple(found),
            )
            for key, found in groups.items()
        ),
        key=lambda s: (s.first.when, s.first.number or 0, s.component, s.echo_time or 0),
    )
