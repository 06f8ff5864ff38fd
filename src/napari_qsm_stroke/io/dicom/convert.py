"""Stacks to NIfTI by dcm2niix, a child process; what it writes is checked against the headers.

It is given links of neutral names, so that it never sees the names of files and folders.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dcm2niix
import nibabel as nib
import numpy as np

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.dicom.child import GIGABYTE, run_confined
from napari_qsm_stroke.io.dicom.scan import EXPORT_AGAIN
from napari_qsm_stroke.io.nifti import read_nifti
from napari_qsm_stroke.io.sidecar import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from napari_qsm_stroke.io.dicom.stacks import Stack
    from napari_qsm_stroke.io.nifti import NiftiFile

LEAST_MEMORY = 2 * GIGABYTE
MEMORY_PER_BYTE = 8
"""Memory that a conversion may take, for each byte of its files (they may be compressed)."""
LEAST_S, S_PER_GIGABYTE = 120.0, 300.0
CORNERS = 0.1
"""The image may lie that part of a voxel off the place that the headers say."""
TIMES_S = 1e-4
SUFFIXES = {"phase": "PHASE", "real": "REAL", "imaginary": "IMAGINARY"}
OPTIONS = ("-b", "y", "-ba", "y", "-z", "n", "-g", "i", "-i", "n", "-p", "y", "-f", "image")
"""Sidecars without names, no compression, no settings of the user, Philips values as measured."""


@dataclass(frozen=True)
class Converted:
    """One stack as NIfTI."""

    stack: Stack
    path: Path
    file: NiftiFile
    sidecar: dict[str, Any]


def convert(
    stacks: Sequence[Stack], folder: Path, look: Callable[[float], None]
) -> list[Converted]:
    """Convert stacks, each to one image.

    Parameters
    ----------
    stacks : sequence of Stack
        Stacks that share files (echoes and components of one multi-frame file) are converted
        together.
    folder : path
        For links and images; the caller removes it.
    look : callable
        Called with the fraction done; may raise ``Cancelled``.

    Raises
    ------
    InputError
        The conversion fails, takes too long or too much memory, or its image is another one than
        the headers say.
    """
    found = []
    groups = _groups(stacks)
    for index, group in enumerate(groups):
        place = folder / f"{index:03d}"

        def tell(_lines: int, index: int = index) -> None:
            look(index / len(groups))

        images = _run(group, place, tell)
        found += [_checked(stack, _of_stack(stack, images, len(group) == 1)) for stack in group]
    look(1.0)
    return found


def _groups(stacks: Sequence[Stack]) -> list[list[Stack]]:
    """Stacks that share files, together."""
    groups: list[tuple[set[int], list[Stack]]] = []
    for stack in stacks:
        files = {file.index for file in stack.files}
        shared = [group for group in groups if group[0] & files]
        for group in shared:
            groups.remove(group)
            files |= group[0]
        groups.append((files, [*(s for group in shared for s in group[1]), stack]))
    return [group for _, group in groups]


def _run(stacks: Sequence[Stack], place: Path, look: Callable[[int], None]) -> list[Path]:
    """Run dcm2niix on the files of some stacks and return the images that it wrote."""
    files = {file.index: file for stack in stacks for file in stack.files}
    source, target = place / "in", place / "out"
    source.mkdir(parents=True)
    target.mkdir()
    size = 0
    for index, file in sorted(files.items()):
        _link(file.path, source / f"{index:06d}.dcm")
        size += file.path.stat().st_size
    ending = run_confined(
        [str(dcm2niix.bin), *OPTIONS, "-o", str(target), str(source)],
        memory=LEAST_MEMORY + MEMORY_PER_BYTE * size,
        patience=LEAST_S + S_PER_GIGABYTE * size / GIGABYTE,
        folder=place,
        look=look,
    )
    shutil.rmtree(source)
    images = sorted(target.glob("*.nii"))
    if ending.stopped_for or ending.code or not images:
        why = f"too much {ending.stopped_for}" if ending.stopped_for else f"code {ending.code}"
        raise InputError(where(stacks[0]), f"cannot be converted ({why}).", EXPORT_AGAIN)
    return images


def where(stack: Stack) -> str:
    """Name a stack without quoting any text of its header."""
    number = "without number" if stack.first.number is None else stack.first.number
    return f"Series {number} ({stack.kind.name})"


def _link(source: Path, link: Path) -> None:
    try:
        link.symlink_to(source.resolve())
    except OSError:  # Windows allows links to administrators only
        try:
            os.link(source, link)
        except OSError:
            shutil.copyfile(source, link)


def _of_stack(stack: Stack, images: Iterable[Path], alone: bool) -> Path:
    """Find the image of a stack among those of a conversion."""
    found = list(images) if alone else [image for image in images if _fits(stack, image)]
    if len(found) != 1:
        raise InputError(
            where(stack),
            f"{len(found)} images came out of its conversion, expected one: its slices do not "
            "make one volume.",
            EXPORT_AGAIN,
        )
    return found[0]


def _fits(stack: Stack, image: Path) -> bool:
    sidecar = _sidecar(image)
    types = {str(word).upper() for word in sidecar.get("ImageType", [])}
    component = next((name for name, word in SUFFIXES.items() if word in types), "magnitude")
    time = sidecar.get("EchoTime")
    if component != stack.component:
        return False
    if stack.echo_time is None or not isinstance(time, (int, float)):
        return True
    return bool(abs(time - stack.echo_time / 1000) < TIMES_S)


def _sidecar(image: Path) -> dict[str, Any]:
    try:
        said = json.loads(beside(image, ".json").read_text("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _checked(stack: Stack, path: Path) -> Converted:
    try:
        file = read_nifti(path)
    except InputError as error:
        raise InputError(where(stack), f"its image {error.what}", EXPORT_AGAIN) from None
    if "MOSAIC" not in stack.frame.types:
        _check_place(stack, path)
    values = file.volume.data
    if not np.isfinite(values).all():
        raise InputError(where(stack), "its image holds NaN or infinite values.", EXPORT_AGAIN)
    return Converted(stack, path, file, _sidecar(path))


def _check_place(stack: Stack, path: Path) -> None:
    """Refuse an image that lies elsewhere than the headers of its slices say."""
    with path.open("rb") as stream:
        header = nib.Nifti1Header.from_fileobj(stream)
    shape = tuple(int(n) for n in header.get_data_shape()[:3])
    expected = stack.shape()
    if shape != expected:
        raise InputError(
            where(stack), f"its image has {shape} voxels, expected {expected}.", EXPORT_AGAIN
        )
    affine = header.get_best_affine()
    ends = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners = ends * (np.array(shape) - 1) @ affine[:3, :3].T + affine[:3, 3]
    said = stack.corners()
    apart = np.linalg.norm(corners[:, None] - said[None], axis=2).min(axis=0).max()
    voxel = float(np.linalg.norm(affine[:3, :3], axis=0).min())
    if not apart < CORNERS * voxel:
        raise InputError(
            where(stack),
            f"its image lies {apart:.2f} mm off the place that the headers say.",
            EXPORT_AGAIN,
        )
