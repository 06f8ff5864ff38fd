import numpy as np
import pytest

from napari_qsm_stroke.core.physics.constants import GYROMAGNETIC_RATIO_MHZ_PER_T
from napari_qsm_stroke.core.physics.dephasing import signal_kept

SHAPE = (10, 12, 14)
TESLA, TIMES = 3.0, (0.01, 0.02)


def ramp(slopes):
    return sum(s * n for s, n in zip(slopes, np.indices(SHAPE), strict=True)).astype(np.float32)


@pytest.mark.parametrize("slopes", [(0.15, 0, 0), (0, 0.2, 0), (0, 0, 0.3), (0.1, -0.15, 0.2)])
def test_it_is_the_sum_of_the_spins_of_a_voxel(slopes):
    kept = signal_kept(ramp(slopes), np.ones(SHAPE, bool), TIMES, TESLA)
    place = (np.indices((40, 40, 40)) + 0.5) / 40 - 0.5  # spins on a fine grid in one voxel
    hertz = GYROMAGNETIC_RATIO_MHZ_PER_T * TESLA * np.tensordot(slopes, place, 1)
    expected = np.mean([abs(np.exp(2j * np.pi * t * hertz).mean()) for t in TIMES])
    assert expected < 0.9
    np.testing.assert_allclose(kept, expected, rtol=2e-3)


def test_only_differences_between_known_voxels_count():
    inside = np.zeros(SHAPE, bool)
    inside[2:8, 2:9, 3:10] = True
    field = np.where(inside, ramp((0.2, 0, 0)), np.float32(50))
    kept = signal_kept(field, inside, TIMES, TESLA)
    whole = signal_kept(ramp((0.2, 0, 0)), np.ones(SHAPE, bool), TIMES, TESLA)
    np.testing.assert_allclose(kept[inside], whole[inside], rtol=1e-5)
    assert (kept[~inside] == 1).all()
    assert kept.dtype == np.float32


def test_a_voxel_alone_and_an_even_field_keep_all():
    alone = np.zeros(SHAPE, bool)
    alone[4, 5, 6] = True
    assert (signal_kept(ramp((1, 1, 1)), alone, TIMES, TESLA) == 1).all()
    even = signal_kept(np.full(SHAPE, 3, np.float32), np.ones(SHAPE, bool), TIMES, TESLA)
    np.testing.assert_array_equal(even, 1)
