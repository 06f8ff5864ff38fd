import numpy as np
import pytest

from napari_qsm_stroke.core.masks.bright import RIM_MM, bright_on_diffusion

SIZE = (2.0, 2.0, 3.0)


@pytest.fixture
def distance():
    """From the middle of the lesion in mm, on a grid of 80 x 80 x 72 mm."""
    place = np.indices((40, 40, 24)).astype(float) * np.reshape(SIZE, (3, 1, 1, 1))
    return np.linalg.norm(place - np.reshape((44.0, 34.0, 30.0), (3, 1, 1, 1)), axis=0)


@pytest.fixture
def inside():
    brain = np.zeros((40, 40, 24), bool)
    brain[2:-2, 2:-2, 2:-2] = True
    return brain


def healthy(shape):
    return np.random.default_rng(4).normal(100, 6, shape).astype(np.float32)


def test_a_lesion_its_rim_and_the_blood_inside_are_found(distance, inside):
    dwi = healthy(inside.shape)
    dwi[distance < 16] = 200
    dwi[distance < 9] = 20
    found = bright_on_diffusion(dwi, inside, SIZE)
    assert found[distance < 16 + RIM_MM / 2].all()
    assert not found[distance > 16 + 2 * RIM_MM].any()


def test_outside_the_brain_nothing_is_found(distance, inside):
    dwi = healthy(inside.shape)
    dwi[distance < 16] = 200
    inside[22:] = False
    assert not bright_on_diffusion(dwi, inside, SIZE)[22:].any()


def test_noise_is_no_lesion(inside):
    assert not bright_on_diffusion(healthy(inside.shape), inside, SIZE).any()


def test_no_signal_is_no_lesion(inside):
    assert not bright_on_diffusion(np.zeros(inside.shape, np.float32), inside, SIZE).any()
