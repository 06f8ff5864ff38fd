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


@pytest.mark.parametrize(
    ("rotation", "shift"),
    [((0, 0, 0), (0, 0, 0)), ((3, -2, 4), (2, -5, 3)), ((10, -8, 6), (-12, 10, 9))],
)
def test_known_displacement_is_undone(subject, diffusion, rotation, shift):
    dwi, adc = run(subject, diffusion, moved(rotation, shift))
    inner = ndimage.binary_erosion(subject.brain, iterations=3)
    index = np.stack(np.nonzero(inner))
    x, _, z = subject.affine[:3, :3] @ index + subject.affine[:3, 3:]
    assert dwi.dtype == np.float32
    assert np.abs(dwi[inner] - 500 - x).mean() < 0.7  # mm
    assert np.abs(adc[inner] - 500 - z).mean() < 0.7


def test_the_result_repeats_bit_for_bit(subject, diffusion):
    motion = moved((4, 0, -3), (3, 3, -2))
    first, second = (run(subject, diffusion, motion, finest=4.0)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_dwi_alone_is_enough(subject, diffusion):
    b0, _, affine = diffusion
    dwi, adc = align_diffusion(
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
    assert np.corrcoef(dwi[inner], still[inner])[0, 1] > 0.97


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
