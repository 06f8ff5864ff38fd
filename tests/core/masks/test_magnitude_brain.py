import nibabel as nib
import numpy as np
import pytest

from napari_qsm_stroke.core.masks.magnitude_brain import magnitude_brain
from napari_qsm_stroke.errors import InputError


def dice(a, b):
    a, b = a > 0, b > 0
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def head(size, seed=1):
    """Brain of 1.2 l with ventricle, dark skull, bright scalp, eyes and neck that touch it."""
    shape = tuple(round(w / s) for w, s in zip((190, 230, 200), size, strict=True))
    grid = np.indices(shape) * np.array(size)[:, None, None, None]
    x, y, z = grid - np.array([95, 110, 110])[:, None, None, None]
    radius = np.sqrt((x / 64) ** 2 + (y / 78) ** 2 + (z / 58) ** 2)
    brain = radius < 1
    image = np.where(brain, 1.0, 0.0)
    image[(np.abs(x) < 8) & (np.abs(y) < 25) & (np.abs(z) < 10)] = 0.45
    image[(radius > 1.12) & (radius < 1.25)] = 1.3
    for side in (-1, 1):
        image[(x - 25 * side) ** 2 + (y - 82) ** 2 + (z + 22) ** 2 < 13**2] = 0.9
        image[((x - 25 * side) ** 2 + (z + 20) ** 2 < 3**2) & (y > 50) & (y < 85)] = 0.9
    image[(x**2 + (y + 10) ** 2 < 30**2) & (z < -66)] = 1.0
    image[(x**2 + (y + 10) ** 2 < 5**2) & (z < -50)] = 1.0
    bias = np.exp(0.006 * y - 0.004 * x)
    rng = np.random.default_rng(seed)
    noisy = np.abs(image * bias + rng.normal(0, 0.05, shape) + 1j * rng.normal(0, 0.05, shape))
    return (1000 * noisy).astype(np.float32)[..., None], brain


@pytest.mark.parametrize("size", [(3.0, 3.0, 3.0), (1.8, 1.8, 2.4)])
def test_brain_is_parted_from_scalp_eyes_and_neck(size):
    magnitude, brain = head(size)
    magnitude.flags.writeable = False
    mask = magnitude_brain(magnitude, voxel_size=size)
    assert mask.dtype == np.uint8
    assert dice(mask, brain) > 0.95


def test_scale_of_the_image_does_not_matter():
    magnitude, _ = head((4.0, 4.0, 4.0))
    size = (4.0, 4.0, 4.0)
    first = magnitude_brain(magnitude, voxel_size=size)
    np.testing.assert_array_equal(magnitude_brain(magnitude * 2**-20, voxel_size=size), first)


def test_a_crop_of_tissue_is_all_brain():
    rng = np.random.default_rng(2)
    tissue = rng.normal(100, 8, (40, 40, 30, 2)).astype(np.float32)
    tissue[18:21, 10:30, 12:18] = 20  # a vein
    assert magnitude_brain(tissue, voxel_size=(0.5, 0.5, 1.0)).mean() > 0.99


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_no_signal_is_said(value):
    with pytest.raises(InputError, match="no signal"):
        magnitude_brain(np.full((8, 8, 8, 1), value, np.float32), voxel_size=(1, 1, 1))


def test_real_scan_with_skull_base(real_data):
    folder = real_data / "philips_3t_human"
    name = "2001_fcMRI_Field_Mapping_e{}WIP_fcMRI_Field_Mapping.nii.gz"
    echoes = [nib.load(folder / "nifti" / name.format(e)) for e in (1, 2)]
    magnitude = np.stack([np.asarray(e.dataobj, np.float32) for e in echoes], axis=3)
    reference = nib.load(folder / "reference" / "GRE_hdbet_brainmask_prob_from_T1.nii.gz")
    mask = magnitude_brain(magnitude, voxel_size=(3.0, 3.0, 3.0))
    assert dice(mask, np.asarray(reference.dataobj) > 0.5) > 0.95


def test_real_crop_without_skull(real_data):
    image = nib.load(real_data / "gre_7t_crop" / "Mag.nii")
    size = tuple(float(v) for v in image.header.get_zooms()[:3])
    mask = magnitude_brain(np.asarray(image.dataobj, np.float32), voxel_size=size)
    assert mask.mean() > 0.95
