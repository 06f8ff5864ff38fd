import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import Cancelled, InputError
from napari_qsm_stroke.register.align_diffusion import align_diffusion
from napari_qsm_stroke.register.template import load_template


def moved(rotation, shift):
    """Affine of a diffusion image whose head lies turned and shifted in the scanner."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", rotation, degrees=True).as_matrix()
    motion[:3, 3] = shift
    return motion


@pytest.fixture(scope="module")
def diffusion():
    """b0 (bright fluid) and, as DWI and ADC, maps of place: what comes back tells where from."""
    head = load_template()
    tissue = 0.5 * head.wm + 0.7 * head.gm + 2.0 * (head.brain - head.wm - head.gm).clip(0)
    step = np.array([3, 3, 4])
    fine = ndimage.gaussian_filter(tissue, 1.2)[:: step[0], :: step[1], :: step[2]]
    affine = head.affine @ np.diag([*step, 1.0])
    rng = np.random.default_rng(12)
    b0 = (300 * fine + rng.normal(0, 6, fine.shape)).astype(np.float32)
    place = np.stack(np.meshgrid(*[np.arange(n) for n in b0.shape], indexing="ij"))
    world = np.tensordot(affine[:3, :3], place, axes=1) + affine[:3, 3, None, None, None]
    return b0, world.astype(np.float32), affine


def run(subject, diffusion, motion, **options):
    b0, world, affine = diffusion
    grid = Grid(b0.shape, motion @ affine)
    dwi, adc = (Volume(world[i] + 500, grid) for i in (0, 2))
    return align_diffusion(
        dwi,
        subject.magnitude,
        subject.brain,
        b0=Volume(b0, grid),
        adc=adc,
        affine=subject.affine,
        voxel_size=subject.voxel_size,
        **options,
    )


def check_place(placed, diffusion, subject):
    """The images on their own grid lie where the head lies."""
    _, world, affine = diffusion
    np.testing.assert_array_equal(placed.data, world[0] + 500)
    inner = ndimage.binary_erosion(subject.brain, iterations=3)
    points = np.argwhere(inner)[::50] @ subject.affine[:3, :3].T + subject.affine[:3, 3]
    there = placed.grid.affine @ np.linalg.inv(affine)
    apart = points @ there[:3, :3].T + there[:3, 3] - points
    assert np.linalg.norm(apart, axis=1).mean() < 0.7  # mm


@pytest.mark.parametrize(
    ("rotation", "shift"),
    [((0, 0, 0), (0, 0, 0)), ((10, -8, 6), (-12, 10, 9)), ((-6, 5, -13), (8, 15, -10))],
)
def test_known_displacement_is_undone(subject, diffusion, rotation, shift):
    dwi, adc, placed, _ = run(subject, diffusion, moved(rotation, shift))
    check_place(placed, diffusion, subject)
    assert not dwi.quality.doubt
    assert dwi.quality.figures["coverage"] > 0.99
    dwi, adc = dwi.data, adc.data
    inner = ndimage.binary_erosion(subject.brain, iterations=3)
    index = np.stack(np.nonzero(inner))
    x, _, z = subject.affine[:3, :3] @ index + subject.affine[:3, 3:]
    assert dwi.dtype == np.float32
    assert np.abs(dwi[inner] - 500 - x).mean() < 0.7  # mm
    assert np.abs(adc[inner] - 500 - z).mean() < 0.7


def test_the_result_repeats_bit_for_bit(subject, diffusion):
    motion = moved((4, 0, -3), (3, 3, -2))
    first, second = (run(subject, diffusion, motion, finest=4.0)[0] for _ in range(2))
    np.testing.assert_array_equal(first.data, second.data)
    assert first.quality == second.quality


def test_dwi_alone_is_enough(subject, diffusion):
    b0, _, affine = diffusion
    dwi, adc, _, _ = align_diffusion(
        Volume(b0, Grid(b0.shape, moved((2, 2, 0), (4, 0, 0)) @ affine)),
        subject.magnitude,
        subject.brain,
        affine=subject.affine,
        voxel_size=subject.voxel_size,
        finest=4.0,
    )
    assert adc is None
    still = align_diffusion(
        Volume(b0, Grid(b0.shape, affine)),
        subject.magnitude,
        subject.brain,
        affine=subject.affine,
        voxel_size=subject.voxel_size,
        finest=4.0,
    )[0]
    inner = ndimage.binary_erosion(subject.brain, iterations=2)
    assert np.corrcoef(dwi.data[inner], still.data[inner])[0, 1] > 0.97


def test_cancel_stops_within_the_alignment(subject, diffusion):
    calls = []

    def progress(fraction, stage):
        calls.append((fraction, stage))
        if len(calls) == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(subject, diffusion, np.eye(4), progress=progress)
    assert len(calls) == 5
    assert all(0 <= fraction <= 1 for fraction, _ in calls)


@pytest.mark.parametrize("factor", [0, 1])
def test_an_empty_dwi_or_b0_is_said(subject, diffusion, factor):
    b0, _, affine = diffusion
    grid = Grid(b0.shape, affine)
    with pytest.raises(InputError, match=r"not overlap|not be aligned"):
        align_diffusion(
            Volume(b0 * factor, grid),
            subject.magnitude,
            subject.brain,
            b0=Volume(b0 * (1 - factor), grid),
            affine=subject.affine,
            voxel_size=subject.voxel_size,
            finest=4.0,
        )


def other_head(b0):
    """The head of someone else: the same one bent by a centimetre."""
    rng = np.random.default_rng(5)
    bend = np.stack([ndimage.gaussian_filter(rng.normal(0, 1, b0.shape), 6) for _ in range(3)])
    place = np.indices(b0.shape) + 3.5 * bend / bend.std()
    return ndimage.map_coordinates(b0, place, order=1)


LONG = pytest.mark.long
WRONG = {
    "noise": lambda b0: np.abs(np.random.default_rng(1).normal(0, 100, b0.shape)),
    "someone else": other_head,
    "upside down": lambda b0: b0[:, :, ::-1],
    "back to front": lambda b0: b0[:, ::-1],
    "half of it": lambda b0: b0 * (np.arange(b0.shape[0]) < b0.shape[0] // 2)[:, None, None],
    "the base alone": lambda b0: b0 * (np.arange(b0.shape[2]) < b0.shape[2] // 2),
    "a smooth blob": lambda b0: ndimage.gaussian_filter(
        np.random.default_rng(2).normal(0, 1, b0.shape), 3
    ),
}


@pytest.mark.parametrize(
    "what",
    [w if w in ("someone else", "half of it") else pytest.param(w, marks=LONG) for w in WRONG],
)
def test_a_wrong_image_is_noticed(subject, diffusion, what):
    b0, _, affine = diffusion
    wrong = np.ascontiguousarray(WRONG[what](b0), np.float32)
    grid = Grid(b0.shape, moved((2, 1, -3), (3, 2, -2)) @ affine)
    found = align_diffusion(
        Volume(np.maximum(wrong, 0), grid),
        subject.magnitude,
        subject.brain,
        affine=subject.affine,
        voxel_size=subject.voxel_size,
        finest=4.0,
    )
    assert all(v.quality.doubt for v in found if v is not None)


@pytest.mark.long
def test_an_image_turned_over_ends_wrong_and_is_noticed(subject, diffusion):
    motion = moved((0, 95, 0), (60, 0, 40))
    assert run(subject, diffusion, motion)[0].quality.doubt
