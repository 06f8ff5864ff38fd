"""The simulated patient: it holds what was asked for, and its images agree with the truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from scipy import ndimage

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.core.physics.nuclei import NAMES, NUCLEI, nuclei_labels, nuclei_maps
from napari_qsm_stroke.core.physics.phantom import (
    VEIN_FRACTION,
    SimulatedPatient,
    Truth,
    simulate_patient,
)
from napari_qsm_stroke.core.physics.sphere import mean_value_kernel
from napari_qsm_stroke.core.physics.units import hz_per_ppm
from napari_qsm_stroke.errors import Cancelled, ParameterError
from napari_qsm_stroke.register.template import load_template


@pytest.fixture(scope="module")
def study() -> SimulatedPatient:
    """2 mm, five echoes, the effect of the study."""
    return simulate_patient(load_template(), seed=21, voxel_size=(2.0, 2.0, 2.0))


@pytest.fixture(scope="module")
def oblique() -> SimulatedPatient:
    """Coarse, oblique, single echo, haemorrhage on the right, no effect."""
    return _oblique()


def _oblique() -> SimulatedPatient:
    return simulate_patient(
        load_template(),
        seed=22,
        side="right",
        voxel_size=(2.5, 2.5, 4.0),
        echo_times=(0.020,),
        core_ratio=1.0,
        haemorrhage=True,
        oblique_degrees=16.0,
    )


def _ratio(medians: dict[str, float], other: str) -> float:
    return medians["infarct_core"] / medians[other]


def test_maps_are_those_of_the_vocabulary(study: SimulatedPatient) -> None:
    shape = study.magnitude.shape[:3]
    assert study.magnitude.shape == study.phase.shape == (*shape, 5)
    assert study.magnitude.dtype == study.phase.dtype == np.float32
    assert np.abs(study.phase).max() <= np.float32(np.pi)
    maps = study.truth.maps
    assert set(maps) == {
        "susceptibility",
        "total_field",
        "local_field",
        "brain",
        "veins",
        "vein_fraction",
        "infarct",
        "haemorrhage",
        "territories",
        "nuclei",
    }
    for name in ("susceptibility", "total_field", "local_field", "vein_fraction"):
        assert maps[name].dtype == np.float32
        assert np.isfinite(maps[name]).all()
    for name in ("brain", "veins", "infarct", "haemorrhage", "territories", "nuclei"):
        assert maps[name].dtype == np.uint8
    assert all(m.shape == shape for m in maps.values())
    assert not maps["haemorrhage"].any()


def test_the_brain_is_whole_and_of_human_size(study: SimulatedPatient) -> None:
    brain = study.truth.maps["brain"]
    volume = brain.sum() * Grid(brain.shape, study.affine).voxel_volume_ml
    assert 1200 < volume < 2000
    edge = brain.copy()
    edge[1:-1, 1:-1, 1:-1] = 0
    assert edge.sum() == 0
    found = {int(v) for v in np.unique(study.truth.maps["territories"])}
    assert found == set(range(9))


def test_blood_has_the_ratios_of_the_study(study: SimulatedPatient) -> None:
    truth = study.truth
    assert _ratio(truth.intravascular_ppm, "contralateral_mca") == pytest.approx(0.62, abs=0.03)
    assert _ratio(truth.intravascular_ppm, "ipsilateral_mca") == pytest.approx(0.59, abs=0.03)
    assert truth.intravascular_ppm["contralateral_mca"] == pytest.approx(0.371, abs=0.015)
    # partial volume takes away half of the value at 2 mm, and leaves the ratio
    assert truth.map_ppm["contralateral_mca"] < 0.6 * truth.intravascular_ppm["contralateral_mca"]
    assert _ratio(truth.map_ppm, "contralateral_mca") == pytest.approx(0.62, abs=0.1)


def test_there_are_veins_enough_on_both_sides(study: SimulatedPatient) -> None:
    veins = study.truth.n_veins
    assert veins["infarct_core"] >= 15
    assert veins["ipsilateral_mca"] + veins["infarct_core"] >= 60
    assert veins["contralateral_mca"] >= 60
    whole = veins["ipsilateral_mca"] + veins["infarct_core"]
    assert 0.7 < whole / veins["contralateral_mca"] < 1.5
    assert min(study.truth.n_vein_voxels.values()) > 50


def test_no_effect_is_no_effect(oblique: SimulatedPatient) -> None:
    truth = oblique.truth
    assert truth.core_ratio == 1.0
    assert _ratio(truth.intravascular_ppm, "contralateral_mca") == pytest.approx(1, abs=0.04)
    assert _ratio(truth.intravascular_ppm, "ipsilateral_mca") == pytest.approx(1, abs=0.04)


def _check_side(truth: Truth, affine: np.ndarray) -> None:
    middle = np.append(ndimage.center_of_mass(truth.maps["infarct"]), 1)
    x = (affine @ middle)[0]
    assert (x > 10) if truth.side == "right" else (x < -10)
    label = {"left": 3, "right": 4}[truth.side]
    inside = truth.maps["territories"][truth.maps["infarct"] > 0]
    assert (inside == label).mean() > 0.9


def test_the_infarct_lies_in_the_mca_territory_of_its_side(
    study: SimulatedPatient, oblique: SimulatedPatient
) -> None:
    assert oblique.truth.side == "right"
    for patient in (study, oblique):
        _check_side(patient.truth, patient.affine)
        assert 15 < patient.truth.infarct_volume_ml < 115


def test_blood_leaks_into_the_core_alone(oblique: SimulatedPatient) -> None:
    maps = oblique.truth.maps
    bleed = maps["haemorrhage"] > 0
    assert bleed.sum() > 5
    assert maps["infarct"][bleed].all()
    assert np.median(maps["susceptibility"][bleed]) > 0.5
    inside, core = oblique.magnitude[bleed, 0], oblique.magnitude[maps["infarct"] > 0, 0]
    assert np.median(inside) < 0.6 * np.median(core)


def test_veins_in_a_haemorrhage_do_not_count() -> None:
    """What their voxels show is the haemorrhage, even where it fills a part of them alone."""
    bled = simulate_patient(
        load_template(),
        seed=1023,
        voxel_size=(1.5, 1.5, 1.5),
        echo_times=(0.020,),
        haemorrhage=True,
    )
    maps = bled.truth.maps
    veins, core = maps["veins"] > 0, maps["infarct"] > 0
    covered = core & ~veins & (maps["vein_fraction"] > VEIN_FRACTION)
    assert covered.sum() > 5
    assert ndimage.binary_dilation(maps["haemorrhage"] > 0, iterations=2)[covered].all()
    chi = maps["susceptibility"]
    assert np.median(chi[covered]) > 3 * np.median(chi[core & veins])
    assert chi[core & veins].max() < chi[veins & ~core].max()
    assert bled.truth.n_vein_voxels["infarct_core"] == (core & veins).sum()
    assert bled.truth.map_ppm["infarct_core"] == np.median(chi[core & veins])


def test_phase_grows_with_the_field_and_the_echo_time(study: SimulatedPatient) -> None:
    maps = study.truth.maps
    deep = ndimage.binary_erosion(maps["brain"] > 0, iterations=4) & (maps["vein_fraction"] == 0)
    first, last = (study.magnitude[..., e] * np.exp(1j * study.phase[..., e]) for e in (0, 4))
    waiting = study.echo_times[4] - study.echo_times[0]
    expected = 2 * np.pi * hz_per_ppm(3.0) * maps["total_field"] * waiting
    off = np.angle(last * np.conj(first) * np.exp(-1j * expected))[deep]
    assert np.median(np.abs(off)) < 0.05
    assert np.std(expected[deep]) > 0.4
    decay = np.log(study.magnitude[..., 0] / study.magnitude[..., 4])[deep] / waiting
    assert 14 < np.median(decay) < 24


def test_noise_is_one_hundredth_of_the_peak(study: SimulatedPatient) -> None:
    corner = study.magnitude[:4, :4, -4:, 0]
    peak = np.quantile(study.magnitude[study.truth.maps["brain"] > 0, 0], 0.99)
    # the mean of pure noise magnitude is sqrt(pi / 2) of the noise of one channel
    assert peak / (corner.mean() / np.sqrt(np.pi / 2)) == pytest.approx(100, rel=0.15)


def test_what_is_not_local_is_harmonic(study: SimulatedPatient) -> None:
    maps = study.truth.maps
    brain = maps["brain"] > 0
    rest = maps["total_field"] - maps["local_field"]
    deep = ndimage.binary_erosion(brain, iterations=5)
    kernel = mean_value_kernel(rest.shape, 6.0, (2.0, 2.0, 2.0))
    smooth, local = (
        scipy.fft.irfftn(scipy.fft.rfftn(f * brain) * kernel, f.shape) - f
        for f in (rest, maps["local_field"])
    )
    assert np.std(smooth[deep]) < 0.05 * np.std(local[deep])


def test_susceptibility_has_its_zero_at_the_mean_of_the_brain(study: SimulatedPatient) -> None:
    maps = study.truth.maps
    brain = maps["brain"] > 0
    assert maps["susceptibility"][brain].mean(dtype=np.float64) == pytest.approx(0, abs=1e-5)
    assert (maps["susceptibility"][~brain] == 0).all()
    assert (maps["veins"] == ((maps["vein_fraction"] > 0.25) & brain)).all()


def test_deep_grey_matter_is_bright(study: SimulatedPatient) -> None:
    template = load_template()
    fraction, iron = nuclei_maps(template.gm.shape, template.affine, np.ones((2, len(NUCLEI))))
    assert (template.brain[fraction > 0.5] > 0).mean() > 0.99
    np.testing.assert_allclose(fraction, fraction[::-1], atol=1e-5)
    voxels = {n.name: np.rint(np.subtract(n.centre, template.affine[:3, 3])) for n in NUCLEI}
    for name, expected in (("pallidum", 0.131), ("red nucleus", 0.100), ("putamen", 0.066)):
        i, j, k = voxels[name].astype(int)
        assert iron[i, j, k] == pytest.approx(expected, abs=1e-3)
    chi, veins = study.truth.maps["susceptibility"], study.truth.maps["vein_fraction"]
    brain = study.truth.maps["brain"] > 0
    # grey matter and its texture end at 0.04 ppm; pallidum, nigra and dentate make some ml above
    assert 1.0 < (chi[brain & (veins == 0)] > 0.06).sum() * 0.008 < 12.0


def test_nuclei_are_labelled_where_their_iron_is(study: SimulatedPatient) -> None:
    template = load_template()
    labels = nuclei_labels(template.gm.shape, template.affine)
    fraction, iron = nuclei_maps(template.gm.shape, template.affine, np.ones((2, len(NUCLEI))))
    assert ((labels > 0) <= (fraction > 0.5)).all()
    expected = {n.name: n.ppm for n in NUCLEI}
    chi, found = study.truth.maps["susceptibility"], study.truth.maps["nuclei"]
    level = np.median(chi[(study.truth.maps["brain"] > 0) & (found == 0)])
    for number, name in enumerate(NAMES, 1):
        inside = labels == number
        assert np.median(iron[inside] / fraction[inside]) == pytest.approx(expected[name], rel=0.05)
        assert (found == number).sum() > 10, name
        # voxels of 2 mm take from the thin ones, and each nucleus scatters by 12 per cent
        patient = np.median(chi[found == number]) - level
        assert 0.35 * expected[name] - 0.01 < patient < 1.35 * expected[name] + 0.02, name


def test_diffusion_has_a_grid_of_its_own_and_the_patient_moved(study: SimulatedPatient) -> None:
    grid, echo = Grid(study.dwi.shape, study.dwi_affine), Grid(study.phase.shape[:3], study.affine)
    assert grid.voxel_size == pytest.approx((1.8, 1.8, 4.0))
    assert echo.obliquity_degrees == pytest.approx(0, abs=1e-6)
    assert 2 < grid.obliquity_degrees < 20
    core = study.truth.maps["infarct"] > 0
    expected = (study.affine @ np.append(ndimage.center_of_mass(core), 1))[:3]
    bright = study.dwi > 1.35 * np.median(study.dwi[study.dwi > 0.3 * study.dwi.max()])
    pieces, _ = ndimage.label(ndimage.binary_opening(bright))
    largest = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    found = (study.dwi_affine @ np.append(ndimage.center_of_mass(largest), 1))[:3]
    assert 0.5 < np.linalg.norm(found - expected) < 12
    volume = largest.sum() * grid.voxel_volume_ml
    assert volume == pytest.approx(study.truth.infarct_volume_ml, rel=0.4)
    assert 0.45e-3 < np.median(study.adc[largest]) < 0.80e-3
    assert np.median(study.adc[study.adc > 0]) > 0.7e-3


def test_single_echo_in_an_oblique_slab(oblique: SimulatedPatient) -> None:
    grid = Grid(oblique.magnitude.shape[:3], oblique.affine)
    assert oblique.magnitude.shape[3] == 1
    assert oblique.echo_times == (0.020,)
    assert grid.voxel_size == pytest.approx((2.5, 2.5, 4.0))
    assert grid.obliquity_degrees == pytest.approx(16, abs=3)


def test_the_same_seed_gives_the_same_bytes(oblique: SimulatedPatient) -> None:
    again = _oblique()
    for name in ("magnitude", "phase", "dwi", "b0", "adc", "affine", "dwi_affine"):
        assert getattr(again, name).tobytes() == getattr(oblique, name).tobytes(), name
    for name, values in oblique.truth.maps.items():
        assert again.truth.maps[name].tobytes() == values.tobytes(), name


def test_seeds_are_different_people(study: SimulatedPatient, oblique: SimulatedPatient) -> None:
    def profile(patient: SimulatedPatient) -> np.ndarray:
        brain = patient.truth.maps["brain"]
        points = np.argwhere(brain) @ patient.affine[:3, :3].T
        return np.ptp(points, axis=0)

    assert np.abs(profile(study) - profile(oblique)).max() > 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"supersampling": 1},
        {"core_ratio": 0.0},
        {"voxel_size": (0.0, 1.0, 1.0)},
        {"echo_times": (4.0, 10.0)},
    ],
)
def test_impossible_wishes_are_refused(wrong: dict) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        simulate_patient(load_template(), seed=1, **wrong)


def test_it_stops_when_told() -> None:
    def stop(fraction: float, _stage: str) -> None:
        if fraction > 0.05:
            raise Cancelled

    with pytest.raises(Cancelled):
        simulate_patient(load_template(), seed=1, voxel_size=(6, 6, 6), progress=stop)
