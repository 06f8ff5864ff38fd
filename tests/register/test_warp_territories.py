from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.numerics.mirror import HeadCoordinates
from napari_qsm_stroke.core.physics.dephasing import signal_kept
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.pipeline.simulate import simulate
from napari_qsm_stroke.register.template import load_template
from napari_qsm_stroke.register.warp_territories import SHRUNK, _bent, warp_territories


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def distorted(subject):
    """The same head in another scanner position, larger and slimmer than the template."""
    motion = np.eye(4)
    turn = Rotation.from_euler("xyz", (7, -5, 9), degrees=True).as_matrix()
    motion[:3, :3] = turn @ np.diag([1.06, 0.95, 1.08])
    motion[:3, 3] = (14, -20, 17)
    return motion @ subject.affine


def warp(subject, affine, brain=None, **options):
    size = tuple(float(v) for v in np.linalg.norm(affine[:3, :3], axis=0))
    brain = subject.brain if brain is None else brain
    return warp_territories(subject.magnitude, brain, affine=affine, voxel_size=size, **options)


@pytest.fixture(scope="module")
def carried(subject, distorted):
    return warp(subject, distorted)


def test_territories_follow_the_head(subject, carried):
    assert not carried[0].quality.doubt
    labels = carried[0].data
    np.testing.assert_array_equal(labels > 0, subject.brain > 0)
    for label, (artery, _) in LABELS.items():
        found = dice(labels == label, subject.territories == label)
        assert found > (0.93 if artery == "MCA" else 0.85), (label, found)
    # a side is a side: nothing further than a voxel across the mid-plane
    wrong = (labels % 2 != subject.territories % 2) & (subject.brain > 0)
    across = np.abs(np.nonzero(wrong)[0] * 4 - 98)
    assert across.max(initial=0) <= 8


def test_the_result_repeats_bit_for_bit(subject, distorted):
    first, second = (warp(subject, distorted, finest=6.0) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_brain_beyond_the_template_gets_the_nearest_label(subject):
    larger = subject.brain.copy()
    larger[2:4, 25:30, 20:25] = 1  # an island far to the left
    labels = warp(subject, subject.affine, larger, finest=6.0)[0].data
    assert set(np.unique(labels[2:4, 25:30, 20:25])) <= {3, 5}
    np.testing.assert_array_equal(labels > 0, larger > 0)


def test_a_mid_surface_that_is_pushed_aside_is_followed(subject):
    """By 8 mm over 3 cm, as by swelling."""
    index = np.indices(subject.brain.shape).astype(float)
    centre = np.array([middle_voxel(subject), 32, 28])
    square = ((index - centre[:, None, None, None]) ** 2).sum(0)
    aside = 2.0 * np.exp(-square / (2 * 7.5**2))  # voxels of 4 mm
    source = index.copy()
    source[0] -= aside
    magnitude = ndimage.map_coordinates(subject.magnitude[..., 0], source, order=1)[..., None]
    brain = (ndimage.map_coordinates(subject.brain, source, order=0) > 0).astype(np.uint8)
    pushed = replace(subject, magnitude=magnitude.astype(np.float32), brain=brain)
    position = warp(pushed, subject.affine, finest=4.0)[1]
    grid = np.indices(position.grid.shape).reshape(3, -1)
    places = position.grid.affine @ np.vstack([grid, grid[:1] * 0 + 1])
    voxel = np.linalg.solve(subject.affine, places)[:3]
    true = subject.affine[0, 0] * (
        voxel[0] - ndimage.map_coordinates(aside, voxel, order=1) - centre[0]
    )
    here = ndimage.map_coordinates(brain, voxel, order=0) > 0
    here &= (np.abs(true) < 4) & (ndimage.map_coordinates(aside, voxel, order=1) > 1)
    behind = position.data.reshape(-1, 3)[here, 0] - true[here]
    assert here.sum() > 100
    assert abs(behind.mean()) < 0.4  # mm


def test_the_mid_surface_gets_back_what_smoothing_took_and_the_cortex_does_not():
    across, unbent = np.float32([0.5, 0.5, -70, 0]), np.float32([-3.5, 4.5, -74, 3])
    stretched = _bent(across, unbent)
    np.testing.assert_allclose(stretched[:2] - across[:2], SHRUNK * np.float32([4, -4]), rtol=1e-3)
    assert abs(stretched[2] - across[2]) < 0.01
    assert stretched[3] == 0  # beyond the template


def test_too_little_of_a_brain_is_said(subject):
    piece = subject.brain.copy()
    piece[:, :, 12:] = 0
    piece[:, 16:] = 0
    assert 0 < piece.sum() * 0.064 < 100  # ml
    with pytest.raises(InputError, match="too little"):
        warp(subject, subject.affine, piece)


def test_opposite_places_are_those_of_the_template(subject, distorted, carried):
    head = HeadCoordinates(carried[1].data, carried[1].grid.affine)
    inner = np.argwhere(ndimage.binary_erosion(subject.brain, iterations=3))[::97]
    points, mirrored = (
        i @ distorted[:3, :3].T + distorted[:3, 3]
        for i in (inner, inner * [-1, 1, 1] + [2 * middle_voxel(subject), 0, 0])
    )
    apart = np.linalg.norm(head.mirrored(points) - mirrored, axis=1)
    assert apart.mean() < 1.5  # mm
    np.testing.assert_allclose(head.mirrored(head.mirrored(points)), points, atol=0.2)


def middle_voxel(subject):
    return np.linalg.solve(subject.affine[:3, :3], -subject.affine[:3, 3])[0]


def test_an_atlas_takes_the_place_of_the_map(subject, carried, distorted):
    head = load_template()
    swapped = np.where(head.territories > 0, (head.territories + 1) % 8 + 1, 0).astype(np.uint8)
    atlas = Volume(swapped, Grid(swapped.shape, head.affine))
    labels = warp(subject, distorted, atlas=atlas, finest=6.0)[0].data
    expected = np.where(carried[0].data > 0, (carried[0].data + 1) % 8 + 1, 0)
    assert (labels == expected)[subject.brain > 0].mean() > 0.95


def test_no_place_takes_the_label_of_the_other_side(subject):
    """Of an atlas that ends beside the mid-plane, what is left empty is filled from across."""
    head = load_template()
    ends = head.territories.copy()
    ends[98:118] = 0  # 2 cm to the right of the mid-plane
    atlas = Volume(ends, Grid(ends.shape, head.affine))
    labels = warp(subject, subject.affine, atlas=atlas, finest=6.0)[0].data
    across = np.indices(labels.shape)[0] * 4 - 98
    for side, there in ((1, across < -4), (0, across > 4)):
        assert (labels[there & (labels > 0)] % 2 == side).all()


@pytest.fixture(scope="module")
def sick(subject):
    """The head with a dark lesion of 4 cm, and where that is."""
    magnitude = subject.magnitude.copy()
    at = np.array([12, 34, 28])
    place = np.indices(subject.brain.shape) - at[:, None, None, None]
    lesion = (np.linalg.norm(place, axis=0) < 5) & (subject.brain > 0)
    assert lesion.sum() > 300
    magnitude[lesion] *= 0.4
    return replace(subject, magnitude=magnitude), lesion.astype(np.uint8)


def test_what_a_lesion_looks_like_changes_nothing(subject, sick, distorted):
    changed, lesion = sick
    healthy, dark = (
        warp(head, distorted, infarct=lesion, finest=6.0) for head in (subject, changed)
    )
    for one, other in zip(healthy, dark, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def misplaced(position, subject, distorted, mask):
    """Errors in mm of the template's places in a mask on the subject's grid."""
    index = np.indices(position.grid.shape).reshape(3, -1)
    voxel = np.linalg.inv(distorted) @ position.grid.affine @ np.vstack([index, index[:1] * 0 + 1])
    inside = ndimage.map_coordinates(mask, voxel[:3], order=0) > 0
    expected = (subject.affine @ voxel)[:3, inside].T
    return np.linalg.norm(position.data.reshape(-1, 3)[inside] - expected, axis=1)


def test_fluid_within_the_mask_does_not_pull_the_template(subject, distorted):
    """Masks hold the fluid beside the stem: here 4 mm of it on the right of the lower half."""
    dark = ndimage.binary_dilation(subject.brain, iterations=1) & (subject.brain == 0)
    dark[:26] = dark[:, :, 22:] = False
    assert dark.sum() > 300
    wider = subject.brain | dark.astype(np.uint8)
    magnitude = subject.magnitude.copy()
    magnitude[dark] = 500.0
    near = ndimage.binary_dilation(dark, iterations=3) & (subject.brain > 0)
    tight, wide = (
        misplaced(warp(head, distorted, brain, finest=4.0)[1], subject, distorted, near)
        for head, brain in (
            (subject, subject.brain),
            (replace(subject, magnitude=magnitude), wider),
        )
    )
    assert wide.mean() < tight.mean() + 1.5  # mm


def test_signal_lost_to_the_field_does_not_pull_the_template(subject, distorted):
    """Steep field in the front below: dark stripes there look like fissures."""
    place = np.indices(subject.brain.shape).astype(np.float32)
    far = (place[0] - 27) ** 2 + (place[1] - 46) ** 2 + (place[2] - 12) ** 2
    inside = subject.brain > 0
    field = np.where(inside, 1.5 * np.exp(-far / (2 * 3.0**2)), 0).astype(np.float32)  # ppm
    kept = signal_kept(field, inside, (0.02,), 3.0)
    assert (kept[inside] < 0.7).sum() > 200
    dim = replace(subject, magnitude=subject.magnitude * np.maximum(kept, 0.05)[..., None])
    near = inside & (far < 9.0**2)
    told = {"total_field": field, "echo_times": (0.02,), "field_strength": 3.0, "finest": 4.0}
    healthy, put_back, dark = (
        misplaced(warp(head, distorted, **how)[1], subject, distorted, near).mean()
        for head, how in ((subject, {"finest": 4.0}), (dim, told), (dim, {"finest": 4.0}))
    )
    assert put_back < healthy + 0.3  # mm
    assert dark > healthy + 1.0


@pytest.mark.long
def test_a_lesion_does_not_bend_the_template(subject, sick, distorted):
    """Where it is left out, nine tenths of what it does to the place of the template are gone."""
    changed, lesion = sick
    healthy, told, left_out = (
        misplaced(warp(head, distorted, finest=4.0, **without)[1], subject, distorted, lesion)
        for head, without in ((subject, {}), (changed, {}), (changed, {"infarct": lesion}))
    )
    assert told.mean() - healthy.mean() > 2.0  # mm
    assert left_out.mean() - healthy.mean() < 0.15 * (told.mean() - healthy.mean())


def test_a_brain_that_is_none_is_noticed(subject):
    block = np.zeros_like(subject.brain)
    block[12:36, 16:40, 12:36] = 1
    assert warp(subject, subject.affine, block, finest=6.0)[0].quality.doubt


@pytest.mark.long
def test_a_head_on_which_shearing_at_once_ends_in_a_slab():
    """From this one all twelve parameters at once covered half of the brain."""
    case, truth = simulate(seed=9009, voxel_size=(1.0, 1.0, 1.0), echo_times=(0.004, 0.01, 0.016))
    brain = (truth.maps["territories"] > 0).astype(np.uint8)
    territories, _ = warp_territories(
        case.maps["magnitude"].data,
        brain,
        infarct=truth.maps["infarct"],
        affine=case.grid.affine,
        voxel_size=case.grid.voxel_size,
        finest=6.0,
    )
    assert territories.quality.figures["template_overlap"] > 0.9
    assert not territories.quality.doubt
