"""The measures of the benchmark against closed forms and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import normalized_root_mse, structural_similarity

from benchmarks import metrics
from napari_qsm_stroke.core.physics.deformation import Deformation

SHAPE = (24, 20, 22)
ALL = np.ones(SHAPE, bool)


@pytest.fixture
def truth() -> np.ndarray:
    """A map in ppm whose mean is zero."""
    rng = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.5)
    texture -= texture.mean()
    return (0.1 * texture / texture.std()).astype(np.float32)


def noise(seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.03, SHAPE)


def test_nrmse_is_that_of_scikit_image(truth: np.ndarray) -> None:
    found = 0.8 * truth + noise()
    expected = 100 * normalized_root_mse(truth, found - found.mean(), normalization="euclidean")
    assert metrics.nrmse(found + 5, truth, ALL) == pytest.approx(expected, rel=1e-3)
    assert metrics.nrmse(0.5 * truth, truth, ALL) == pytest.approx(50, rel=1e-5)


def test_only_the_region_counts(truth: np.ndarray) -> None:
    region = ALL.copy()
    region[:6] = False
    spoiled = np.where(region, truth, 100.0)
    assert metrics.nrmse(spoiled, truth, region) == pytest.approx(0, abs=1e-6)
    assert metrics.xsim(spoiled, truth, ndimage.binary_erosion(region)) == pytest.approx(1)


def test_detrended_error_is_what_correlation_leaves(truth: np.ndarray) -> None:
    found = -0.3 * truth + noise() + 2
    r = np.corrcoef(found.ravel(), truth.ravel())[0, 1]
    expected = 100 * np.sqrt(1 - r * r)
    assert metrics.detrended_nrmse(found, truth, ALL) == pytest.approx(expected, rel=1e-4)
    assert metrics.detrended_nrmse(0.2 * truth + 1, truth, ALL) == pytest.approx(0, abs=1e-3)
    assert metrics.detrended_nrmse(0 * truth, truth, ALL) == pytest.approx(100)
    assert metrics.detrended_nrmse(found, truth, ALL) < metrics.nrmse(found, truth, ALL)


def test_slope_is_of_the_map_on_the_truth(truth: np.ndarray) -> None:
    found = 0.7 * truth + 1 + 3 * noise()
    expected = np.polyfit(truth.ravel(), found.ravel(), 1)[0]
    assert metrics.slope(found, truth, ALL) == pytest.approx(expected, rel=1e-4)
    assert metrics.slope(0.7 * truth, truth, ALL) == pytest.approx(0.7, rel=1e-5)


def test_recovery_is_of_the_contrast(truth: np.ndarray) -> None:
    part = truth > 0.15
    assert metrics.recovery(0.6 * truth - 0.4, truth, part, ALL) == pytest.approx(60, rel=1e-4)


def test_slope_over_labels_takes_means(truth: np.ndarray) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    found = np.zeros(SHAPE)
    values = np.zeros(SHAPE)
    for label, level in enumerate((0.02, 0.06, 0.11), 1):
        labels[6 * label : 6 * label + 5] = label
        values[labels == label] = level
        found[labels == label] = 0.9 * level + 0.3
    labels[0, 0, 0] = 9  # too small to count
    found[0, 0, 0] = 50
    zero_mean = noise()
    for label in (1, 2, 3):
        zero_mean[labels == label] -= zero_mean[labels == label].mean()
    assert metrics.labels_slope(found + zero_mean, values, labels, ALL) == pytest.approx(0.9)
    assert np.isnan(metrics.labels_slope(found, values, (labels == 1) * 1, ALL))


def test_hfen_of_waves_is_in_closed_form() -> None:
    i = np.arange(256) + 0.5
    wave, fine = (
        np.cos(2 * np.pi * i / length)[:, None, None] * np.ones((256, 4, 4)) for length in (8, 4)
    )
    region = np.ones(wave.shape, bool)
    assert metrics.hfen(0.8 * wave + 3, wave, region) == pytest.approx(20, rel=1e-6)
    # the filter weighs a wave by k^2 exp(-k^2 sigma^2 / 2)
    k = 2 * np.pi / 8
    weight = 4 * np.exp(-(4 * k**2 - k**2) * 1.5**2 / 2)
    expected = 100 * 0.5 * weight * np.linalg.norm(fine) / np.linalg.norm(wave)
    assert metrics.hfen(wave + 0.5 * fine, wave, region) == pytest.approx(expected, rel=0.05)


def test_hfen_sees_the_region_alone(truth: np.ndarray) -> None:
    region = ALL.copy()
    region[:6] = False
    found = truth + noise()
    expected = metrics.hfen(found, truth, region)
    assert metrics.hfen(np.where(region, found, 50), truth, region) == pytest.approx(expected)
    assert metrics.hfen(truth, truth, region) == 0


def test_xsim_is_structural_similarity_with_other_constants(truth: np.ndarray) -> None:
    found = (0.8 * truth + noise()).astype(np.float64)
    found -= found.mean()
    _, full = structural_similarity(
        truth.astype(np.float64),
        found,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        K1=0.01,
        K2=0.001,
        full=True,
    )
    region = np.zeros(SHAPE, bool)
    region[6:-6, 6:-6, 6:-6] = True
    # the map is taken against its mean over the region; so is that given to scikit-image
    level = [values[region].mean() for values in (found, truth)]
    assert metrics.xsim(found, truth, ALL, radius=5) == pytest.approx(full.mean(), rel=1e-3)
    assert metrics.xsim(found + level[0], truth, region) < 1
    assert metrics.xsim(truth + 7, truth, ALL) == pytest.approx(1, abs=1e-6)


def test_streaks_are_errors_around_the_source(truth: np.ndarray) -> None:
    source = np.zeros(SHAPE, bool)
    source[11:13, 9:11, 10:12] = True
    chi = np.where(source, 1.0, 0.0)
    contrast = 1 - chi.mean()
    distance = ndimage.distance_transform_edt(~source, sampling=(1, 1, 2))
    ring = (distance > 3) & (distance <= 7)
    error = np.where(ring, noise(), 0.5 * source)
    expected = 100 * error[ring].std() / contrast
    found = metrics.streaks(chi + error, chi, source, ALL, (1, 1, 2))
    assert found == pytest.approx(expected, rel=1e-5)
    assert metrics.streaks(chi + 0.4 * source, chi, source, ALL, (1, 1, 2)) == pytest.approx(0)


def test_change_is_of_medians_against_the_brain() -> None:
    values = np.zeros(SHAPE)
    core, other = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    core[:2], other[-2:] = True, True
    values[core], values[other] = 0.06, 0.10
    values[0, 0, :3] = 9  # outliers
    brain = ~(core | other)
    assert metrics.change(values + 2, core, other, brain) == pytest.approx(-40)


def test_field_error_takes_the_constant_away() -> None:
    error = np.linspace(-1, 1, ALL.size).reshape(SHAPE)
    median, p99 = metrics.field_error(error + 7, np.zeros(SHAPE), ALL)
    assert median == pytest.approx(0.5, rel=1e-3)
    assert p99 == pytest.approx(0.99, rel=1e-3)


def test_turns_are_counted_and_the_coils_are_not() -> None:
    x, y, z = (np.linspace(-1, 1, n) for n in SHAPE)
    x, y, z = x[:, None, None], y[None, :, None], z[None, None]
    coils = 5 + 3 * x - 2 * y + 1.5 * x * y + z * z
    expected = 20 * np.sin(2 * x + y)
    phase = expected + coils + 0.3 * noise()
    assert metrics.turns(phase, expected, ALL) == 0
    phase[:3, :4, :5] += 2 * np.pi
    phase[10, 10, 10] -= 4 * np.pi
    assert metrics.turns(phase, expected, ALL) == pytest.approx(100 * 61 / ALL.size)
    assert metrics.turns(phase + 2 * np.pi, expected, ALL) == pytest.approx(100 * 61 / ALL.size)


def tube(shift: int = 0, last: int = 24) -> np.ndarray:
    """A straight bar of 3 x 3 voxels."""
    bar = np.zeros(SHAPE, bool)
    bar[:last, 8 + shift : 11 + shift, 8:11] = True
    return bar


def test_dice_counts_voxels_and_centre_lines_forgive_the_edge() -> None:
    whole, half = tube(), tube(last=12)
    assert metrics.dice(whole, whole) == metrics.centre_line_dice(whole, whole, tube()) == 1
    assert metrics.dice(half, whole) == pytest.approx(2 / 3)
    line = metrics.centre_line(whole)
    assert 18 <= line.sum() <= 24
    assert whole[line].all()
    beside = tube(1)
    assert metrics.dice(beside, whole) == pytest.approx(2 / 3)
    assert metrics.centre_line_dice(beside, whole, line) > 0.95
    assert metrics.centre_line_dice(half, whole, line) == pytest.approx(2 / 3, abs=0.05)
    assert metrics.centre_line_dice(tube(4), whole, line) == 0


def test_wrong_side_is_measured_across_the_true_mid_surface() -> None:
    bent = 2.0  # mm: the true mid-surface lies at x = 10 - 2 mm of a patient with voxels of 1.5 mm
    affine = np.diag([1.5, 1.5, 1.5, 1.0])
    lattice = np.diag([40.0, 40.0, 40.0, 1.0])
    displacement = np.zeros((2, 2, 2, 3), np.float32)
    displacement[..., 0] = bent
    to_template = np.eye(4)
    to_template[0, 3] = -10
    deformation = Deformation(to_template, displacement, lattice)
    x = 1.5 * np.indices(SHAPE)[0]
    right = x > 10 - bent
    territories = np.where(right, 4, 3).astype(np.uint8)
    assert metrics.wrong_side_mm(territories, ALL, deformation, affine) == 0
    territories[10, 5, 5] = 3  # at 15 mm, on the right
    assert metrics.wrong_side_mm(territories, ALL, deformation, affine) == pytest.approx(7)
    territories[10, 5, 5] = 0  # without a label it is on no side
    territories[0, 5, 5] = 2  # at 0 mm, on the left
    assert metrics.wrong_side_mm(territories, ALL, deformation, affine) == pytest.approx(8)
    outside = ALL.copy()
    outside[0, 5, 5] = False
    assert metrics.wrong_side_mm(territories, outside, deformation, affine) == 0
