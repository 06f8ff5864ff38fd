"""Where a NIfTI header says that the voxels are: sform against qform, and what cannot be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from nibabel.orientations import io_orientation

from napari_qsm_stroke.case.grid import TOLERANCE_MM
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.faults import Note

if TYPE_CHECKING:
    import nibabel as nib
    from numpy.typing import NDArray

SMALLEST_MM, LARGEST_MM = 0.01, 100.0
FLAT = 0.01
"""Volume of the parallelepiped of the three axes, each of length one; 1 where they are square."""
REMEDY = "Repair the header of the image, or export it again."


def affine_of(
    where: str, header: nib.Nifti1Header, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], tuple[Note, ...]]:
    """Return the affine as nibabel chooses it (sform before qform), and what is odd about it.

    Parameters
    ----------
    where : str
        Name of the file, for messages.
    header : Nifti1Header
        Of the file.
    shape : tuple of int
        Of the image.

    Raises
    ------
    InputError
        The affine is not finite or singular, voxels have impossible sizes, or sform and qform
        put left and right on opposite sides.
    """
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        sform, qform = header.get_sform(coded=True), header.get_qform(coded=True)
    except (ValueError, TypeError, OverflowError, np.linalg.LinAlgError) as error:
        said = str(error).strip().rstrip(".") or type(error).__name__
        raise InputError(where, f"has no usable orientation ({said}).", REMEDY) from None
    _check(where, affine)
    if sform[1] == 0 and qform[1] == 0:
        what = "No orientation in the header: left and right are only assumed."
        return affine, (Note(where, what, "Compare with the scanner's images."),)
    if sform[1] == 0 or qform[1] == 0:
        return affine, ()
    return affine, _disagreement(where, sform[0], qform[0], shape)


def _disagreement(
    where: str, sform: NDArray[np.float64], qform: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[Note, ...]:
    if not np.isfinite(qform).all():
        return (Note(where, "The qform is not finite: the sform was used."),)
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape[:3]) - 1)
    apart = float(np.abs((sform - qform) @ np.c_[corners, np.ones(8)].T).max())
    if apart <= 10 * TOLERANCE_MM:
        return ()
    to_the_right = np.array([unit_columns(form)[0] for form in (sform, qform)])
    if to_the_right[0] @ to_the_right[1] < 0:
        raise InputError(
            where,
            "its two orientations (sform and qform) put left and right on opposite sides.",
            "Find out which is right and copy it to the other, or export the image again.",
        )
    what = f"sform and qform differ by up to {apart:.1f} mm: the sform was used."
    return (Note(where, what, "Compare with the scanner's images."),)


def unit_columns(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions of the voxel axes, each of length one."""
    axes: NDArray[np.float64] = np.asarray(affine[:3, :3], dtype=np.float64)
    length = np.linalg.norm(axes, axis=0)
    return axes / np.where(length > 0, length, 1.0)


def _check(where: str, affine: NDArray[np.float64]) -> None:
    if not np.isfinite(affine).all():
        raise InputError(where, "the affine of the header is not finite.", REMEDY)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() < SMALLEST_MM or sizes.max() > LARGEST_MM:
        shown = " x ".join(f"{s:.3g}" for s in sizes)
        raise InputError(where, f"voxels of {shown} mm cannot be right.", REMEDY)
    if abs(np.linalg.det(affine[:3, :3] / sizes)) < FLAT or np.isnan(io_orientation(affine)).any():
        raise InputError(where, "the affine of the header is singular.", REMEDY)
