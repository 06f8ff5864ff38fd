"""Seeded damage to NIfTI files, and what reading them may come to."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.nifti import finite, read_volume, write_volume

Rng = np.random.Generator
SHAPE = (9, 8, 7)
HEADER = 352
FIELDS = {
    "sizeof_hdr": (0, "<i4"),
    "dim": (40, "<i2"),
    "datatype": (70, "<i2"),
    "bitpix": (72, "<i2"),
    "pixdim": (76, "<f4"),
    "vox_offset": (108, "<f4"),
    "scl_slope": (112, "<f4"),
    "scl_inter": (116, "<f4"),
    "codes": (252, "<i2"),
    "quatern": (256, "<f4"),
    "srow": (280, "<f4"),
    "magic": (344, "<i4"),
}
"""Offset and type of the first number of each field of the header."""
EXTREMES = (0, -1, 1, 7, 8, 255, 32767, -32768, 2**31 - 1, 1e38, -1e38, 1e-38, np.inf, np.nan)


def original(folder: Path) -> tuple[Path, Path, Volume]:
    """Write a small tilted image, plain and compressed."""
    c, s = np.cos(0.3), np.sin(0.3)
    turn = np.array([[1, 0, 0, 5], [0, c, -s, -3], [0, s, c, 2], [0, 0, 0, 1]])
    grid = Grid(SHAPE, turn @ np.diag([1, 1.5, 2, 1]), "LPS")
    data = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    write_volume(Volume(data, grid), folder / "good.nii")
    write_volume(Volume(data, grid), folder / "good.nii.gz")
    return folder / "good.nii", folder / "good.nii.gz", read_volume(folder / "good.nii")


def _flipped(content: bytes, rng: Rng, low: int, high: int, most: int) -> bytes:
    changed = bytearray(content)
    for place in rng.integers(low, min(high, len(content)), rng.integers(1, most + 1)):
        changed[place] ^= 1 << rng.integers(8)
    return bytes(changed)


def _random_header(content: bytes, rng: Rng) -> bytes:
    changed = bytearray(content)
    for place in rng.integers(0, HEADER, rng.integers(1, 6)):
        changed[place] = rng.integers(256)
    return bytes(changed)


def _extreme_header(content: bytes, rng: Rng) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        start, kind = FIELDS[list(FIELDS)[rng.integers(len(FIELDS))]]
        size = np.dtype(kind).itemsize
        place = start + size * int(rng.integers(0, 4))
        value = EXTREMES[rng.integers(len(EXTREMES))]
        if "i" in kind:
            limits = np.iinfo(kind)
            value = int(np.clip(np.nan_to_num(value), limits.min, limits.max))
        changed[place : place + size] = np.array([value]).astype(kind).tobytes()
    return bytes(changed)


def _cut(content: bytes, rng: Rng) -> bytes:
    return content[: rng.integers(0, len(content))]


def _longer(content: bytes, rng: Rng) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 3000)))


Damage = Callable[[bytes, Rng], bytes]
PLAIN: tuple[Damage, ...] = (
    lambda plain, rng: _flipped(plain, rng, 0, HEADER, 4),
    _random_header,
    _extreme_header,
    _cut,
    lambda plain, rng: gzip.compress(_extreme_header(plain, rng), 1),
    lambda plain, rng: gzip.compress(_random_header(plain, rng), 1),
    lambda plain, rng: gzip.compress(_cut(plain, rng), 1),
)
"""Damage to the plain bytes: the file may be a valid image of other values."""
PACKED: tuple[Damage, ...] = (
    lambda packed, rng: _flipped(packed, rng, 0, len(packed), 1),
    lambda packed, rng: _flipped(packed, rng, 0, 18, 2),
    lambda packed, rng: _flipped(packed, rng, len(packed) - 8, len(packed), 2),
    lambda packed, rng: _flipped(packed, rng, 0, len(packed), 6),
    _cut,
    _longer,
)
"""Damage to the compressed bytes: the image must be the same, or be refused."""
KINDS = (*((kind, False) for kind in PLAIN), *((kind, True) for kind in PACKED))


def attack(folder: Path, seeds: Iterable[int]) -> Counter[str]:
    """Damage the image once for each seed and read it.

    Returns
    -------
    Counter
        How often it was refused, read the same, or read as another valid image.

    Raises
    ------
    AssertionError
        Wrong voxels from a damaged compressed file, or an image that cannot be.
    """
    good_plain, good_packed, good = original(folder)
    plain, packed = good_plain.read_bytes(), good_packed.read_bytes()
    came: Counter[str] = Counter()
    for seed in seeds:
        kind, of_packed = KINDS[seed % len(KINDS)]
        content = kind(packed if of_packed else plain, np.random.default_rng(seed))
        path = folder / ("bad.nii.gz" if seed % 2 else "bad.nii")
        path.write_bytes(content)
        found, said = _read(path)
        if found is None:
            assert said is not None
            assert said.where == str(path), (seed, said)
            assert said.what.endswith("."), (seed, said)
            assert said.remedy.endswith("."), (seed, said)
            came["refused"] += 1
            continue
        same = found.grid == good.grid and np.array_equal(found.data, good.data)
        assert same or not of_packed, f"seed {seed}: wrong voxels from a damaged compressed file"
        assert np.isfinite(found.grid.affine).all(), seed
        assert min(found.grid.voxel_size) > 0, seed
        assert found.data.shape[:3] == found.grid.shape, seed
        assert np.isfinite(found.data).all(), seed
        came["same" if same else "other"] += 1
    return came


def _read(path: Path) -> tuple[Volume | None, InputError | None]:
    try:
        return finite(read_volume(path)), None
    except InputError as error:
        return None, error
