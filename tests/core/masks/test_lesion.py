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
    return examine(dwi_aligned, adc_aligned, brain, territories)[0]


def examine(dwi_aligned, adc_aligned, brain, territories, growth=0.5):
    plane = midsagittal_plane(territories, AFFINE)
    return find_lesion(
        dwi_aligned,
        brain,
        territories,
        adc_aligned,
        HeadCoordinates.of_plane(plane),
        voxel_size=SIZE,
        affine=AFFINE,
        rules=LesionRules(growth=growth),
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


def bay_in(lesion):
    """From the middle of the lesion to its outer border."""
    place = np.indices(SHAPE) * np.reshape(SIZE, (3, 1, 1, 1))
    middle = [p[lesion].mean() for p in place]
    outward = lesion & (place[0] < middle[0])
    return outward & ((place[1] - middle[1]) ** 2 + (place[2] - middle[2]) ** 2 < 7**2)


@pytest.mark.parametrize("blood", [20, 0])  # 0: the scanner cut it off
def test_a_bleeding_at_the_border_belongs_to_the_lesion(blood):
    maps, lesion = patient(tilt=0.0)
    bay = bay_in(lesion)
    maps["dwi_aligned"][bay] = blood
    found = find(**maps) > 0
    assert found[bay & (ndimage.distance_transform_edt(lesion, sampling=SIZE) > 6)].all()


def test_voxels_that_hold_lesion_and_blood_belong_to_the_lesion():
    maps, lesion = patient(tilt=0.0)
    bay = bay_in(lesion)
    maps["dwi_aligned"][bay] = 20
    # half blood and half lesion lie as bright as healthy brain: neither bright nor dark
    rim = ndimage.binary_dilation(bay) & lesion & ~bay
    maps["dwi_aligned"][rim] = 100
    deep = ndimage.distance_transform_edt(lesion, sampling=SIZE) > 6
    assert (find(**maps) > 0)[rim & deep].mean() > 0.95


def test_a_healthy_bay_stays_open():
    maps, lesion = patient(tilt=0.0)
    bay = bay_in(lesion)
    maps["dwi_aligned"][bay] = patient(tilt=0.0, lesion_radius=0.0)[0]["dwi_aligned"][bay]
    found = find(**maps) > 0
    assert found[bay & (ndimage.distance_transform_edt(lesion, sampling=SIZE) > 6)].mean() < 0.3
    assert dice(found, lesion & ~bay) > 0.95


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


def test_depth_tells_where_the_border_runs_between_voxels():
    maps, _ = patient()
    # voxels at the border hold some of both, as in a scan: the mean over 4 x 4 x 4 places in each
    centre, radius, fine = np.array([-38.0, 8.0, 10.0]), 18.0, 4
    place = np.indices([fine * n for n in SHAPE], dtype=np.float32)
    ball = np.zeros(place.shape[1:], np.float32)
    for axis in range(3):
        middle = (place[axis] + 0.5) / fine - 0.5 - SHAPE[axis] / 2
        ball += (middle * np.float32(SIZE[axis]) - np.float32(centre[axis])) ** 2
    ball = ball < radius**2
    part = ball.reshape([k for n in SHAPE for k in (n, fine)]).mean((1, 3, 5))
    noise = np.random.default_rng(1).normal(0, 4, SHAPE)
    dwi = (100 * (1 + 0.9 * part) + noise) * maps["brain"]
    maps["dwi_aligned"] = dwi.astype(np.float32)
    maps["adc_aligned"] = None
    half = np.log(1.45) / np.log(1.9)  # of the logarithm that the asymmetry is
    found, depth = examine(**maps, growth=half)
    np.testing.assert_array_equal(depth > 0, found != 0)
    assert depth.min() >= -1
    assert depth.max() <= 1

    def wrong(values, level):
        finer = ndimage.zoom(values, fine, order=1, grid_mode=True, mode="nearest") > level
        return 1 - dice(finer, ball)

    assert wrong(depth, 0) < 0.7 * wrong(found.astype(np.float32), 0.5)
