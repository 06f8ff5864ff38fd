import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.register.align_anatomy import align_anatomy
from napari_qsm_stroke.register.template import load_template

CONTRASTS = {"t1w": (1.0, 0.7, 0.25), "flair": (0.55, 0.75, 0.1)}
"""White matter, grey matter, fluid."""


@pytest.mark.parametrize("name", CONTRASTS)
def test_known_displacement_is_undone(subject, name):
    head = load_template()
    white, grey, fluid = CONTRASTS[name]
    tissue = white * head.wm + grey * head.gm + fluid * (head.brain - head.wm - head.gm).clip(0)
    step = np.array([3, 3, 3])
    image = 400 * ndimage.gaussian_filter(tissue, 1.2)[::3, ::3, ::3]
    image += np.random.default_rng(3).normal(0, 8, image.shape)
    affine = head.affine @ np.diag([*step, 1.0])
    motion = np.eye(4)
    turn = Rotation.from_rotvec(np.radians(15) * np.array([0.6, -0.64, 0.48])).as_matrix()
    middle = np.array([0.0, -20.0, 15.0])
    motion[:3, :3] = turn
    motion[:3, 3] = middle - turn @ middle + np.array([12, 9.6, -12.8])  # 20 mm
    volume = Volume(image.astype(np.float32), Grid(image.shape, motion @ affine), "a.u.")
    found = align_anatomy(
        subject.magnitude,
        subject.brain,
        **{name: volume},
        affine=subject.affine,
        voxel_size=subject.voxel_size,
    )
    aligned = found[list(CONTRASTS).index(name)]
    assert found[1 - list(CONTRASTS).index(name)] is None
    assert not aligned.quality.doubt
    expected = ndimage.gaussian_filter(400 * tissue, 1.6)[::4, ::4, ::4]
    inner = ndimage.binary_erosion(subject.brain, iterations=2)
    assert np.corrcoef(aligned.data[inner], expected[inner])[0, 1] > 0.95


def test_neither_is_said(subject):
    with pytest.raises(InputError, match="neither"):
        align_anatomy(
            subject.magnitude,
            subject.brain,
            affine=subject.affine,
            voxel_size=subject.voxel_size,
        )
