"""A method that somebody adds is put to the same contracts, and its faults are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Interval
from contract_suite import checks, physics

from napari_qsm_stroke import methods
from napari_qsm_stroke.core.inversion.tkd import tkd
from napari_qsm_stroke.core.method import METHODS, Method, forget, method
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    LocalField,
    Susceptibility,
    VoxelSize,
)


def add_inversion(
    sign: float = 1.0, writes: bool = False, ignores_mask: bool = False, looks_outside: bool = False
) -> Method:
    """Register an inversion as anybody would, with a fault where wanted."""

    @method(cite="10.1002/mrm.22135", linear=True)
    def added_division(
        local_field: LocalField,
        field_mask: FieldMask,
        *,
        voxel_size: VoxelSize = (1.0, 1.0, 1.0),
        b0_dir: FieldDirection = (0.0, 0.0, 1.0),
        threshold: Annotated[float, Interval(gt=0, le=0.6)] = 0.17,
        progress: Progress = silent,
    ) -> Susceptibility:
        """Divide in k-space.

        Parameters
        ----------
        local_field : ndarray of shape (X, Y, Z)
            In ppm.
        field_mask : ndarray of shape (X, Y, Z)
            Where it is known.
        voxel_size : tuple of float
            In mm.
        b0_dir : tuple of float
            Direction of the main field.
        threshold : float
            Smallest divisor.
        progress : Progress
            May raise ``Cancelled``.

        Returns
        -------
        ndarray of float32, shape (X, Y, Z)
            In ppm.
        """
        progress(0.0, "Division")
        if writes:
            local_field[0, 0, 0] = 0
        mask = np.ones_like(field_mask) if ignores_mask else field_mask
        chi = tkd(local_field, mask, voxel_size=voxel_size, b0_dir=b0_dir, threshold=threshold)
        if looks_outside:
            chi = chi + field_mask * np.nan_to_num(local_field).mean(dtype=np.float32)
        progress(1.0, "Division")
        return np.float32(sign) * chi

    return METHODS["added_division"]


@pytest.fixture
def added() -> Iterator[Callable[..., Method]]:
    """Registers the method for one test."""
    yield add_inversion
    forget("added_division")


def test_an_added_method_is_put_to_the_same_contracts(added: Callable[..., Method]) -> None:
    entry = added()
    assert entry.name in methods()
    checks.check_described(entry)
    checks.check_bounds(entry)
    checks.check_defaults_survive(entry)
    checks.check_run(entry)
    checks.check_nan(entry)
    checks.check_repeatable(entry)
    checks.check_double(entry)
    checks.check_progress(entry)
    checks.check_outside_is_not_looked_at(entry)
    checks.check_zero(entry)
    checks.check_linear(entry)
    checks.check_moved(entry, "cyclic")
    physics.check_ball(entry)
    physics.check_cylinder(entry, physics.MAGIC)


def test_faults_of_an_added_method_are_found(added: Callable[..., Method]) -> None:
    with pytest.raises(AssertionError):
        physics.check_ball(added(sign=-1.0))
    with pytest.raises(ValueError, match="read-only"):
        checks.check_run(added(writes=True))
    with pytest.raises(AssertionError):
        checks.check_run(added(ignores_mask=True))
    with pytest.raises(AssertionError):
        checks.check_outside_is_not_looked_at(added(looks_outside=True))
