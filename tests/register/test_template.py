import nibabel as nib
import numpy as np
import pytest

from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import MissingError
from napari_qsm_stroke.register import template
from napari_qsm_stroke.register.template import load_template


@pytest.fixture(scope="module")
def head():
    return load_template()


def test_template_is_a_brain_in_ras_order(head):
    assert head.t1.shape == head.gm.shape == head.wm.shape == head.brain.shape == (197, 233, 189)
    np.testing.assert_array_equal(np.diag(head.affine), 1)
    assert head.t1.dtype == head.gm.dtype == head.wm.dtype == np.float32
    assert 1700 < head.brain.sum() / 1000 < 2000  # ml, with ventricles: the average is large
    for tissue in (head.gm, head.wm):
        assert tissue.min() == 0
        assert 0.9 < tissue.max() <= 1
    # the brain reaches further behind the origin than before it: no flipped axis
    frontal, occipital = head.brain[:, 134 + 75].sum(), head.brain[:, 134 - 100].sum()
    assert occipital > 10 * max(int(frontal), 1)


def test_every_territory_is_there_and_the_sides_agree(head):
    volume = {name: (head.territories == i).sum() / 1000 for i, name in LABELS.items()}
    for artery in ("ACA", "MCA", "PCA", "VB"):
        left, right = volume[artery, "left"], volume[artery, "right"]
        assert abs(left - right) < 0.08 * left
    assert volume["MCA", "left"] > 400  # ml; most of the hemisphere
    np.testing.assert_array_equal(head.territories > 0, head.brain > 0)


def test_it_is_read_once_and_cannot_be_changed(head):
    assert load_template() is head
    with pytest.raises(ValueError, match="read-only"):
        head.t1[0, 0, 0] = 1


def test_missing_nilearn_is_said(monkeypatch):
    monkeypatch.setattr(template, "find_spec", lambda _name: None)
    with pytest.raises(MissingError, match="pip install"):
        load_template.__wrapped__()


def test_agrees_with_an_independent_atlas(head, real_data):
    image = nib.load(real_data / "arterial_atlas" / "ArterialAtlas_level2.nii.gz")
    shift = np.round(head.affine[:3, 3] - image.affine[:3, 3]).astype(int)
    atlas = np.zeros(head.brain.shape, np.uint8)
    data = np.asarray(image.dataobj).astype(np.uint8)
    start, stop = np.maximum(-shift, 0), np.minimum(np.array(data.shape) - shift, atlas.shape)
    ours = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    theirs = tuple(slice(a, b) for a, b in zip(start + shift, stop + shift, strict=True))
    atlas[ours] = data[theirs]
    for label, (artery, _) in LABELS.items():
        a, b = atlas == label, head.territories == label
        dice = 2 * (a & b).sum() / (a.sum() + b.sum())
        assert dice > (0.88 if artery == "MCA" else 0.8), (label, dice)
