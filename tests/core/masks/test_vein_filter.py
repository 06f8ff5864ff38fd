import numpy as np
import pytest
from scipy import ndimage

from napari_qsm_stroke.core.masks.vein_filter import _usual, vein_filter
from napari_qsm_stroke.core.quantities import EXCLUDED

SHAPE = (72, 64, 56)


def tubes(size, strength=lambda _: 1.0, radius=0.8, seed=0):
    """Straight tubes of random direction, their share of each voxel, and which tube it is."""
    rng = np.random.default_rng(seed)
    fine = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), -1) * size
    share, owner = np.zeros(SHAPE), np.full(SHAPE, -1)
    extent = np.array(SHAPE) * size
    for i in range(14):
        point = rng.uniform(0.2, 0.8, 3) * extent
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        offset = fine - point
        along = offset @ direction
        distance = np.sqrt(np.maximum((offset**2).sum(-1) - along**2, 0))
        here = np.clip((radius - distance) / size[0] + 0.5, 0, 1) * (np.abs(along) < 12)
        owner[here > 0.25] = i
        share = np.maximum(share, here * strength(i))
    return share, owner


def scene(size=(1.0, 1.0, 1.0), strength=lambda _: 1.0, seed=0):
    """Veins of 0.2 ppm in folded tissue with a nucleus and noise, as after an inversion."""
    share, owner = tubes(size, strength, seed=seed)
    rng = np.random.default_rng(seed + 1)
    folds = ndimage.gaussian_filter(rng.normal(size=SHAPE), 3)
    tissue = 0.03 * np.tanh(2 * folds / folds.std())
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), -1) * size
    nucleus = ((grid - 0.5 * np.array(SHAPE) * size) ** 2).sum(-1) < 7**2
    chi = ndimage.gaussian_filter(tissue + 0.12 * nucleus, 0.5) * (share < 0.05) + 0.2 * share
    chi += ndimage.gaussian_filter(rng.normal(0, 0.01, SHAPE), 0.6)
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:-3, 3:-3, 3:-3] = 1
    return chi.astype(np.float32), mask, np.where(mask > 0, owner, -1), nucleus


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("size", [(1.0, 1.0, 1.0), (0.9, 0.9, 1.6)])
def test_tubes_are_found_and_the_nucleus_is_not(size):
    chi, mask, owner, nucleus = scene(size)
    chi.flags.writeable = False
    veins, excluded = vein_filter(chi, mask, voxel_size=size)
    assert EXCLUDED[1].endswith("nucleus")
    assert dice(excluded == 1, nucleus) > 0.8
    assert not veins[excluded > 0].any()
    assert veins.dtype == np.uint8
    assert dice(veins > 0, owner >= 0) > 0.7
    away = ndimage.binary_dilation(owner >= 0, iterations=3)
    assert veins[nucleus & ~away].mean() < 0.1
    assert veins[mask == 0].sum() == 0


def test_factor_and_offset_of_the_map_do_not_matter():
    chi, mask, _, _ = scene()
    first = vein_filter(chi, mask, voxel_size=(1, 1, 1))[0]
    other = vein_filter(0.25 * chi + 0.5, mask, voxel_size=(1, 1, 1))[0]
    assert dice(first > 0, other > 0) > 0.995


@pytest.mark.parametrize("ratio", [0.6, 1.0])
def test_weak_veins_come_out_like_strong_ones(ratio):
    chi, mask, owner, _ = scene(strength=lambda i: ratio if i % 2 else 1.0, seed=5)
    veins = vein_filter(chi, mask, voxel_size=(1, 1, 1))[0] > 0
    weak, strong = (owner >= 0) & (owner % 2 == 1), (owner >= 0) & (owner % 2 == 0)
    assert abs(veins[weak].mean() - veins[strong].mean()) < 0.1
    nearest = ndimage.distance_transform_edt(owner < 0, return_distances=False, return_indices=True)
    belongs = owner[tuple(nearest)]
    measured = np.median(chi[veins & (belongs % 2 == 1)]) / np.median(
        chi[veins & (belongs % 2 == 0)]
    )
    truth = np.median(chi[weak]) / np.median(chi[strong])
    assert measured == pytest.approx(truth, abs=0.06)
    assert truth == pytest.approx(ratio, abs=0.08)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.6])
def test_where_blood_may_jump_veins_tell_nothing_of_each_other(ratio):
    """What sets the core apart is not averaged away at its border, and nothing is made up."""
    size, core = (1.0, 1.0, 1.0), np.zeros(SHAPE, np.uint8)
    core[SHAPE[0] // 2 :] = 1
    share = np.max(
        [tubes(size, radius=r, seed=13 + k)[0] for k, r in enumerate((0.5, 1.1, 0.5))], 0
    )
    chi = 0.2 * ndimage.gaussian_filter(share, 0.35) * np.where(core, ratio, 1)
    chi += ndimage.gaussian_filter(np.random.default_rng(4).normal(0, 0.012, SHAPE), 0.5)
    chi, everywhere = chi.astype(np.float32), np.ones(SHAPE, np.uint8)

    def change(veins):
        return np.median(chi[veins & (core > 0)]) / np.median(chi[veins & (core == 0)])

    truth = change(share > 0.4)
    unknown = change(vein_filter(chi, everywhere, voxel_size=size)[0] > 0)
    known = change(vein_filter(chi, everywhere, infarct=core, voxel_size=size)[0] > 0)
    if ratio == 1:
        assert known == pytest.approx(unknown, abs=0.01)
    else:
        assert abs(known - truth) < 0.7 * abs(unknown - truth)


def test_a_lobulated_bleeding_is_no_vein():
    chi, mask, owner, _ = scene(seed=3)
    grid = np.moveaxis(np.indices(SHAPE), 0, -1) - np.array([50, 20, 20])
    clot = np.zeros(SHAPE, bool)
    for direction in np.eye(3):  # three bars of 2.1 mm radius: too narrow for the opening
        along = grid @ direction
        clot |= ((grid**2).sum(-1) - along**2 < 2.1**2) & (np.abs(along) < 9)
    clot &= ndimage.distance_transform_edt(owner < 0) > 5
    bled = np.where(clot, 0.7, chi).astype(np.float32)
    calm = vein_filter(chi, mask, voxel_size=(1, 1, 1))[0]
    veins, excluded = vein_filter(bled, mask, voxel_size=(1, 1, 1))
    taken = vein_filter(bled, mask, voxel_size=(1, 1, 1), mass_level=10.0)[0]
    assert taken[clot].mean() > 0.5
    assert veins[clot].mean() < 0.03
    assert EXCLUDED[3].startswith("Brighter")
    assert (excluded[clot] == 3).mean() > 0.8
    assert (excluded[~clot] == 3).mean() < 0.001
    assert dice(veins[owner >= 0] > 0, calm[owner >= 0] > 0) > 0.9


def test_a_narrow_bleeding_too_bright_for_a_vein_is_none():
    chi, mask, owner, nucleus = scene(seed=3)
    across = np.moveaxis(np.indices(SHAPE), 0, -1) - np.array([50, 20, 20])
    rod = ((across[..., :2] ** 2).sum(-1) < 1.2**2) & (np.abs(across[..., 2]) < 7)
    rod &= ndimage.distance_transform_edt(owner < 0) > 5
    assert rod.sum() > 20

    def found(level):
        return vein_filter(np.where(rod, level, chi).astype(np.float32), mask, voxel_size=(1, 1, 1))

    assert found(0.3)[0][rod].mean() > 0.8  # a vein, half as bright again as the others
    veins, excluded = found(1.0)
    assert not veins[rod].any()
    assert (excluded[rod] == 3).mean() > 0.8
    assert (excluded[~rod & ~nucleus] == 3).mean() < 0.001


def test_streaks_are_told_by_a_magnitude_that_knows_nothing_of_them():
    """Tubes in map and magnitude are veins; of those in the map alone, next to nothing is left."""
    chi, mask, owner, _ = scene(seed=6)
    streak = np.where(mask > 0, owner % 3 == 0, False) & (owner >= 0)
    rng = np.random.default_rng(2)
    signal = np.exp(-3 * np.where(streak, 0, np.where(owner >= 0, chi, 0)))
    noise = (0.002 / (signal + rng.normal(0, 0.02, SHAPE))).astype(np.float32)
    blind = vein_filter(chi, mask, voxel_size=(1, 1, 1))[0]
    seen, excluded = vein_filter(chi, mask, noise, voxel_size=(1, 1, 1))
    veins = (owner >= 0) & ~ndimage.binary_dilation(streak, iterations=3)
    assert blind[streak].mean() > 0.8
    assert seen[streak].mean() < 0.15
    assert EXCLUDED[5].startswith("Streak")
    assert (excluded[streak] == 5).mean() > 0.6
    assert dice(seen[veins] > 0, blind[veins] > 0) > 0.95
    bright = vein_filter(chi, mask, (0.002 * signal).astype(np.float32), voxel_size=(1, 1, 1))[0]
    assert (bright == blind).all()  # a magnitude that shows no vein tells nothing


def test_a_vein_that_is_only_half_as_dark_is_no_streak():
    """As near the brain's edge, where what surrounds it is noisy too."""
    chi, mask, owner, _ = scene(seed=6)
    pale = np.where(mask > 0, owner % 3 == 0, False) & (owner >= 0)
    signal = np.exp(-3 * np.where(owner >= 0, chi, 0) * np.where(pale, 0.45, 1))
    noise = (0.002 / signal).astype(np.float32)
    seen, excluded = vein_filter(chi, mask, noise, voxel_size=(1, 1, 1))
    assert seen[pale].mean() > 0.8
    assert (excluded[pale] == 5).mean() < 0.03


def test_nothing_is_found_around_a_hole_of_the_map():
    chi, mask, _, _ = scene(seed=3)
    index = np.moveaxis(np.indices(SHAPE), 0, -1)
    away = np.linalg.norm(index - np.array([50, 20, 20]), axis=-1)
    rim = np.abs(away - 6.2) < 1.0  # what a haemorrhage of 5 mm without signal leaves behind
    torn = np.where(rim & (index[..., 2] % 5 < 2), 0.25, chi).astype(np.float32)
    hole = mask * (away > 5)
    there = vein_filter(torn, hole, voxel_size=(1, 1, 1), streaks=0.0)[0]
    gone, excluded = vein_filter(torn, hole, voxel_size=(1, 1, 1))
    assert there[rim].mean() > 0.2
    assert gone[away < 7.4].sum() == 0
    assert dice(gone[away > 14] > 0, there[away > 14] > 0) > 0.98
    assert EXCLUDED[4].startswith("Hole")
    assert (excluded[away < 4] == 4).all()
    assert (excluded[away > 9] != 4).all()


def test_noise_alone_gives_next_to_nothing():
    noise = np.random.default_rng(8).normal(0, 0.02, SHAPE).astype(np.float32)
    veins = vein_filter(noise, np.ones(SHAPE, np.uint8), voxel_size=(1, 1, 1))[0]
    assert veins.mean() < 0.002


def test_empty_mask_gives_no_veins():
    chi, mask, _, _ = scene()
    assert not vein_filter(chi, mask * 0, voxel_size=(1, 1, 1))[0].any()


def test_the_level_beside_a_bad_fit_is_that_of_tissue():
    """Far below it, all around would count as filled with blood."""
    levels = np.append(np.random.default_rng(5).normal(0.01, 0.01, 60), [-0.09, 0.2, np.nan])
    usual = _usual(levels)
    good = np.abs(levels - 0.01) < 0.02
    np.testing.assert_array_equal(usual[good], levels[good])
    assert -0.03 < usual[-3] < -0.01
    assert 0.03 < usual[-2] < 0.05
    assert usual[-1] == np.nanmedian(levels)
