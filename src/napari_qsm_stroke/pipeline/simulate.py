"""A simulated patient as a case, with the truth beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.acquisition import Acquisition
from napari_qsm_stroke.case.case import Case
from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.physics.phantom import MULTI_ECHO, Side, Truth, simulate_patient
from napari_qsm_stroke.core.progress import Progress, silent
from napari_qsm_stroke.register.template import load_template

if TYPE_CHECKING:
    from numpy.typing import NDArray


def simulate(
    *,
    key: str = "sub-01",
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
) -> tuple[Case, Truth]:
    """Simulate the examination of a patient and return it as a case of raw images.

    Parameters
    ----------
    key : str
        Name of the case.
    seed, side, voxel_size, echo_times, field_strength, core_ratio, haemorrhage
        As for ``simulate_patient``.
    oblique_degrees, supersampling, progress
        As for ``simulate_patient``.

    Returns
    -------
    case : Case
        ``magnitude``, ``phase``, ``dwi``, ``b0`` and ``adc``.
    truth : Truth
        What is behind them.
    """
    patient = simulate_patient(
        load_template(),
        seed=seed,
        side=side,
        voxel_size=voxel_size,
        echo_times=echo_times,
        field_strength=field_strength,
        core_ratio=core_ratio,
        haemorrhage=haemorrhage,
        oblique_degrees=oblique_degrees,
        supersampling=supersampling,
        progress=progress,
    )
    source = f"simulated patient, seed {seed}"

    def volume(data: NDArray[Any], affine: NDArray[np.float64], unit: str) -> Volume:
        # NIfTI keeps affines in single precision: what is simulated equals what is read back
        kept = affine.astype(np.float32).astype(np.float64)
        return Volume(data, Grid(data.shape[:3], kept), unit, source)

    maps = {
        "magnitude": volume(patient.magnitude, patient.affine, "a.u."),
        "phase": volume(patient.phase, patient.affine, "rad"),
        "dwi": volume(patient.dwi, patient.dwi_affine, "a.u."),
        "b0": volume(patient.b0, patient.dwi_affine, "a.u."),
        "adc": volume(patient.adc, patient.dwi_affine, "mm2/s"),
    }
    acquisition = Acquisition(
        patient.echo_times,
        patient.field_strength,
        origins={"echo_times": "header", "field_strength": "header"},
    )
    record = Record(
        "load",
        "simulated patient",
        parameters={
            "seed": seed,
            "voxel_size": tuple(voxel_size),
            "haemorrhage": haemorrhage,
            "oblique_degrees": oblique_degrees,
            "supersampling": supersampling,
        },
        outputs={name: v.digest for name, v in maps.items()},
    )
    return Case(key, acquisition, maps, history=(record,)), patient.truth
