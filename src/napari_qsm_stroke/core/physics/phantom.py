"""A simulated patient: raw gradient echo and diffusion images, and the truth behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_qsm_stroke.core.physics.diffusion import scan_diffusion
from napari_qsm_stroke.core.physics.gradient_echo import scan_gradient_echo
from napari_qsm_stroke.core.physics.lesion import labels_of, labels_on, territories_on
from napari_qsm_stroke.core.physics.nuclei import nuclei_labels
from napari_qsm_stroke.core.physics.patient import STREAMS, Patient, make_patient
from napari_qsm_stroke.core.physics.scan import Scan, plan_scan
from napari_qsm_stroke.core.physics.veins import REGIONS
from napari_qsm_stroke.core.progress import Progress, part, silent
from napari_qsm_stroke.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.template import HeadTemplate
    from napari_qsm_stroke.core.quantities import Array, FloatArray

Side = Literal["left", "right"]
MULTI_ECHO = (0.004, 0.010, 0.016, 0.022, 0.028)
VEIN_FRACTION = 0.25
"""A voxel is a vein voxel of the truth where veins fill more than this part of it."""
LEAST_COURSE_MM = 5.0


@dataclass(frozen=True, eq=False)
class Truth:
    """What is behind the images of a simulated patient.

    Parameters
    ----------
    maps : dict of str to ndarray
        On the grid of the gradient echo: ``susceptibility`` (ppm, mean of the fine voxels, 0
        outside the brain; the mean of the brain is 0), ``total_field`` (ppm, after shimming),
        ``local_field`` (ppm, of sources inside the brain alone), ``brain``, ``veins`` (vein
        fraction above 0.25 and no blood of a haemorrhage, whose susceptibility would be the
        voxel's; sinuses are no veins), ``vein_fraction``, ``infarct``, ``haemorrhage``,
        ``territories``, ``nuclei`` (labels: 1 + place in ``nuclei.NAMES``).
    side : {"left", "right"}
        Of the stroke.
    core_ratio : float
        Susceptibility of veins in the core over that of the other side.
    infarct_volume_ml : float
        Volume of the infarct mask.
    intravascular_ppm : dict of str to float
        Median susceptibility of the blood in the vein voxels of each region.
    map_ppm : dict of str to float
        Median of the susceptibility map, partial volumes and all, over the same voxels.
    n_vein_voxels : dict of str to int
        Number of these voxels.
    n_veins : dict of str to int
        Number of veins that run for at least 5 mm in each region.
    """

    maps: dict[str, Array]
    side: Side
    core_ratio: float
    infarct_volume_ml: float
    intravascular_ppm: dict[str, float]
    map_ppm: dict[str, float]
    n_vein_voxels: dict[str, int]
    n_veins: dict[str, int]


@dataclass(frozen=True, eq=False)
class SimulatedPatient:
    """Images as a scanner gives them, and the truth.

    Magnitude and phase (rad) are float32 of shape (X, Y, Z, echo); DWI, b0 and ADC (mm2/s) lie on
    a grid of their own and the patient has moved in between.
    """

    magnitude: FloatArray
    phase: FloatArray
    affine: NDArray[np.float64]
    echo_times: tuple[float, ...]
    field_strength: float
    dwi: FloatArray
    b0: FloatArray
    adc: FloatArray
    dwi_affine: NDArray[np.float64]
    truth: Truth


def simulate_patient(
    template: HeadTemplate,
    *,
    seed: int,
    side: Side | None = None,
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    echo_times: tuple[float, ...] = MULTI_ECHO,
    field_strength: float = 3.0,
    core_ratio: float = 0.62,
    haemorrhage: bool = False,
    oblique_degrees: float = 0.0,
    supersampling: int = 2,
    progress: Progress = silent,
) -> SimulatedPatient:
    """Simulate the examination of a patient 24 to 72 hours after thrombectomy.

    The same seed gives the same patient, byte for byte, however the scan is done: a changed
    ``core_ratio`` changes the blood alone.

    Parameters
    ----------
    template : HeadTemplate
        Head that the patient is a deformed copy of.
    seed : int
        Draws anatomy, veins, infarct and noise.
    side : {"left", "right"}, optional
        Of the stroke; drawn from the seed where not given.
    voxel_size : tuple of float
        In mm.
    echo_times : tuple of float
        In s, increasing.
    field_strength : float
        In T.
    core_ratio : float
        Susceptibility of veins in the core over that of the other side; 1 is no effect at all.
    haemorrhage : bool
        Blood leaks into the core.
    oblique_degrees : float
        Tilt of the slab against the scanner's axes.
    supersampling : int
        Fine voxels per voxel and axis, at least 2.
    progress : Progress
        Is told the stage; may raise ``Cancelled``.

    Raises
    ------
    ParameterError
        A value is out of its bounds.
    """
    _check(voxel_size, echo_times, core_ratio, supersampling)
    progress(0.0, "anatomy")
    patient, (diffusion_rng, echo_rng) = draw_patient(template, seed, side, core_ratio, haemorrhage)
    progress(0.12, "diffusion")
    diffusion = scan_diffusion(diffusion_rng, patient.anatomy, patient.brain)
    parts = (supersampling, supersampling, supersampling)
    scan = plan_scan(patient.brain, voxel_size, oblique_degrees, parts)
    magnitude, phase, maps = scan_gradient_echo(
        echo_rng, patient, scan, echo_times, field_strength, part(progress, 0.15, 0.98)
    )
    truth = _truth(template, patient, scan, maps, core_ratio)
    progress(1.0, "done")
    return SimulatedPatient(
        magnitude=magnitude,
        phase=phase,
        affine=scan.affine,
        echo_times=tuple(echo_times),
        field_strength=field_strength,
        dwi=diffusion.dwi,
        b0=diffusion.b0,
        adc=diffusion.adc,
        dwi_affine=diffusion.affine,
        truth=truth,
    )


def draw_patient(
    template: HeadTemplate, seed: int, side: Side | None, core_ratio: float, haemorrhage: bool
) -> tuple[Patient, tuple[np.random.Generator, np.random.Generator]]:
    """Draw the patient of a seed, and the chance that diffusion and gradient echo are left to."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(STREAMS + 3)]
    chance, diffusion_rng, echo_rng = streams[STREAMS:]
    drawn: Side = "left" if chance.random() < 0.5 else "right"
    patient = make_patient(template, streams[:STREAMS], side or drawn, core_ratio, haemorrhage)
    return patient, (diffusion_rng, echo_rng)


def _check(
    voxel_size: tuple[float, float, float],
    echo_times: tuple[float, ...],
    core_ratio: float,
    supersampling: int,
) -> None:
    if supersampling < 2:
        raise ParameterError(f"supersampling: expected at least 2, got {supersampling}.")
    if not 0 < core_ratio <= 2:
        raise ParameterError(f"core_ratio: expected more than 0 and at most 2, got {core_ratio:g}.")
    if not all(0.3 <= size <= 6 for size in voxel_size):
        raise ParameterError(f"voxel_size: expected 0.3 to 6 mm, got {tuple(voxel_size)}.")
    if not echo_times or not 0 < echo_times[0] <= echo_times[-1] < 0.2:
        raise ParameterError(f"echo_times: expected seconds below 0.2, got {tuple(echo_times)}.")


def _truth(
    template: HeadTemplate,
    patient: Patient,
    scan: Scan,
    maps: dict[str, FloatArray],
    core_ratio: float,
) -> Truth:
    tissue = patient.anatomy.on(scan.affine, scan.shape)
    brain = maps.pop("brain_part") > 0.5
    blood = maps.pop("vein_ppm") / np.maximum(maps["vein_fraction"], 1e-6)
    veins = (maps["vein_fraction"] > VEIN_FRACTION) & brain & (tissue.bleed <= 0)
    infarct = (tissue.infarct > 0.5) & brain
    territories = territories_on(template, patient.deformation, scan.affine, scan.shape)
    territories[~brain] = 0
    nuclei = labels_on(
        nuclei_labels(template.territories.shape, template.affine),
        template,
        patient.deformation,
        scan.affine,
        scan.shape,
    )
    nuclei[~brain] = 0
    other = "left" if patient.side == "right" else "right"
    regions = {
        "infarct_core": infarct,
        "ipsilateral_mca": (territories == labels_of("MCA", patient.side)) & ~infarct,
        "contralateral_mca": territories == labels_of("MCA", other),
    }
    chi = np.where(brain, maps["susceptibility"], np.float32(0))
    inside = {name: mask & veins for name, mask in regions.items()}
    masks = {
        "brain": brain,
        "veins": veins,
        "infarct": infarct,
        "haemorrhage": (tissue.bleed > 0.5) & brain,
    }
    return Truth(
        maps={
            **maps,
            "susceptibility": chi,
            **{name: mask.astype(np.uint8) for name, mask in masks.items()},
            "territories": territories,
            "nuclei": nuclei,
        },
        side=patient.side,
        core_ratio=core_ratio,
        infarct_volume_ml=float(infarct.sum() * abs(np.linalg.det(scan.affine[:3, :3])) / 1000),
        intravascular_ppm={name: _median(blood[mask]) for name, mask in inside.items()},
        map_ppm={name: _median(chi[mask]) for name, mask in inside.items()},
        n_vein_voxels={name: int(mask.sum()) for name, mask in inside.items()},
        n_veins=_count_veins(patient),
    )


def _median(values: FloatArray) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _count_veins(patient: Patient) -> dict[str, int]:
    """Veins that run for at least 5 mm in each region."""
    veins, region = patient.vessels.veins, patient.vessels.region
    counts = {}
    for number, name in enumerate(REGIONS):
        here = region == number
        course = np.bincount(veins.vessel[here], veins.length[here])
        counts[name] = int((course >= LEAST_COURSE_MM).sum())
    return counts
