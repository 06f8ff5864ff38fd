"""NIfTI files: read to their last byte, checked, in canonical order; written back as stored.

nibabel reads only the bytes that it needs and so never reaches the checksum at the end of a
compressed file: a flipped bit then gives wrong values in silence. Here every file is read whole.
"""

from __future__ import annotations

import gzip
import io
import logging
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)

from napari_qsm_stroke.case.grid import TOLERANCE_MM, Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.atomic import write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLACK = 1 << 20
"""Bytes that may follow the image in its file (some programs pad)."""
SMALLEST_MM, LARGEST_MM = 0.01, 100.0
FLAT = 0.01
"""Volume of the parallelepiped of the three axes, each of length one; 1 where they are square."""
MOST_PACKED = 1100
"""Deflate packs at most 1032 bytes into one."""
EXPORT_AGAIN = "Export or copy the file again."
BROKEN = (
    nib.spatialimages.HeaderDataError,
    nib.filebasedimages.ImageFileError,
    nib.wrapstruct.WrapStructError,
    OSError,
    EOFError,
    OverflowError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What nibabel and gzip raise on a damaged file (found by fuzzing)."""


@dataclass(frozen=True)
class NiftiFile:
    """An image in canonical order and what was odd about its header."""

    volume: Volume
    warnings: tuple[str, ...] = ()


def read_volume(path: str | Path, unit: str = "") -> Volume:
    """Read an image as float32 in closest-canonical order.

    Parameters
    ----------
    path : path
        A ``.nii`` or ``.nii.gz`` file; what it is is read from its content, not from its name.
    unit : str
        Unit of the values.

    Returns
    -------
    Volume
        ``grid.stored_as`` remembers the order of the axes in the file.

    Raises
    ------
    MissingError
        There is no such file.
    InputError
        The file is no NIfTI image, is truncated or damaged, or its header cannot be right.
    """
    return read_nifti(path, unit).volume


def read_nifti(path: str | Path, unit: str = "") -> NiftiFile:
    """Read an image as ``read_volume`` does, and say what is odd about its header."""
    path = Path(path)
    header, content = _unpack(path)
    affine, warnings = _affine(path, header)
    data = _values(path, header, content)
    orientation = io_orientation(affine)
    stored_as = "".join(nib.aff2axcodes(affine))
    canonical = affine @ inv_ornt_aff(orientation, data.shape[:3])
    data = np.ascontiguousarray(apply_orientation(data, orientation))
    try:
        grid = Grid(data.shape[:3], canonical, stored_as)
    except InputError as error:
        raise InputError(str(path), error.what, error.remedy) from None
    return NiftiFile(Volume(data, grid, unit, str(path)), warnings)


def read_shape(path: str | Path) -> tuple[int, ...]:
    """Return the shape of an image from its header alone, without axes of length one at the end.

    Raises
    ------
    MissingError
        There is no such file.
    InputError
        The file is no NIfTI image.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            start = gzip.GzipFile(fileobj=raw).read(540) if packed else raw.read(540)
    except FileNotFoundError:
        raise _no_such_file(path) from None
    except (EOFError, zlib.error, OSError) as error:
        raise InputError(
            str(path), f"is truncated or damaged ({_short(error)}).", EXPORT_AGAIN
        ) from None
    return _shape(path, _header(path, start))


def write_volume(volume: Volume, path: str | Path, level: int = 4) -> Path:
    """Write an image in the orientation in which its grid was stored.

    Equal volumes give equal bytes. The file appears whole or not at all.

    Parameters
    ----------
    volume : Volume
        Masks and labels stay uint8, everything else becomes float32.
    path : path
        Compressed where it ends in ``.gz``.
    level : int
        Strength of the compression, 1 (quick) to 9 (small).
    """
    path = Path(path)
    back = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(volume.grid.stored_as))
    data = volume.data if volume.data.dtype == np.uint8 else volume.data.astype(np.float32)
    affine = volume.grid.affine @ inv_ornt_aff(back, volume.grid.shape)
    image = nib.Nifti1Image(apply_orientation(data, back), affine)
    image.header.set_xyzt_units("mm", "sec" if data.ndim == 4 else None)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    if np.abs(image.get_qform() - affine).max() > TOLERANCE_MM:
        image.set_qform(None, code=0)  # a sheared grid has no qform
    content = image.to_bytes()
    if path.name.endswith(".gz"):
        content = gzip.compress(content, level, mtime=0)
    return write_bytes(path, content)


def _unpack(path: Path) -> tuple[nib.Nifti1Header, bytes]:
    """Header and all bytes of the file, decompressed and checked to the end."""
    if not path.is_file():
        raise _no_such_file(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            str(path), f"cannot be read ({error.strerror}).", "Check the rights."
        ) from None
    packed = raw[:2] == b"\x1f\x8b"
    try:
        stream = gzip.GzipFile(fileobj=io.BytesIO(raw)) if packed else io.BytesIO(raw)
        start = stream.read(540)
        header = _header(path, start)
        size = _size(path, header)
        if size > len(raw) * (MOST_PACKED if packed else 1):
            raise _truncated(path, size, len(raw))
        content = start + stream.read(max(0, size - len(start)))
        rest = len(stream.read(SLACK + 1))
    except (EOFError, zlib.error, OSError) as error:
        raise InputError(
            str(path), f"is truncated or damaged ({_short(error)}).", EXPORT_AGAIN
        ) from None
    if len(content) < size:
        raise _truncated(path, size, len(content))
    if rest > SLACK:
        raise InputError(
            str(path), f"holds more than the {size} bytes that its header says.", EXPORT_AGAIN
        )
    return header, content


def _header(path: Path, start: bytes) -> nib.Nifti1Header:
    kinds: dict[int, type[nib.Nifti1Header]] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
    sizes = {int.from_bytes(start[:4], order) for order in ("little", "big")}
    kind = next((kinds[n] for n in sizes if n in kinds), None)
    length = next((n for n in sizes if n in kinds), 0)
    magic = start[344:348] if length == 348 else start[4:8]
    if kind is None or len(start) < length or magic not in {b"n+1\0", b"n+2\0"}:
        raise InputError(
            str(path), "is no NIfTI image (.nii or .nii.gz).", "Convert it, e.g. with dcm2niix."
        )
    logger = logging.getLogger("nibabel.quiet")
    logger.setLevel(logging.CRITICAL + 1)
    try:
        header = kind(start[:length], check=False)
        header.check_fix(logger=logger, error_level=40)
    except BROKEN as error:
        raise InputError(
            str(path), f"has a damaged header ({_short(error)}).", EXPORT_AGAIN
        ) from None
    return header


def _truncated(path: Path, promised: int, found: int) -> InputError:
    what = f"is truncated: the header promises {promised} bytes, the file holds {found}."
    return InputError(str(path), what, EXPORT_AGAIN)


def _no_such_file(path: Path) -> MissingError:
    return MissingError(str(path), "there is no such file.", "Check the path.")


def _shape(path: Path, header: nib.Nifti1Header) -> tuple[int, ...]:
    """Shape of the image, without axes of length one at the end."""
    dim = [int(n) for n in header["dim"]]
    shape = dim[1 : dim[0] + 1] if 1 <= dim[0] <= 7 else []
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise InputError(
            str(path),
            f"expected an image of three dimensions (or four, echoes last), found {shape}.",
            "Give one file for each echo, or one with all echoes.",
        )
    return tuple(shape)


def _size(path: Path, header: nib.Nifti1Header) -> int:
    """Bytes of the file up to the end of the image."""
    shape = _shape(path, header)
    try:
        dtype = header.get_data_dtype()
        offset = int(header["vox_offset"])
    except BROKEN as error:
        raise InputError(
            str(path), f"has a damaged header ({_short(error)}).", EXPORT_AGAIN
        ) from None
    if dtype.kind not in "iuf" or offset < 0 or offset > SLACK:
        raise InputError(
            str(path),
            f"holds values of the kind {dtype.name}, expected one number a voxel.",
            "Convert it to integers or floats.",
        )
    return offset + math.prod(shape) * int(dtype.itemsize)


def _affine(path: Path, header: nib.Nifti1Header) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Affine as nibabel chooses it (sform before qform), and what is odd about it."""
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        sform, qform = header.get_sform(coded=True), header.get_qform(coded=True)
    except (*BROKEN, np.linalg.LinAlgError) as error:
        raise InputError(
            str(path), f"has no usable orientation ({_short(error)}).", EXPORT_AGAIN
        ) from None
    _check_affine(path, affine)
    warnings: list[str] = []
    if sform[1] == 0 and qform[1] == 0:
        warnings.append("No orientation in the header: left and right are only assumed.")
    elif sform[1] and qform[1]:
        corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(_shape(path, header)[:3]) - 1)
        offsets = (sform[0] - qform[0]) @ np.c_[corners, np.ones(8)].T
        apart = float(np.abs(offsets).max())
        if apart > 10 * TOLERANCE_MM:
            warnings.append(f"sform and qform differ by up to {apart:.1f} mm: the sform was used.")
    return affine, tuple(warnings)


def _check_affine(path: Path, affine: NDArray[np.float64]) -> None:
    remedy = "Repair the header of the image."
    if not np.isfinite(affine).all():
        raise InputError(str(path), "the affine of the header is not finite.", remedy)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() < SMALLEST_MM or sizes.max() > LARGEST_MM:
        shown = " x ".join(f"{s:.3g}" for s in sizes)
        raise InputError(str(path), f"voxels of {shown} mm cannot be right.", remedy)
    if abs(np.linalg.det(affine[:3, :3] / sizes)) < FLAT or np.isnan(io_orientation(affine)).any():
        raise InputError(str(path), "the affine of the header is singular.", remedy)


def _values(path: Path, header: nib.Nifti1Header, content: bytes) -> NDArray[np.float32]:
    shape = _shape(path, header)
    offset = int(header["vox_offset"])
    try:
        slope, inter = header.get_slope_inter()
    except BROKEN as error:
        raise InputError(
            str(path), f"has a damaged scaling ({_short(error)}).", EXPORT_AGAIN
        ) from None
    stored = np.frombuffer(content, header.get_data_dtype(), math.prod(shape), offset)
    data = stored.reshape(shape, order="F")
    if slope is None or (slope == 1 and not inter):
        with np.errstate(over="ignore", invalid="ignore"):
            return data.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return (data * np.float64(slope) + np.float64(inter)).astype(np.float32)


def _short(error: BaseException) -> str:
    return str(error).strip().rstrip(".").replace("\n", " ") or type(error).__name__


def finite(volume: Volume) -> Volume:
    """Return the volume.

    Raises
    ------
    InputError
        It holds NaN or infinite values.
    """
    bad = int(np.count_nonzero(~np.isfinite(volume.data)))
    if bad:
        raise InputError(
            volume.source,
            f"{bad} of {volume.data.size} values are NaN or infinite.",
            "Replace them, by 0 where there is no signal.",
        )
    return volume
