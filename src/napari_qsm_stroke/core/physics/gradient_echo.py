"""The gradient echo of a patient: fields on a fine grid, signals averaged to the acquired one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_qsm_stroke.core.physics.forward import (
    Space,
    echo_signals,
    harmonic_field,
    shim,
)
from napari_qsm_stroke.core.physics.magnetisation import AIR_PPM, REST_S, Magnetisation, magnetise
from napari_qsm_stroke.core.progress import Progress, part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.physics.patient import Patient
    from napari_qsm_stroke.core.physics.scan import Scan
    from napari_qsm_stroke.core.quantities import FloatArray

BEYOND_MM = 14.0
"""How far tissue above and below the field of view takes part in the field."""
NECK_MM = 30.0
PEAK_SNR = 100.0
PEAK_SIGNAL = 1000.0
COARSE_MM = 3.0


def scan_gradient_echo(
    rng: np.random.Generator,
    patient: Patient,
    scan: Scan,
    echo_times: tuple[float, ...],
    field_strength: float,
    progress: Progress,
) -> tuple[FloatArray, FloatArray, dict[str, FloatArray]]:
    """Acquire magnitude and phase (rad) of every echo.

    Returns
    -------
    magnitude, phase : ndarray of float32, shape (X, Y, Z, echo)
    maps : dict of str to ndarray of float32
        Truth on the acquired grid: ``susceptibility``, ``total_field``, ``local_field`` (ppm),
        ``brain_part``, ``vein_fraction`` and ``vein_ppm`` (fraction times susceptibility).
    """
    repetition = echo_times[-1] + REST_S
    chi, signal, r2star, brain, maps = _fine(patient, scan, repetition, part(progress, 0.0, 0.4))
    progress(0.4, "field")
    mean = float(maps["susceptibility"][maps["brain_part"] > 0.5].mean(dtype=np.float64))
    maps["susceptibility"] -= np.float32(mean)
    voxel, b0_dir = scan.voxel_size, scan.b0_dir
    inner = _inner(scan, chi.shape[2])
    space = Space(chi.shape, voxel, b0_dir)
    sources = np.zeros_like(chi)
    np.subtract(chi[:, :, inner], np.float32(mean), out=sources[:, :, inner], where=brain)
    maps["local_field"] = scan.averaged(space.field_of(sources)[:, :, inner])
    del sources
    progress(0.55, "field")
    chi -= np.float32(AIR_PPM)
    field = np.ascontiguousarray(space.field_of(chi)[:, :, inner])
    del chi, space
    inside = maps["brain_part"] > 0.5
    coils = shim(scan.averaged(field), inside, scan.affine)
    for place, affine, shape in scan.slabs():
        rows = slice(place.start * scan.parts[0], place.stop * scan.parts[0])
        field[rows] -= harmonic_field(coils, affine, shape)
    maps["total_field"] = scan.averaged(field)
    progress(0.75, "echoes")
    signals = echo_signals(
        field,
        signal,
        r2star,
        parts=scan.parts,
        echo_times=echo_times,
        field_strength=field_strength,
    )
    del field, signal, r2star
    progress(0.9, "noise")
    magnitude, phase = _receive(rng, signals, inside, scan)
    return magnitude, phase, maps


def _fine(
    patient: Patient, scan: Scan, repetition: float, progress: Progress
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_], dict[str, FloatArray]]:
    """Properties on the fine grid, the susceptibility above and below the field of view too."""
    offset = brain_offset(patient, repetition)
    extra, neck = _planes(scan)
    shape = scan.fine_shape
    chi = np.empty((shape[0], shape[1], neck + shape[2] + 2 * extra), np.float32)
    signal, r2star = np.empty(shape, np.float32), np.empty(shape, np.float32)
    brain = np.empty(shape, np.bool_)
    maps = {
        name: np.empty(scan.shape, np.float32)
        for name in ("susceptibility", "brain_part", "vein_fraction", "vein_ppm")
    }
    for place, affine, fine in scan.slabs():
        progress(place.start / scan.shape[0], "tissue")
        rows = slice(place.start * scan.parts[0], place.stop * scan.parts[0])
        affine[:3, 3] -= extra * affine[:3, 2]
        tall = magnetise(
            patient.anatomy,
            patient.vessels,
            affine,
            (fine[0], fine[1], fine[2] + 2 * extra),
            repetition,
            offset,
        )
        chi[rows, :, neck:] = tall.susceptibility
        chi[rows, :, :neck] = tall.susceptibility[:, :, :1]
        inner = slice(extra, extra + fine[2])
        signal[rows], r2star[rows] = tall.signal[:, :, inner], tall.r2star[:, :, inner]
        brain[rows] = tall.brain[:, :, inner] > 0.5
        _keep(maps, place, scan, tall, inner)
    return chi, signal, r2star, brain, maps


def _keep(
    maps: dict[str, FloatArray], place: slice, scan: Scan, tall: Magnetisation, inner: slice
) -> None:
    fine = {
        "susceptibility": tall.susceptibility,
        "brain_part": tall.brain,
        "vein_fraction": tall.vein,
        "vein_ppm": tall.vein_ppm,
    }
    for name, values in fine.items():
        maps[name][place] = scan.averaged(np.ascontiguousarray(values[:, :, inner]))


def _planes(scan: Scan) -> tuple[int, int]:
    """Fine planes beyond the field of view: computed at each end, and copied below for the neck."""
    height = scan.voxel_size[2]
    return round(BEYOND_MM / height), round(NECK_MM / height)


def _inner(scan: Scan, planes: int) -> slice:
    extra, neck = _planes(scan)
    return slice(neck + extra, planes - extra)


def brain_offset(patient: Patient, repetition: float) -> float:
    """What to add to the brain's tissue so that the mean over the brain, veins and all, is 0."""
    low, high = patient.brain.min(0) - 2, patient.brain.max(0) + 2
    affine = np.diag([COARSE_MM] * 3 + [1.0])
    affine[:3, 3] = low
    nx, ny, nz = (int(n) for n in np.ceil((high - low) / COARSE_MM))
    coarse = magnetise(patient.anatomy, patient.vessels, affine, (nx, ny, nz), repetition)
    inside = coarse.brain > 0.5
    total = coarse.susceptibility[inside].sum(dtype=np.float64)
    return float(-total / (1 - coarse.vein[inside]).sum(dtype=np.float64))


def _receive(
    rng: np.random.Generator,
    signals: NDArray[np.complex64],
    inside: NDArray[np.bool_],
    scan: Scan,
) -> tuple[FloatArray, FloatArray]:
    """Magnitude and wrapped phase behind a coil with its bias, phase offset and noise."""
    bias = rng.normal(0, 0.16, 9) * (0, 1, 1, 1, 1, 1, 1, 0.6, 0.4)
    offset = rng.normal(0, 1.0, 9) * (3, 1.2, 1.2, 1.2, 0.8, 0.8, 0.8, 0.6, 0.5)
    sensitivity = np.exp(_centred(bias, scan))
    angle = _centred(offset, scan)
    coil = sensitivity * np.exp(1j * angle).astype(np.complex64)
    signals *= coil[..., None]
    peak = float(np.quantile(np.abs(signals[inside][:, 0]), 0.99))
    signals *= np.float32(PEAK_SIGNAL / peak)
    noise = np.float32(PEAK_SIGNAL / PEAK_SNR)
    for echo in range(signals.shape[3]):
        real, imaginary = rng.standard_normal((2, *scan.shape), dtype=np.float32)
        signals[..., echo] += noise * (real + 1j * imaginary)
    return np.abs(signals), np.angle(signals)


def _centred(coefficients: NDArray[np.float64], scan: Scan) -> FloatArray:
    """Smooth map over the field of view from coefficients of ``solid_harmonics``."""
    affine = scan.affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(scan.shape) - 1) / 2)
    return harmonic_field(coefficients, affine, scan.shape)
