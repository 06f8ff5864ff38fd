"""NIfTI files: read to their last byte, checked, in canonical order; written back as stored.

nibabel reads only the bytes that it needs and so never reaches the checksum at the end of a
compressed file: a flipped bit then gives wrong values in silence. Here every file is read whole.
"""

from __future__ import annotations

import gzip
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import psutil
from isal import igzip, isal_zlib
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
from napari_qsm_stroke.io.faults import Note
from napari_qsm_stroke.io.orientation import affine_of
from napari_qsm_stroke.io.stored import Stored, fill

if TYPE_CHECKING:
    from io import BufferedIOBase, BufferedReader

    from numpy.typing import NDArray

    Content = NDArray[np.uint8]

PACKED = b"\x1f\x8b"
"""First bytes of a gzip file."""
SLACK = 1 << 20
"""Bytes that may follow the image in its file (some programs pad)."""
PIECE = 1 << 20
"""Bytes unpacked at a time: gzip keeps a second copy of each piece."""
SHARE_OF_MEMORY = 0.25
"""Of the free memory, that one file may take when it is unpacked."""
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
    isal_zlib.error,
)
"""What nibabel and gzip raise on a damaged file (found by fuzzing)."""


@dataclass(frozen=True, eq=False)
class UnpackedFile:
    """An image in the memory as its file holds it, checked; its values are still to be scaled."""

    path: Path
    stored: Stored
    grid: Grid
    notes: tuple[Note, ...]
    scaling: tuple[float, float] | None

    def holding(self, data: NDArray[np.float32], unit: str = "") -> NiftiFile:
        """Return the file with its values in ``data``, which ``fill`` wrote."""
        return NiftiFile(Volume(data, self.grid, unit, str(self.path)), self.notes, self.scaling)


@dataclass(frozen=True)
class NiftiFile:
    """An image in canonical order and what was odd about its header."""

    volume: Volume
    notes: tuple[Note, ...] = ()
    scaling: tuple[float, float] | None = None
    """Slope and intercept of integers in the file; None where values are stored as they are."""


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
    unpacked = unpack(path)
    data = np.empty(unpacked.stored.values.shape, np.float32)
    fill([unpacked.stored], data)
    return unpacked.holding(data, unit)


def unpack(path: str | Path) -> UnpackedFile:
    """Read an image into memory as it is stored; raises as ``read_volume`` does."""
    path = Path(path)
    with np.errstate(all="ignore"):  # what a damaged header comes to is checked, not warned of
        header, content, packed = _unpack(path)
        affine, notes = affine_of(str(path), header, _shape(path, header))
        values, slope, intercept = _values(path, header, content)
        orientation = io_orientation(affine)
        stored = Stored(apply_orientation(values, orientation), slope, intercept)
    stored_as = "".join(nib.aff2axcodes(affine))
    canonical = affine @ inv_ornt_aff(orientation, values.shape[:3])
    try:
        grid = Grid(stored.values.shape[:3], canonical, stored_as)
    except InputError as error:
        raise InputError(str(path), error.what, error.remedy) from None
    notes = (*notes, *_odd(path, header, content, packed))
    return UnpackedFile(path, stored, grid, notes, _scaling(header))


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
            packed = raw.read(2) == PACKED
            raw.seek(0)
            start = igzip.GzipFile(fileobj=raw).read(540) if packed else raw.read(540)
    except FileNotFoundError:
        raise _no_such_file(path) from None
    except (EOFError, isal_zlib.error, OSError) as error:
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


def _unpack(path: Path) -> tuple[nib.Nifti1Header, Content, bool]:
    """Header and all bytes of the file, decompressed and checked to the end."""
    with _opened(path) as file:
        stored = path.stat().st_size
        packed = file.read(2) == PACKED
        file.seek(0)
        stream: BufferedIOBase = igzip.GzipFile(fileobj=file) if packed else file
        try:
            start = stream.read(540)
            header = _header(path, start)
            size = _size(path, header)
            if size > stored * (MOST_PACKED if packed else 1):
                raise _truncated(path, size, stored)
            _check_memory(path, size)
            content = np.empty(max(size, len(start)), np.uint8)
            found = _read_into(content.data, start, stream)
            rest = len(stream.read(SLACK + 1))
        except (EOFError, isal_zlib.error, OSError) as error:
            raise InputError(
                str(path), f"is truncated or damaged ({_short(error)}).", EXPORT_AGAIN
            ) from None
    if found < size:
        raise _truncated(path, size, found)
    if rest > SLACK:
        raise InputError(
            str(path), f"holds more than the {size} bytes that its header says.", EXPORT_AGAIN
        )
    return header, content, packed


def _read_into(content: memoryview, start: bytes, stream: BufferedIOBase) -> int:
    """Fill ``content`` with what was read and what the stream still has; gives the length."""
    content[: len(start)] = start
    found = len(start)
    while found < len(content):
        count = stream.readinto(content[found : found + PIECE])
        if not count:
            break
        found += count
    return found


def _opened(path: Path) -> BufferedReader:
    """The file, where it can be read and is not empty."""
    try:
        if path.is_dir():
            raise InputError(str(path), "is a folder, expected a file.", "Give the image in it.")
        if not path.is_file():
            raise _no_such_file(path)
        if path.stat().st_size == 0:
            raise InputError(str(path), "is empty (0 bytes).", EXPORT_AGAIN)
        return path.open("rb")
    except OSError as error:
        raise InputError(
            str(path), f"cannot be read ({error.strerror}).", "Check the name and the rights."
        ) from None


def _check_memory(path: Path, size: int) -> None:
    free = psutil.virtual_memory().available
    if size > SHARE_OF_MEMORY * free:
        raise InputError(
            str(path),
            f"takes {size / 1e9:.1f} GB unpacked, {free / 1e9:.1f} GB of memory are free.",
            "Check the size that its header says, or use a machine with more memory.",
        )


def _odd(path: Path, header: nib.Nifti1Header, content: Content, packed: bool) -> list[Note]:
    """What is odd about a file that can be read all the same."""
    odd = []
    if packed != path.name.lower().endswith(".gz"):
        what = "is compressed" if packed else "is not compressed"
        ending = ".nii.gz" if packed else ".nii"
        odd.append(Note(str(path), f"{what}, its name says otherwise.", f"Rename it to {ending}."))
    as_stored = type(header)(bytes(content[: int(header["sizeof_hdr"])]), check=False)
    if (as_stored["pixdim"][1:4] < 0).any():
        what = "has a negative voxel size in its header: only the orientation was used."
        odd.append(Note(str(path), what, "Check left and right."))
    return odd


def _header(path: Path, start: bytes) -> nib.Nifti1Header:
    kinds: dict[int, type[nib.Nifti1Header]] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
    sizes = {int.from_bytes(start[:4], order) for order in ("little", "big")}
    kind = next((kinds[n] for n in sizes if n in kinds), None)
    length = next((n for n in sizes if n in kinds), 0)
    magic = start[344:348] if length == 348 else start[4:8]
    if start[:2] == PACKED:
        raise InputError(str(path), "is compressed twice.", "Unpack it once, e.g. with gunzip.")
    if magic in {b"ni1\0", b"ni2\0"}:
        raise InputError(
            str(path), "keeps its image in another file (.img).", "Convert it to one .nii file."
        )
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


def _values(
    path: Path, header: nib.Nifti1Header, content: Content
) -> tuple[NDArray[Any], float, float]:
    """Values as stored, in the order of the file, with slope and intercept."""
    shape = _shape(path, header)
    offset = int(header["vox_offset"])
    try:
        slope, inter = header.get_slope_inter()
    except BROKEN as error:
        raise InputError(
            str(path), f"has a damaged scaling ({_short(error)}).", EXPORT_AGAIN
        ) from None
    stored = np.frombuffer(content, header.get_data_dtype(), math.prod(shape), offset)
    stored = stored.reshape(shape, order="F")
    return stored, 1.0 if slope is None else float(slope), float(inter or 0)


def _scaling(header: nib.Nifti1Header) -> tuple[float, float] | None:
    """Slope and intercept of integers, where the header has them."""
    slope, inter = header.get_slope_inter()
    if slope is None or header.get_data_dtype().kind not in "iu" or (slope == 1 and not inter):
        return None
    return float(slope), float(inter or 0.0)


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
        raise not_finite(volume.source, bad, volume.data.size)
    return volume


def not_finite(where: str, bad: int, size: int) -> InputError:
    """Return what is said of an image with values that are NaN or infinite."""
    what = f"{bad} of {size} values are NaN or infinite."
    return InputError(where, what, "Replace them, by 0 where there is no signal.")
