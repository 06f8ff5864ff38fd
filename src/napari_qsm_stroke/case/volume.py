"""An image: read-only data on a grid, in a unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_128

from napari_qsm_stroke.case.quality import Quality
from napari_qsm_stroke.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.grid import Grid


@dataclass(frozen=True, eq=False)
class Volume:
    """Data with their place in space.

    Parameters
    ----------
    data : ndarray of shape (X, Y, Z) or (X, Y, Z, echo)
        Kept as a read-only view; the caller's array stays writable and must not be changed.
    grid : Grid
        Where the voxels are.
    unit : str
        Unit of the values.
    source : str
        Where the data came from, for messages.
    quality : Quality
        What the method that made the data says of them; data that replace them have none.

    Raises
    ------
    InputError
        The data do not have the shape of the grid.
    """

    data: NDArray[Any]
    grid: Grid
    unit: str = ""
    source: str = ""
    quality: Quality = field(default_factory=Quality)

    def __post_init__(self) -> None:
        view = np.asarray(self.data).view()
        view.flags.writeable = False
        if view.shape[:3] != self.grid.shape or view.ndim > 4:
            raise InputError(
                self.source or "Volume",
                f"the data have shape {view.shape}, the grid {self.grid.shape}.",
                "Give data that lie on their grid.",
            )
        object.__setattr__(self, "data", view)

    @cached_property
    def digest(self) -> str:
        """Fingerprint of values, geometry and unit."""
        state = xxh3_128()  # tells data apart, and guards against no forger: as fast as memory
        facts = (
            self.data.dtype.str,
            self.data.shape,
            self.unit,
            self.grid.affine.round(6).tolist(),
        )
        state.update(repr(facts).encode())
        state.update(np.ascontiguousarray(self.data).view(np.uint8).data)
        return state.hexdigest()

    def with_data(self, data: NDArray[Any], unit: str | None = None) -> Volume:
        """Return other data on the same grid."""
        return Volume(data, self.grid, self.unit if unit is None else unit, self.source)
