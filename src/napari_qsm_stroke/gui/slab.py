"""What a method of masks would make of one slice: from a thick slab around it, or from all.

A slab is quick, but not every method finds in it what it finds in the whole image: thresholds may
come from the texture of the whole map, shapes from the whole head. So a slab is believed only where
it agreed, on the very slice, with a mask that the same method has made of the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.case import Case
from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.progress import Progress, part
from napari_qsm_stroke.pipeline.apply import Store, apply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_qsm_stroke.case.provenance import Record
    from napari_qsm_stroke.core.method import Method

REACH_MM = 20.0
"""Half the thickness of a slab: what filters and openings of veins look at lies within."""
LEAST_DICE = 0.9
"""Agreement with the whole on a slice below which a slab is not shown."""


@dataclass(frozen=True)
class Slice:
    """One slice of the case: its axis (X, Y, Z) and its index."""

    axis: int
    index: int

    def of(self, data: NDArray[Any]) -> NDArray[Any]:
        """Return the voxels of the slice."""
        return np.take(data, self.index, self.axis)


@dataclass(frozen=True)
class Reference:
    """A mask that a method has made of the whole image."""

    parameters: Mapping[str, Any]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class Preview:
    """What a method would make: a mask of shape (X, Y, Z), all of it or only one slice."""

    mask: NDArray[np.uint8]
    whole: bool
    found: bool


def makes_masks(method: Method) -> bool:
    """Whether a method has parameters and makes a mask, and nothing else but masks and labels."""
    kinds = {quantity.kind for quantity in method.outputs}
    first = method.outputs[0].kind if method.outputs else ""
    return first == "mask" and kinds <= {"mask", "labels"} and bool(method.parameters)


def wants_whole(method: Method) -> bool:
    """Whether a method takes volumes on grids of their own, which no slab can be cut from."""
    return any(argument.whole for argument in method.inputs)


def cut(case: Case, method: Method, place: Slice, reach: float = REACH_MM) -> tuple[Case, Slice]:
    """Return the inputs of a method in a slab around a slice, and the slice in that slab.

    Parameters
    ----------
    case : Case
        With all that the method takes.
    method : Method
        Takes no whole volumes.
    place : Slice
        Of the case.
    reach : float
        Half the thickness of the slab in mm.
    """
    grid = case.grid
    half = int(np.ceil(reach / grid.voxel_size[place.axis]))
    low = max(0, place.index - half)
    high = min(grid.shape[place.axis], place.index + half + 1)
    box = tuple(slice(low, high) if i == place.axis else slice(None) for i in range(3))
    affine = grid.affine.copy()
    affine[:3, 3] += low * affine[:3, place.axis]
    taken = {a.source.name for a in method.inputs}
    maps = {}
    for name, volume in case.maps.items():
        if volume.grid == grid:
            # kernels are compiled for arrays without gaps; what only tells the grid may have some
            data = volume.data[box].copy(order="K") if name in taken else volume.data[box]
            maps[name] = Volume(data, Grid(data.shape[:3], affine), volume.unit, volume.source)
    slab = Case(case.key, case.acquisition, maps, side=case.side)
    return slab, Slice(place.axis, place.index - low)


def dice(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Agreement of two masks, 0 to 1; two empty ones tell nothing, and get 0."""
    both = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero((one != 0) & (other != 0)) / both if both else 0.0


class Proposals:
    """Previews of one case: remembers what was made of the whole image, and what a slab is worth.

    Its functions take long: they belong in a worker, one at a time.

    Parameters
    ----------
    case : Case
        As it is shown.
    store : Store
        Results of the session's runs.
    """

    def __init__(self, case: Case, store: Store) -> None:
        self._case = case
        self._store = store
        self._starts: dict[str, Case] = {}
        self._references: dict[str, Reference] = {}
        self._agreements: dict[tuple[str, Slice], float] = {}
        self._last: tuple[str, Slice, dict[str, Any], NDArray[np.uint8]] | None = None

    def of_slab(
        self, method: Method, parameters: Mapping[str, Any], place: Slice, progress: Progress
    ) -> Preview | None:
        """Return the mask of one slice, all else 0; None where a slab would mislead.

        Parameters
        ----------
        method : Method
            Makes masks.
        parameters : mapping
            Values that differ from the defaults.
        place : Slice
            Of the case.
        progress : Progress
            May raise ``Cancelled``.
        """
        if wants_whole(method):
            return None
        start = self._start(method, part(progress, 0.0, 0.2))
        reference = self._reference(method, start)
        if reference is None:
            return None
        full = method.complete(parameters)
        if full == dict(reference.parameters):
            return _whole(reference.mask)
        slab, within = cut(start, method, place)
        name = method.outputs[0].name
        key = (method.name, place)
        if key not in self._agreements:
            here = part(progress, 0.2, 0.6)
            again = apply(slab, method.name, reference.parameters, here).maps[name].data
            self._agreements[key] = dice(within.of(again), place.of(reference.mask))
        if self._agreements[key] < LEAST_DICE:
            return None
        made = apply(slab, method.name, parameters, part(progress, 0.6, 1.0)).maps[name].data
        self._last = (method.name, place, full, within.of(made))
        mask = np.zeros_like(reference.mask)
        where: list[Any] = [slice(None)] * 3
        where[place.axis] = place.index
        mask[tuple(where)] = within.of(made)
        return Preview(mask, whole=False, found=bool(within.of(made).any()))

    def of_whole(
        self, method: Method, parameters: Mapping[str, Any], progress: Progress
    ) -> Preview:
        """Return the mask of the whole image; slabs are held against it from now on."""
        full = method.complete(parameters)
        start = self._start(method, part(progress, 0.0, 0.1))
        made = apply(start, method.name, parameters, part(progress, 0.1, 1.0))
        mask = made.maps[method.outputs[0].name].data
        self._references[method.name] = Reference(full, mask)
        self._agreements = {k: v for k, v in self._agreements.items() if k[0] != method.name}
        if self._last is not None and self._last[::2] == (method.name, full):
            _, place, _, tried = self._last
            self._agreements[(method.name, place)] = dice(tried, place.of(mask))
        return _whole(mask)

    def _start(self, method: Method, progress: Progress) -> Case:
        """Return the case as the method finds it in a run.

        What it improves (takes and gives) is in the case as improved: the step that made it first
        is done again, most often from the store.
        """
        if method.name not in self._starts:
            case, outputs = self._case, {q.name for q in method.outputs}
            earlier = _before(case, method)
            if outputs & {a.source.name for a in method.inputs} and earlier is not None:
                case = apply(case, earlier.what, earlier.parameters, progress, self._store)
            self._starts[method.name] = case
        return self._starts[method.name]

    def _reference(self, method: Method, start: Case) -> Reference | None:
        """Return the mask of the last run, where it is there and made of the same maps."""
        if method.name in self._references:
            return self._references[method.name]
        output = method.outputs[0].name
        volume = self._case.maps.get(output)
        record = _last(self._case, method)
        if volume is None or record is None or record.revision != method.revision:
            return None
        inputs = {
            a.name: v.digest
            for a in method.inputs
            if (v := start.maps.get(a.source.name)) is not None
        }
        if inputs != dict(record.inputs) or record.outputs.get(output) != volume.digest:
            return None
        self._references[method.name] = Reference(record.parameters, volume.data)
        return self._references[method.name]


def _whole(mask: NDArray[np.uint8]) -> Preview:
    return Preview(mask, whole=True, found=bool(mask.any()))


def _last(case: Case, method: Method) -> Record | None:
    """Record of the last run of a method."""
    runs = [r for r in case.history if r.action == "run" and r.what == method.name]
    return runs[-1] if runs else None


def _before(case: Case, method: Method) -> Record | None:
    """Record of the run that made what a method improves, before that method did."""
    outputs = {q.name for q in method.outputs}
    runs = [r for r in case.history if r.action == "run" and outputs & set(r.outputs)]
    made = [r for r in runs if r.what != method.name]
    return made[-1] if made else None
