"""Reading to the last byte, orders of axes, writing whole or not at all."""

from __future__ import annotations

import gzip
import itertools
import os
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.io.nifti import read_nifti, read_shape, read_volume, write_volume

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = [
    "".join(codes)
    for axes in itertools.permutations(("LR", "PA", "IS"))
    for codes in itertools.product(*axes)
]


def tilted(shape: tuple[int, int, int], order: str = "RAS") -> Grid:
    angle = np.radians(11)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.9, 1.1, 2.0])
    affine[:3, 3] = (-20, -30, 12)
    return Grid(shape, affine, order)


def volume(order: str = "RAS", kind: type = np.float32) -> Volume:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 2, (5, 6, 7)) if kind is np.uint8 else rng.normal(0, 1, (5, 6, 7))
    return Volume(data.astype(kind), tilted((5, 6, 7), order), "ppm")


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_of_axes_comes_back_and_is_written_as_it_was(order: str, tmp_path: Path):
    original = volume(order)
    path = write_volume(original, tmp_path / "map.nii.gz")
    stored = nib.load(path)
    assert "".join(nib.aff2axcodes(stored.affine)) == order
    again = read_volume(path, "ppm")
    assert np.array_equal(again.data, original.data)
    assert again.grid == original.grid
    assert again.grid.stored_as == order
    assert path.read_bytes() == write_volume(again, tmp_path / "again.nii.gz").read_bytes()


def test_position_of_a_voxel_agrees_with_nibabel(tmp_path: Path):
    data = np.zeros((5, 6, 7), np.float32)
    data[1, 2, 3] = 1
    ras = tilted((5, 6, 7))
    back = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt("PIR"))
    stored = nib.orientations.apply_orientation(data, back)
    nib.Nifti1Image(stored, ras.affine @ inv_ornt_aff(back, data.shape)).to_filename(
        tmp_path / "a.nii"
    )
    found = read_volume(tmp_path / "a.nii")
    assert tuple(np.argwhere(found.data)[0]) == (1, 2, 3)
    assert found.grid == ras


def test_equal_volumes_give_equal_bytes_and_masks_stay_small(tmp_path: Path):
    one = write_volume(volume(kind=np.uint8), tmp_path / "one.nii.gz").read_bytes()
    two = write_volume(volume(kind=np.uint8), tmp_path / "two.nii.gz").read_bytes()
    assert one == two
    assert nib.load(tmp_path / "one.nii.gz").get_data_dtype() == np.uint8


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_every_number_format_reads_as_nibabel_reads_it(order, kind, dtype, tmp_path: Path):
    values = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(order + dtype)
    image = kind(values, np.diag([2, 2, 2, 1.0]))
    image.header.set_data_dtype(np.dtype(order + dtype))
    if image.header.endianness != order:
        image = kind(values, image.affine, image.header.as_byteswapped(order))
    image.header.set_slope_inter(1.5, -3)
    image.to_filename(tmp_path / "a.nii")
    found = read_volume(tmp_path / "a.nii")
    expected = nib.load(tmp_path / "a.nii").get_fdata(dtype=np.float32)
    assert found.data.dtype == np.float32
    np.testing.assert_allclose(found.data, expected, rtol=1e-6)


def test_the_content_not_the_name_says_what_a_file_is(tmp_path: Path):
    packed = write_volume(volume(), tmp_path / "a.nii.gz")
    plain = write_volume(volume(), tmp_path / "b.nii")
    (tmp_path / "packed.nii").write_bytes(packed.read_bytes())
    (tmp_path / "plain.nii.gz").write_bytes(plain.read_bytes())
    for name in ("packed.nii", "plain.nii.gz"):
        assert np.array_equal(read_volume(tmp_path / name).data, volume().data)
        assert read_shape(tmp_path / name) == (5, 6, 7)


def test_no_flipped_bit_of_a_compressed_file_gives_other_values(tmp_path: Path):
    path = write_volume(volume(), tmp_path / "a.nii.gz")
    good = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    refused = 0
    for place, bit in zip(rng.integers(10, len(good), 400), rng.integers(0, 8, 400), strict=True):
        bad = good.copy()
        bad[place] ^= 1 << bit
        path.write_bytes(bad)
        with pytest.raises(InputError):
            read_volume(path)
        refused += 1
    assert refused == 400


def test_a_damaged_header_is_refused_or_gives_a_possible_image(tmp_path: Path):
    path = write_volume(volume(), tmp_path / "a.nii")
    good = bytearray(path.read_bytes())
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(1500):
        bad = good.copy()
        for place in rng.integers(0, 352, rng.integers(1, 4)):
            bad[place] = rng.integers(0, 256)
        path.write_bytes(bad[: rng.integers(1, len(bad))] if rng.random() < 0.1 else bad)
        try:
            found = read_volume(path)
        except InputError:
            refused += 1
        else:
            assert np.isfinite(found.grid.affine).all()
            assert min(found.grid.voxel_size) > 0
            assert found.data.shape[:3] == found.grid.shape
    assert 100 < refused < 1500


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_file_is_refused(name: str, tmp_path: Path):
    path = write_volume(volume(), tmp_path / name)
    whole = path.read_bytes()
    for length in (0, 5, 200, 400, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_volume(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_promises_more_than_memory_holds_is_refused(packed, tmp_path: Path):
    image = nib.Nifti2Image(np.ones((4, 5, 6), np.float32), np.eye(4))
    image.header["dim"][1:4] = 2**40
    content = bytes(image.header.binaryblock) + bytes(1000)
    (tmp_path / "a.nii").write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match="truncated"):
        read_volume(tmp_path / "a.nii")


def test_a_bomb_is_not_unpacked(tmp_path: Path):
    path = write_volume(volume(), tmp_path / "a.nii")
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(path.read_bytes() + bytes(50_000_000)))
    with pytest.raises(InputError, match="more than"):
        read_volume(tmp_path / "bomb.nii.gz")


def test_other_kinds_of_files_are_refused(tmp_path: Path):
    colour = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.Nifti1Image(colour, np.eye(4)).to_filename(tmp_path / "colour.nii")
    nib.Nifti1Image(np.zeros((4, 4), np.float32), np.eye(4)).to_filename(tmp_path / "flat.nii")
    (tmp_path / "text.nii").write_text("not an image " * 100)
    for name in ("colour.nii", "flat.nii", "text.nii"):
        with pytest.raises(InputError, match=name):
            read_volume(tmp_path / name)
    with pytest.raises(MissingError, match="no such file"):
        read_volume(tmp_path / "nowhere.nii")


def test_two_orientations_that_differ_are_named(tmp_path: Path):
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.float32), np.diag([1, 1, 1, 1.0]))
    moved = np.diag([1, 1, 1, 1.0])
    moved[0, 3] = 4
    image.set_sform(moved, code=1)
    image.set_qform(np.diag([1, 1, 1, 1.0]), code=1)
    image.to_filename(tmp_path / "a.nii")
    found = read_nifti(tmp_path / "a.nii")
    (note,) = found.notes
    assert note.what == "sform and qform differ by up to 4.0 mm: the sform was used."
    assert np.array_equal(found.volume.grid.affine, nib.load(tmp_path / "a.nii").affine)


def test_a_header_without_orientation_is_named(tmp_path: Path):
    nib.Nifti1Image(np.ones((4, 5, 6), np.float32), None).to_filename(tmp_path / "a.nii")
    assert "left and right" in str(read_nifti(tmp_path / "a.nii").notes[0])


def test_two_orientations_that_swap_left_and_right_are_refused(tmp_path: Path):
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.float32), np.eye(4))
    image.set_sform(np.diag([1, 1, 1, 1.0]), code=1)
    image.set_qform(np.diag([-1, 1, 1, 1.0]), code=1)
    image.to_filename(tmp_path / "a.nii")
    with pytest.raises(InputError, match="left and right on opposite sides"):
        read_volume(tmp_path / "a.nii")


def test_a_name_that_does_not_fit_the_content_is_named(tmp_path: Path):
    packed = write_volume(volume(), tmp_path / "a.nii.gz")
    (tmp_path / "b.nii").write_bytes(packed.read_bytes())
    assert read_nifti(packed).notes == ()
    (note,) = read_nifti(tmp_path / "b.nii").notes
    assert str(note) == "is compressed, its name says otherwise. Rename it to .nii.gz."


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch):
    class Little:
        available = 1000

    monkeypatch.setattr("napari_qsm_stroke.io.nifti.psutil.virtual_memory", lambda: Little)
    path = write_volume(volume(), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match="GB of memory are free"):
        read_volume(path)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(failing: str, tmp_path: Path, monkeypatch):
    path = write_volume(volume(), tmp_path / "a.nii.gz")
    before = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_volume(volume("LPS"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]
