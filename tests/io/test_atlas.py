import numpy as np
import pytest

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.atlas import read_atlas
from napari_qsm_stroke.io.nifti import write_volume

GRID = Grid((8, 8, 8), np.diag([2.0, 2.0, 2.0, 1.0]))


def written(folder, labels, table=None):
    data = np.zeros(GRID.shape, np.uint8)
    data.reshape(-1)[: len(labels)] = labels
    path = write_volume(Volume(data, GRID), folder / "atlas.nii.gz")
    if table:
        (folder / "atlas.tsv").write_text(table, "utf-8")
    return path


def found(path, count):
    return read_atlas(path)[0].data.reshape(-1)[:count].tolist()


def test_four_territories_a_side_are_known(tmp_path):
    assert found(written(tmp_path, range(11)), 11) == [*range(9), 0, 0]


def test_detailed_territories_are_known(tmp_path):
    arteries = ["ACA"] * 4 + ["MCA"] * 12 + ["PCA"] * 8 + ["VB"] * 6
    numbers = {name: n for n, name in LABELS.items()}
    expected = [numbers[a, "right" if i % 2 else "left"] for i, a in enumerate(arteries)]
    assert found(written(tmp_path, range(1, 33)), 32) == [*expected, 0, 0]


def test_a_table_says_what_the_labels_mean(tmp_path):
    table = """index\tname\tabbreviation
120\tMiddle cerebral artery, right\tx
7\tmiddle cerebral artery left
40\tPCA left\tPCA-L
41\tright cerebellar
5\twhite matter
"""
    path = written(tmp_path, [120, 7, 40, 41, 5, 99], table)
    assert found(path, 6) == [4, 3, 5, 8, 0, 0]


def test_our_own_label_table_is_read(tmp_path):
    lines = [f"{n}\t{a} {s}\t{a}-{s[0].upper()}" for n, (a, s) in LABELS.items()]
    path = written(tmp_path, range(1, 9), "\n".join(["index\tname\tabbreviation", *lines]))
    assert found(path, 8) == list(range(1, 9))


@pytest.mark.parametrize(
    ("labels", "table", "words"),
    [
        ([1, 2, 200], None, "not known"),
        ([1, 2], "1\tMCA left\n2\tACA right", "no right MCA"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, labels, table, words):
    with pytest.raises(InputError, match=words):
        read_atlas(written(tmp_path, labels, table))


def test_the_published_atlas(real_data):
    folder = real_data / "arterial_atlas"
    fine = read_atlas(folder / "ArterialAtlas_level2.nii.gz")[0].data
    assert all((fine == n).sum() > 100_000 for n in LABELS)
