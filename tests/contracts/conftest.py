"""One small head for all methods: every quantity of the vocabulary, consistent and read-only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.fft
from scipy import ndimage

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.core.method import Argument, Method
from napari_qsm_stroke.core.quantities import Header, Quantity

Size = tuple[float, float, float]
TIMES = (0.004, 0.010, 0.016)
TESLA = 3.0
RADIANS = 2 * np.pi * 42.577478461 * TESLA
OUTSIDE_SOURCES = (((0, 0.86, -0.2), 12.0), ((-0.88, 0, 0.1), -8.0), ((0.2, -0.35, -0.86), 12.0))


@dataclass(frozen=True)
class Scene:
    """Maps by the name of their quantity, and the values of the headers."""

    maps: dict[str, np.ndarray]
    size: Size
    b0: Size

    @property
    def inside(self) -> np.ndarray:
        """The brain as bool."""
        return self.maps["brain"] != 0

    def with_maps(self, **maps: np.ndarray) -> Scene:
        """Return a scene in which these maps differ; all of them are read-only."""
        for array in maps.values():
            array.flags.writeable = False
        return replace(self, maps={**self.maps, **maps})

    def arguments(self, method: Method) -> dict[str, Any]:
        """Return what the method takes from case and headers; defaults for the rest."""
        return {a.name: self._value(a) for a in (*method.inputs, *method.headers)}

    def _value(self, argument: Argument) -> Any:
        if isinstance(argument.source, Header):
            return {
                "voxel_size": self.size,
                "b0_dir": self.b0,
                "echo_times": TIMES,
                "field_strength": TESLA,
                "affine": np.diag([*self.size, 1.0]),
                "side": "left",
            }[argument.source.name]
        assert isinstance(argument.source, Quantity)
        array = self.maps[argument.source.name.removesuffix("_aligned")]
        if not argument.whole:
            return array
        grid = Grid(array.shape[:3], np.diag([*self.size, 1.0]))
        return Volume(array, grid, argument.source.unit)

    def moved(self, move: Callable[[np.ndarray], np.ndarray], size: Size, b0: Size) -> Scene:
        """Return the scene with all arrays permuted or flipped, and its headers alike."""
        scene = Scene({}, size, b0)
        return scene.with_maps(**{k: np.ascontiguousarray(move(v)) for k, v in self.maps.items()})


def dipole_field(chi: np.ndarray, size: Size, b0: Size) -> np.ndarray:
    """Field of a susceptibility, written out here so that no method checks itself."""
    shape = [2 * n for n in chi.shape]
    k = np.meshgrid(
        *(np.fft.fftfreq(n, d) for n, d in zip(shape, size, strict=True)), indexing="ij"
    )
    square = sum(a**2 for a in k)
    square[0, 0, 0] = 1
    along = sum(a * b for a, b in zip(k, b0, strict=True)) ** 2 / np.dot(b0, b0)
    kernel = 1 / 3 - along / square
    kernel[0, 0, 0] = 0
    field = scipy.fft.ifftn(scipy.fft.fftn(chi, shape) * kernel).real
    return field[tuple(slice(n) for n in chi.shape)]


def build(shape: tuple[int, int, int], size: Size, b0: Size, seed: int = 90) -> Scene:
    """Brain with a ball, tubes and texture, scalp around it, sources outside and a shim."""
    rng = np.random.default_rng(seed)
    x, y, z = ((i - (n - 1) / 2) / (n / 2) for i, n in zip(np.indices(shape), shape, strict=True))
    radius = np.sqrt(x**2 + y**2 + 1.1 * z**2)
    brain, head = radius < 0.72, (radius < 0.95) & (radius > 0.83)
    texture = ndimage.gaussian_filter(rng.normal(size=shape), 2)
    chi = 0.02 * texture / texture.std()
    chi += 0.2 * ((x + 0.1) ** 2 + (y - 0.15) ** 2 + z**2 < 0.2**2)
    veins = brain & (
        ((y + 0.3) ** 2 + (z - 0.1) ** 2 < 0.045**2) | (abs(x - 0.3) + abs(y + 0.2) < 0.08)
    )
    chi = (chi + 0.3 * veins) * brain
    local = dipole_field(chi, size, b0)
    sources = sum(
        moment * ((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2 < 0.12**2) * ~brain
        for c, moment in OUTSIDE_SOURCES
    )
    u, v, w = (a * n * d / 2 for a, n, d in zip((x, y, z), shape, size, strict=True))
    shim = 0.5 + 0.01 * u - 0.007 * v + 2e-4 * u * w
    total = local + dipole_field(sources, size, b0) + shim
    decay = np.where(brain, 20 + 60 * veins, 30)[..., None]
    magnitude = (600 * brain + 500 * head)[..., None] * np.exp(-decay * np.array(TIMES)) + 2.0
    phase = 0.4 + RADIANS * total[..., None] * np.array(TIMES)
    noise = rng.normal(0, 0.01, phase.shape)
    signal = magnitude * np.exp(1j * (phase - 0.4 + noise))
    infarct = brain & ((x + 0.35) ** 2 + y**2 + z**2 < 0.25**2)
    territories = np.where(x < 0, 3, 4) * brain
    maps = {
        "magnitude": magnitude,
        "phase": np.angle(np.exp(1j * (phase + noise))),
        "signal": signal,
        "unwrapped_phase": (phase + noise) * brain[..., None],
        "phase_quality": 0.9 * brain - 0.3 * (brain & (radius > 0.66) & (z < -0.4)),
        "total_field": total * brain,
        "field_noise": (1e-3 + 1e-4 * np.abs(texture)) * brain,
        "local_field": local * brain,
        "susceptibility": chi,
        "r2star": decay[..., 0] * brain,
        "swi": magnitude[..., 0],
        "dwi": 200.0 * brain + 250.0 * infarct,
        "b0": 500.0 * brain,
        "adc": 0.8e-3 * brain - 0.3e-3 * infarct,
    }
    masks = {
        "brain": brain,
        "field_mask": brain,
        "veins": veins,
        "infarct": infarct,
        "territories": territories,
    }
    arrays = {k: v.astype(np.complex64 if k == "signal" else np.float32) for k, v in maps.items()}
    return Scene({}, size, b0).with_maps(
        **arrays, **{k: v.astype(np.uint8) for k, v in masks.items()}
    )


GRIDS = {
    "even": ((44, 48, 40), (1.5, 1.5, 1.5), (0.0, 0.0, 1.0)),
    "odd, anisotropic, oblique": ((45, 47, 31), (1.4, 1.4, 2.2), (0.1, 0.35, 0.93)),
}


@pytest.fixture(scope="session", params=list(GRIDS))
def scene(request: pytest.FixtureRequest) -> Scene:
    """The head on each grid."""
    return build(*GRIDS[request.param])


@pytest.fixture(scope="session")
def head() -> Scene:
    """The head on the odd, anisotropic, oblique grid."""
    return build(*GRIDS["odd, anisotropic, oblique"])
