"""Forty bad or odd files: each gives a sentence that names file, fault and remedy.

An error keeps the examination from being run; a warning says what was made of the file, and the
examination then holds the right values.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.faults.fault_suite.tiny import Tiny

from napari_qsm_stroke import Grid, Volume, load
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.check import check_dataset
from napari_qsm_stroke.io.load import load_files
from napari_qsm_stroke.io.nifti import read_volume, write_volume

Spoil = Callable[[Tiny], Path]


def image_of(path: Path) -> nib.Nifti1Image:
    """The image in memory, away from its file."""
    return nib.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes()))


def save(image: nib.Nifti1Image, path: Path) -> Path:
    path.write_bytes(gzip.compress(image.to_bytes()))
    return path


def nothing_in_it(tiny: Tiny) -> Path:
    tiny.echo(1).write_bytes(b"")
    return tiny.echo(1)


def a_header_only(tiny: Tiny) -> Path:
    path = tiny.echo(1)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:352]))
    return path


def plain_named_gz(tiny: Tiny) -> Path:
    path = tiny.echo(1)
    path.write_bytes(gzip.decompress(path.read_bytes()))
    return path


def gz_named_plain(tiny: Tiny) -> Path:
    return tiny.echo(1).rename(tiny.echo(1).with_suffix(""))


def compressed_twice(tiny: Tiny) -> Path:
    path = tiny.echo(1)
    path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def cut_short(tiny: Tiny) -> Path:
    path = tiny.echo(2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def one_bit(tiny: Tiny) -> Path:
    content = bytearray(tiny.echo(2).read_bytes())
    content[len(content) // 2] ^= 16
    tiny.echo(2).write_bytes(content)
    return tiny.echo(2)


def an_html_page(tiny: Tiny) -> Path:
    tiny.echo(1).write_text("<html>Log in to download</html>" * 30)
    return tiny.echo(1)


def a_folder(tiny: Tiny) -> Path:
    tiny.dwi("01", "ADC").unlink()
    tiny.dwi("01", "ADC").mkdir()
    return tiny.dwi("01", "ADC")


def shifted_qform(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    moved = image.affine.copy()
    moved[1, 3] += 7
    image.set_qform(moved, code=1)
    return save(image, tiny.echo(1))


def mirrored_qform(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    image.set_qform(np.diag([-1, 1, 1, 1.0]) @ image.affine, code=1)
    return save(image, tiny.echo(1))


def no_codes(tiny: Tiny) -> Path:
    for part in ("mag", "phase"):
        for path in tiny.images(part):
            content = bytearray(gzip.decompress(path.read_bytes()))
            content[252:256] = bytes(4)  # qform_code and sform_code
            path.write_bytes(gzip.compress(content))
    return tiny.echo(1)


def oblique(tiny: Tiny) -> Path:
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    turn = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    for part in ("mag", "phase"):
        for path in tiny.images(part):
            volume = read_volume(path)
            grid = Grid(volume.grid.shape, turn @ volume.grid.affine, volume.grid.stored_as)
            write_volume(Volume(volume.data, grid), path)
    return tiny.echo(1)


def negative_zoom(tiny: Tiny) -> Path:
    content = bytearray(gzip.decompress(tiny.echo(1).read_bytes()))
    content[84:88] = np.float32(-2.5).tobytes()  # pixdim[2]
    tiny.echo(1).write_bytes(gzip.compress(content))
    return tiny.echo(1)


def zero_zoom(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    image.set_sform(np.diag([0, 1, 1, 1.0]), code=1)
    return save(image, tiny.echo(1))


def not_finite_affine(tiny: Tiny) -> Path:
    content = bytearray(gzip.decompress(tiny.echo(1).read_bytes()))
    content[280:284] = np.float32(np.nan).tobytes()  # srow_x
    tiny.echo(1).write_bytes(gzip.compress(content))
    return tiny.echo(1)


def two_dimensions(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    return save(nib.Nifti1Image(np.asarray(image.dataobj)[:, :, 0], image.affine), tiny.echo(1))


def several_images_in_one_echo(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    data = np.stack([np.asarray(image.dataobj)] * 3, axis=3)
    return save(nib.Nifti1Image(data, image.affine), tiny.echo(1))


def an_echo_of_the_phase_missing(tiny: Tiny) -> Path:
    tiny.echo(2, "phase").unlink()
    return tiny.echo(1).parent


def an_echo_missing_altogether(tiny: Tiny) -> Path:
    for part in ("mag", "phase"):
        tiny.echo(2, part).unlink()
    return tiny.echo(1).parent


def echo_times_in_milliseconds(tiny: Tiny) -> Path:
    for part in ("mag", "phase"):
        for echo, path in enumerate(tiny.images(part), 1):
            tiny.sidecar(path, EchoTime=5 * echo)
    return tiny.echo(1)


def no_echo_time(tiny: Tiny) -> Path:
    for part in ("mag", "phase"):
        tiny.sidecar(tiny.echo(2, part), EchoTime=None)
    return tiny.echo(2)


def field_strength_in_hertz(tiny: Tiny) -> Path:
    for part in ("mag", "phase"):
        for path in tiny.images(part):
            tiny.sidecar(path, MagneticFieldStrength=127.7e6)
    return tiny.root / "sub-01"


def phase_in_unknown_units(tiny: Tiny) -> Path:
    for path in tiny.images("phase"):
        tiny.rewrite(path, lambda data: data * 57)
        tiny.sidecar(path, Units="arbitrary")
    return tiny.echo(1, "phase")


def phase_in_hertz(tiny: Tiny) -> Path:
    tiny.sidecar(tiny.echo(1, "phase"), Units="Hz")
    return tiny.echo(1, "phase")


def unwrapped_phase(tiny: Tiny) -> Path:
    tiny.rewrite(tiny.echo(3, "phase"), lambda data: data * 4)
    return tiny.echo(1, "phase")


def nan_background(tiny: Tiny) -> Path:
    def change(data: np.ndarray) -> np.ndarray:
        data[:3] = np.nan
        return data

    return tiny.rewrite(tiny.echo(2, "phase"), change)


def colours(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    data = np.zeros(image.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    return save(nib.Nifti1Image(data, image.affine), tiny.echo(1))


def complex_numbers(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    data = np.asarray(image.dataobj).astype(np.complex64)
    return save(nib.Nifti1Image(data, image.affine), tiny.echo(1))


def header_and_image_apart(tiny: Tiny) -> Path:
    image = image_of(tiny.echo(1))
    content = bytearray(image.to_bytes())
    content[344:348] = b"ni1\0"
    tiny.echo(1).write_bytes(gzip.compress(content))
    return tiny.echo(1)


def a_huge_shape(tiny: Tiny) -> Path:
    content = bytearray(gzip.decompress(tiny.echo(1).read_bytes()))
    content[42:48] = np.array([32000, 32000, 32000], "<i2").tobytes()
    tiny.echo(1).write_bytes(gzip.compress(content))
    return tiny.echo(1)


def a_link_to_nowhere(tiny: Tiny) -> Path:
    tiny.echo(1).unlink()
    tiny.echo(1).symlink_to("elsewhere.nii.gz")
    return tiny.echo(1)


def a_link_to_itself(tiny: Tiny) -> Path:
    tiny.echo(1).unlink()
    tiny.echo(1).symlink_to(tiny.echo(1).name)
    return tiny.echo(1)


def one_subject_twice(tiny: Tiny) -> Path:
    for path in sorted((tiny.root / "sub-01").rglob("sub-01_*")):
        copy = Path(str(path).replace("sub-01", "sub-02"))
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tiny.root / "sub-02"


def a_file_of_another_subject(tiny: Tiny) -> Path:
    path = tiny.echo(1).with_name("sub-07_echo-1_part-mag_MEGRE.nii.gz")
    return tiny.echo(1).rename(path)


def sessions_mixed(tiny: Tiny) -> Path:
    old = tiny.root / "sub-01"
    new = tiny.root / "sub-01" / "ses-1"
    new.mkdir()
    for name in ("anat", "dwi"):
        (old / name).rename(new / name)
    wrong = new / "anat" / "sub-01_ses-2_echo-1_part-mag_MEGRE.nii.gz"
    return (new / "anat" / tiny.echo(1).name).rename(wrong)


def phase_of_another_scan(tiny: Tiny) -> Path:
    for path in tiny.images("phase"):
        volume = read_volume(path)
        affine = volume.grid.affine.copy()
        affine[2, 3] += 3
        write_volume(Volume(volume.data, Grid(volume.grid.shape, affine)), path)
    return tiny.echo(1, "phase")


def a_series_without_b_values(tiny: Tiny) -> Path:
    tiny.dwi("01", "dwi").with_name("sub-01_dwi.bval").unlink()
    return tiny.dwi("01", "dwi")


def adc_in_other_units_than_it_says(tiny: Tiny) -> Path:
    return tiny.rewrite(tiny.dwi("01", "ADC"), lambda data: data * 1e6)


CURATED: list[tuple[Spoil, str, str, str]] = [
    (nothing_in_it, "error", "is empty (0 bytes)", "again"),
    (a_header_only, "error", "is truncated", "again"),
    (plain_named_gz, "warning", "is not compressed, its name says otherwise", "Rename"),
    (gz_named_plain, "warning", "is compressed, its name says otherwise", "Rename"),
    (compressed_twice, "error", "is compressed twice", "Unpack"),
    (cut_short, "error", "is truncated or damaged", "again"),
    (one_bit, "error", "is truncated or damaged", "again"),
    (an_html_page, "error", "is no NIfTI image", "Convert"),
    (a_folder, "error", "is a folder", "Give the image"),
    (shifted_qform, "warning", "sform and qform differ by up to 7.0 mm", "Compare"),
    (mirrored_qform, "error", "left and right on opposite sides", "export the image again"),
    (no_codes, "warning", "left and right are only assumed", "Compare"),
    (oblique, "warning", "Oblique slab (20.0 degrees)", "Nothing to repair"),
    (negative_zoom, "warning", "negative voxel size", "Check left and right"),
    (zero_zoom, "error", "cannot be right", "Repair the header"),
    (not_finite_affine, "error", "not finite", "Repair the header"),
    (two_dimensions, "error", "expected an image of three dimensions", "one file for each echo"),
    (several_images_in_one_echo, "error", "one file for each echo or one file with", "Give either"),
    (an_echo_of_the_phase_missing, "error", "there is no phase image of echo 2", "Add it"),
    (an_echo_missing_altogether, "warning", "Echo 2 is missing", "Export it again"),
    (echo_times_in_milliseconds, "error", "longer than any gradient echo", "not milliseconds"),
    (no_echo_time, "error", "gives no EchoTime", "Write it in seconds"),
    (field_strength_in_hertz, "error", "expected 0.1 to 25 T, found 1.277e+08 T", "tesla"),
    (phase_in_unknown_units, "error", "unknown units", "Write the unit into the sidecar"),
    (phase_in_hertz, "error", "'Hz', expected rad", "sidecar"),
    (unwrapped_phase, "error", "more than one turn", "wrapped phase"),
    (nan_background, "error", "576 of 2688 values are NaN", "by 0 where there is no signal"),
    (colours, "error", "expected one number a voxel", "Convert"),
    (complex_numbers, "error", "expected one number a voxel", "Convert"),
    (header_and_image_apart, "error", "keeps its image in another file", "Convert"),
    (a_huge_shape, "error", "is truncated: the header promises", "again"),
    (a_link_to_nowhere, "error", "is a link that leads nowhere", "Check the path"),
    (a_link_to_itself, "error", "is a link that leads nowhere", "Check the path"),
    (one_subject_twice, "error", "the same phase as sub-01: one examination twice", "Take one"),
    (a_file_of_another_subject, "error", "its name says sub-07, its folder sub-01", "Put it where"),
    (sessions_mixed, "error", "its name says sub-01 ses-2, its folder sub-01 ses-1", "Put it"),
    (phase_of_another_scan, "error", "does not lie where the magnitude does", "one acquisition"),
    (a_series_without_b_values, "error", "2 images with 0 b values", ".bval"),
    (adc_in_other_units_than_it_says, "error", "the sidecar says mm2/s, but the median", "Units"),
]


@pytest.mark.parametrize(
    ("spoil", "level", "fault", "remedy"), CURATED, ids=lambda v: getattr(v, "__name__", None)
)
def test_one_bad_file_gives_one_sentence(
    spoil: Spoil, level: str, fault: str, remedy: str, tmp_path: Path
):
    tiny = Tiny(tmp_path / "bids")
    good = {problem.sentence for problem in check_dataset(tiny.root).problems}
    path = spoil(tiny)
    checked = check_dataset(tiny.root)
    new = [p for p in checked.problems if p.sentence not in good]
    found = next(p for p in new if fault in p.fault)
    if level == "error":
        assert next(p for p in new if p.level == "error") == found
    assert found.level == level
    assert remedy in found.remedy
    assert path.relative_to(tiny.root).as_posix() in found.file
    assert (checked.errors > 0) == (level == "error")
    if spoil is one_subject_twice:
        return  # each of the two by itself is good
    (files,) = find_cases(tiny.root)
    if level == "warning":
        load_files(files)
    else:
        with pytest.raises(InputError):
            load_files(files)


def test_a_path_that_is_too_long_is_one_sentence(tmp_path: Path):
    path = tmp_path / f"{'a' * 300}.nii.gz"
    with pytest.raises(InputError, match=r"cannot be opened .*Give it a shorter name"):
        load(magnitude=path, phase=tmp_path / "p.nii", echo_times=[0.01], field_strength=3)
