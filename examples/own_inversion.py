"""A dipole inversion of your own, in a recipe beside the others."""

from typing import Annotated

import numpy as np
from annotated_types import Interval

from napari_qsm_stroke import Acquisition, Case, Grid, Recipe, Volume, run
from napari_qsm_stroke.core.method import method
from napari_qsm_stroke.core.physics.dipole import dipole_kernel
from napari_qsm_stroke.core.quantities import (
    FieldDirection,
    FieldMask,
    LocalField,
    Susceptibility,
    VoxelSize,
)
from napari_qsm_stroke.pipeline.recipe import Step


@method(cite="10.1002/cmr.b.20034", linear=True)
def damped_division(
    local_field: LocalField,
    field_mask: FieldMask,
    *,
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    b0_dir: FieldDirection = (0.0, 0.0, 1.0),
    damping: Annotated[float, Interval(gt=0, le=1)] = 0.1,
) -> Susceptibility:
    """Divide by the dipole with a constant damping.

    Parameters
    ----------
    local_field : ndarray of shape (X, Y, Z)
        In ppm.
    field_mask : ndarray of shape (X, Y, Z)
        Where the field is known.
    voxel_size : tuple of float
        In mm.
    b0_dir : tuple of float
        Direction of the main field in voxel axes.
    damping : float
        Added to the squared dipole.
    """
    dipole = dipole_kernel(local_field.shape, voxel_size, b0_dir)
    spectrum = np.fft.rfftn(local_field * (field_mask != 0)) * dipole / (dipole**2 + damping)
    chi = np.fft.irfftn(spectrum, local_field.shape, axes=(0, 1, 2)) * (field_mask != 0)
    return chi.astype(np.float32)


grid = Grid((48, 48, 48), np.eye(4))
truth = np.zeros(grid.shape, np.float32)
truth[20:28, 20:28, 10:38] = 0.1
dipole = dipole_kernel(grid.shape, (1, 1, 1))
field = np.fft.irfftn(np.fft.rfftn(truth) * dipole, grid.shape, axes=(0, 1, 2))
inside = np.ones(grid.shape, np.uint8)
maps = {
    "magnitude": inside[..., None],
    "local_field": field.astype(np.float32),
    "field_mask": inside,
}
case = Case("sub-01", Acquisition((0.02,), 3.0), {k: Volume(v, grid) for k, v in maps.items()})

case = run(case, Recipe("mine", (Step("damped_division", {"damping": 0.02}),)))
found = case.maps["susceptibility"].data
print(f"In the vein: {found[truth > 0].mean():.3f} ppm of 0.100 ppm")
print(case.history[-1])
