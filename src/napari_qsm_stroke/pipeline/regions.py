"""Side and regions of a case, kept by the fingerprints of the masks that they come from.

Building the regions takes a second, looking vein voxels up in them a millisecond: a stroke into
the vein mask is measured at once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.measure.regions import REGIONS, region_masks
from napari_qsm_stroke.core.measure.side import find_side, side_voxels
from napari_qsm_stroke.core.numerics.mirror import HeadCoordinates
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case, Side
    from napari_qsm_stroke.case.volume import Volume

KEPT_CASES = 3
NEGLIGIBLE = 0.005
"""Part of the infarct outside its territory that needs no note."""


class Kept:
    """The most recent results by key; several threads may ask."""

    def __init__(self, limit: int) -> None:
        self._items: OrderedDict[Hashable, Any] = OrderedDict()
        self._limit = limit
        self._lock = threading.Lock()

    def find(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what is kept under ``key``, making it where there is nothing."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]
        item = make()
        with self._lock:
            self._items[key] = item
            while len(self._items) > self._limit:
                self._items.popitem(last=False)
        return item


_REGIONS_KEPT = Kept(KEPT_CASES)
_SIDES_KEPT = Kept(KEPT_CASES)


@dataclass(frozen=True)
class Regions:
    """The regions of a case, packed so that looking up vein voxels is one step."""

    crop: tuple[slice, ...]
    member: NDArray[np.uint8]
    """One bit a region, on the box that holds them all."""
    voxels: dict[str, int]
    core_ml: float | None
    infarct_ml: float | None
    notes: tuple[str, ...]


def side_of(case: Case) -> tuple[Side | None, Literal["found", "user"] | None, str]:
    """Return the side of the stroke, how it is known, and what to say of it."""
    if case.side:
        return case.side, "user", ""
    if "infarct" not in case.maps or "territories" not in case.maps:
        return None, None, ""
    infarct, territories = case.maps["infarct"], case.maps["territories"]
    key = (infarct.digest, territories.digest)
    side, note = _SIDES_KEPT.find(key, lambda: _find_side(infarct, territories))
    return side, "found" if side else None, note


def _find_side(infarct: Volume, territories: Volume) -> tuple[Side | None, str]:
    try:
        side = find_side(infarct.data, territories.data)
    except InputError as error:
        return None, str(error)
    volumes = side_voxels(infarct.data, territories.data)
    other = min(volumes.values()) / sum(volumes.values())
    note = f"{100 * other:.0f} % of the infarct lies on the other side: check side and infarct."
    return side, note if other > 0.1 else ""


def regions_of(case: Case, side: Side | None, guard: float) -> Regions | None:
    """Return the regions, or None where side or territories are not known.

    Without an infarct there are only the two territories. Volumes of the infarct are those on the
    DWI's own grid, as long as the mask is the one that was brought from there.
    """
    territories = case.maps.get("territories")
    if territories is None or side is None:
        return None
    infarct = case.maps.get("infarct")
    place = case.maps.get("head_position")
    head = None if place is None else HeadCoordinates(place.data, place.grid.affine)
    native = _native_infarct(case)
    volumes = (infarct, territories, place, native)
    key = (*(v.digest if v else None for v in volumes), side, guard)
    found: Regions = _REGIONS_KEPT.find(
        key, lambda: _build_regions(infarct, territories, side, guard, head, native)
    )
    return found


def _build_regions(
    infarct: Volume | None,
    territories: Volume,
    side: Side,
    guard: float,
    head: HeadCoordinates | None,
    native: Volume | None,
) -> Regions:
    ischemic = np.zeros(territories.data.shape, np.uint8) if infarct is None else infarct.data
    masks = region_masks(
        ischemic,
        territories.data,
        side,
        voxel_size=territories.grid.voxel_size,
        affine=territories.grid.affine,
        guard=guard,
        head=head,
    )
    if infarct is None:
        masks = {n: m for n, m in masks.items() if n in ("ipsilateral_mca", "contralateral_mca")}
    member = np.zeros(territories.data.shape, np.uint8)
    for name, mask in masks.items():
        member[mask] |= 1 << list(REGIONS).index(name)
    boxes = ndimage.find_objects((member > 0).astype(np.uint8))
    crop = boxes[0] if boxes else (slice(0, 0),) * 3
    voxels = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
    notes = _region_notes(infarct, territories, masks) if infarct is not None else ()
    whole, core = _infarct_volumes(infarct, native, voxels)
    return Regions(crop, np.ascontiguousarray(member[crop]), voxels, core, whole, notes)


def _native_infarct(case: Case) -> Volume | None:
    """The infarct on the DWI's own grid; None where that on the gradient echo is another one."""
    made = [r.outputs["infarct"] for r in case.history if "infarct_native" in r.outputs]
    if not made or "infarct" not in case.maps or made[-1] != case.maps["infarct"].digest:
        return None
    return case.maps.get("infarct_native")


def _infarct_volumes(
    infarct: Volume | None, native: Volume | None, voxels: dict[str, int]
) -> tuple[float | None, float | None]:
    """Volume of the whole infarct and of the core in ml."""
    if infarct is None:
        return None, None
    here = volume_ml(infarct)
    whole = here if native is None else volume_ml(native)
    core = voxels["infarct_core"] * infarct.grid.voxel_volume_ml
    return whole, core * whole / here if here else core


def _region_notes(
    infarct: Volume, territories: Volume, masks: dict[str, NDArray[np.bool_]]
) -> tuple[str, ...]:
    notes = []
    ml = territories.grid.voxel_volume_ml
    ischemic = infarct.data != 0
    whole = int(np.count_nonzero(ischemic))
    core = int(np.count_nonzero(masks["infarct_core"]))
    if whole - core > NEGLIGIBLE * whole:
        mca = [n for n, (artery, _) in LABELS.items() if artery == "MCA"]
        elsewhere = ischemic & ~np.isin(territories.data, [0, *mca])
        notes.append(
            f"{(whole - core) * ml:.1f} ml of the infarct ({100 * (whole - core) / whole:.0f} %) "
            "lie outside the MCA territory of its side and are not in the infarct core row; "
            f"{np.count_nonzero(elsewhere) * ml:.1f} ml of it in other arterial territories."
        )
    if core and not masks["mirrored_core"].any():
        notes.append("The core cannot be mirrored: the territories show no mid-sagittal plane.")
    return tuple(notes)


def volume_ml(mask: Volume) -> float:
    """Volume of a mask in ml."""
    return int(np.count_nonzero(mask.data)) * mask.grid.voxel_volume_ml
