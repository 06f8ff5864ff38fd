"""Files that are truncated, flipped, gone or no images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.faults.fault_suite.lines import Files, Make, Refusal, command

from napari_qsm_stroke.io.nifti import read_volume, write_volume


def a_truncated_file(files: Files) -> list[str]:
    path = files["phase"][0]
    path.write_bytes(path.read_bytes()[:-2000])
    return command(files)


def a_flipped_bit(files: Files) -> list[str]:
    content = bytearray(files["magnitude"][1].read_bytes())
    content[len(content) // 2] ^= 4
    files["magnitude"][1].write_bytes(content)
    return command(files)


def a_file_that_is_not_there(files: Files) -> list[str]:
    return command(files, dwi=str(files["phase"][0].with_name("nowhere.nii.gz")))


def a_file_that_is_no_image(files: Files) -> list[str]:
    files["phase"][0].write_text("DICM" * 300)
    return command(files)


def an_affine_that_is_not_finite(files: Files) -> list[str]:
    path = files["phase"][0].with_name("odd.nii")
    write_volume(read_volume(files["phase"][0]), path)
    content = bytearray(path.read_bytes())
    content[280:284] = np.float32(np.nan).tobytes()  # srow_x of the header
    path.write_bytes(content)
    files["phase"][0] = path
    return command(files)


CASES: list[tuple[Make, str]] = [
    (a_truncated_file, "phase1.nii.gz: is truncated or damaged"),
    (a_flipped_bit, "magnitude2.nii.gz: is truncated or damaged"),
    (a_file_that_is_not_there, "nowhere.nii.gz: there is no such file (dwi)"),
    (a_file_that_is_no_image, "phase1.nii.gz: is no NIfTI image"),
    (an_affine_that_is_not_finite, "the affine of the header is not finite"),
]


@pytest.mark.parametrize(("make", "said"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_it_is_refused_with_one_sentence(
    make: Make, said: str, scan: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    Refusal(tmp_path, capsys)(make(scan), said)
