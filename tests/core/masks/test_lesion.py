import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.masks.lesion import LesionRules, find_lesion
from napari_qsm_stroke.core.numerics.midplane import midsagittal_plane
from napari_qsm_stroke.core.numerics.mirror import HeadCoordinates

SIZE = (2.0, 2.0, 2.5)
SHAPE = (84, 100, 64)


AFFINE = np.diag([*SIZE, 1.0])


def find(dwi_aligned, adc_aligned, brain, territories):
    plane = midsagittal_plane(territories, AFFINE)
    return find_lesion(
        dwi_aligned,
        brain,
        territories,
        adc_aligned,
        HeadCoordinates.of_plane(plane),
        voxel_size=SIZE,
        affine=AFFINE,
        rules=LesionRules(),
    )


def patient(side="left", tilt=8.0, lesion_radius=18.0, adc_ratio=0.6, seed=0):
    """Tilted ellipsoid with an MCA to each side, symmetric texture, and a lesion on one side."""
    rng = np.random.default_rng(seed)
    grid = (np.indices(SHAPE) - np.reshape(SHAPE, (3, 1, 1, 1)) / 2) * np.reshape(
        SIZE, (3, 1, 1, 1)
    )
    angle = np.radians(tilt)
    x = np.cos(angle) * grid[0] + np.sin(angle) * grid[1] - 3
    y = -np.sin(angle) * grid[0] + np.cos(angle) * grid[1]
    z = grid[2]
    brain = (x / 66) ** 2 + (y / 84) ** 2 + (z / 62) ** 2 < 1
    left = x < 0
    territories = np.where(np.abs(x) > 22, 3, 1) + np.where(left, 0, 1)
    texture = 100 + 8 * np.sin(y / 9) * np.cos(np.abs(x) / 7) + 6 * np.sin(z / 8)
    centre = -40 if side == "left" else 40
    lesion = (x - centre) ** 2 + (y - 5) ** 2 + (z - 10) ** 2 < lesion_radius**2
    dwi = texture * np.where(lesion, 1.9, 1) + rng.normal(0, 4, SHAPE)
    adc = 8e-4 * np.where(lesion, adc_ratio, 1) * (1 + rng.normal(0, 0.05, SHAPE))
    place = {"dwi_aligned": dwi * brain, "adc_aligned": adc * brain}
    maps = {k: ndimage.gaussian_filter(v, 0.6).astype(np.float32) for k, v in place.items()}
    maps["brain"] = brain.astype(np.uint8)
    maps["territories"] = (territories * brain).astype(np.uint8)
    return maps, lesion & brain


def dice(a, b):
    a, b = a > 0, b > 0
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("adc_ratio", [0.6, 1.0])
def test_lesion_is_found_whether_the_adc_is_low_or_normal_again(side, adc_ratio):
    maps, lesion = patient(side, adc_ratio=adc_ratio)
    assert dice(find(**maps), lesion) > 0.9


def test_it_works_without_adc():
    maps, lesion = patient()
    maps["adc_aligned"] = None
    assert dice(find(**maps), lesion) > 0.9


def test_a_bleeding_inside_is_filled():
    maps, lesion = patient()
    inner = ndimage.distance_transform_edt(lesion, sampling=SIZE) > 11
    maps["dwi_aligned"][inner] = 20
    found = find(**maps)
    assert found[inner].all()


def test_what_is_bright_on_both_sides_is_no_lesion():
    maps, _ = patient(lesion_radius=0.0)
    bright = maps["dwi_aligned"]
    both = bright.copy()
    both[maps["territories"] >= 3] *= 1.6
    assert find(**{**maps, "dwi_aligned": both}).sum() < 40


def test_a_healthy_brain_gives_an_empty_mask():
    maps, _ = patient(lesion_radius=0.0)
    assert not find(**maps).any()


def test_no_diffusion_in_the_brain_gives_an_empty_mask():
    maps, _ = patient()
    maps["dwi_aligned"] = maps["dwi_aligned"] * 0
    assert not find(**maps).any()
