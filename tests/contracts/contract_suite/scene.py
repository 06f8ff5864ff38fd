"""One small head for all methods: every quantity of the vocabulary, consistent and read-only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from scipy import ndimage

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.core.method import METHODS, Argument, Method
from napari_qsm_stroke.core.quantities import Header, Quantity

Size = tuple[float, float, float]
Shape = tuple[int, int, int]
TIMES = (0.004, 0.010, 0.016)
TESLA = 3.0
RADIANS = 2 * np.pi * 42.577478461 * TESLA
OUTSIDE_SOURCES = (((0, 0.86, -0.2), 12.0), ((-0.88, 0, 0.1), -8.0), ((0.2, -0.35, -0.86), 12.0))
RAW = {"magnitude", "phase", "phase_offset", "swi", "dwi", "b0", "adc"}


@dataclass(frozen=True)
class Scene:
    """Maps by the name of their quantity, and the values of the headers."""

    maps: dict[str, np.ndarray]
    size: Size
    b0: Size
    times: tuple[float, ...] = TIMES
    before: tuple[int, int, int] = (0, 0, 0)
    """Voxels that were added before the head along each axis."""

    @property
    def affine(self) -> np.ndarray:
        """The affine: the head stays where it is when voxels are added around it."""
        affine = np.diag([*self.size, 1.0])
        affine[:3, 3] = [-n * d for n, d in zip(self.before, self.size, strict=True)]
        return affine

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

    def map(self, name: str) -> np.ndarray:
        """Return the map of a quantity; one that is not known here is made by its method."""
        name = name.removesuffix("_aligned")
        if name not in self.maps:
            maker = next(m for m in METHODS.values() if name in {q.name for q in m.outputs})
            made = maker.function(**self.arguments(maker))
            values = made if isinstance(made, tuple) else (made,)
            names = [q.name for q in maker.outputs]
            self.maps[name] = values[names.index(name)]
            self.maps[name].flags.writeable = False
        return self.maps[name]

    def _value(self, argument: Argument) -> Any:
        if isinstance(argument.source, Header):
            return {
                "voxel_size": self.size,
                "b0_dir": self.b0,
                "echo_times": self.times,
                "field_strength": TESLA,
                "affine": self.affine,
                "side": "left",
            }[argument.source.name]
        assert isinstance(argument.source, Quantity)
        array = self.map(argument.source.name)
        if not argument.whole:
            return array
        grid = Grid(array.shape[:3], self.affine)
        return Volume(array, grid, argument.source.unit)

    def each(self, change: Callable[[str, np.ndarray], np.ndarray]) -> Scene:
        """Return the scene with all arrays changed; they get the name of their quantity too."""
        return replace(self, maps={}).with_maps(**{k: change(k, v) for k, v in self.maps.items()})

    def poisoned(self) -> Scene:
        """Return the scene with NaN wherever there is no brain."""

        def poison(_name: str, array: np.ndarray) -> np.ndarray:
            if array.dtype == np.uint8:
                return array
            copy = array.copy()
            copy[~self.inside] = np.nan
            return copy

        return self.each(poison)

    def first_echo(self) -> Scene:
        """Return the scene with one echo only."""
        one = self.each(lambda _name, a: np.ascontiguousarray(a[..., :1]) if a.ndim == 4 else a)
        return replace(one, times=self.times[:1])


@dataclass(frozen=True)
class Move:
    """A permutation of the axes, then a flip of some of them."""

    order: tuple[int, int, int]
    flipped: tuple[int, ...] = ()

    def array(self, array: np.ndarray) -> np.ndarray:
        """Move the first three axes."""
        moved = array.transpose(*self.order, *range(3, array.ndim))
        return np.ascontiguousarray(np.flip(moved, self.flipped))

    def back(self, array: np.ndarray) -> np.ndarray:
        """Undo it."""
        turned = np.flip(array, self.flipped)
        inverse = np.argsort(self.order)
        return turned.transpose(*(int(i) for i in inverse), *range(3, array.ndim))

    def scene(self, scene: Scene) -> Scene:
        """Return the scene with all arrays moved, and voxel size and B0 alike."""
        x, y, z = (scene.size[i] for i in self.order)
        bx, by, bz = (
            -scene.b0[i] if axis in self.flipped else scene.b0[i]
            for axis, i in enumerate(self.order)
        )
        return replace(scene.each(lambda _name, a: self.array(a)), size=(x, y, z), b0=(bx, by, bz))


MOVES = {
    "cyclic": Move((2, 0, 1), (0, 2)),
    "swapped": Move((2, 1, 0), (1,)),
    "mirrored": Move((0, 1, 2), (0, 2)),
}


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """White noise of unit variance, the same for ever: made of the raw bits of the generator."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    uniform = (bits >> np.uint64(11)) / 2.0**53
    return ((uniform - 0.5) * np.sqrt(12)).reshape(shape)


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


def build(shape: Shape, size: Size, b0: Size, zoom: float = 1.0, *, hole: bool = False) -> Scene:
    """Brain with a ball, tubes and texture, scalp around it, sources outside and a shim.

    The masks may have a hole, as where a bleeding leaves no signal.
    """
    x, y, z = (
        (i - (n - 1) / 2) / (zoom * n / 2) for i, n in zip(np.indices(shape), shape, strict=True)
    )
    radius = np.sqrt(x**2 + y**2 + 1.1 * z**2)
    brain, head = radius < 0.72, (radius < 0.95) & (radius > 0.83)
    if hole:
        brain &= (x - 0.1) ** 2 + (y + 0.25) ** 2 + (z + 0.25) ** 2 > 0.13**2
    texture = ndimage.gaussian_filter(noise(shape, 90), 2)
    chi = 0.02 * texture / texture.std()
    chi += 0.2 * ((x + 0.1) ** 2 + (y - 0.15) ** 2 + z**2 < 0.2**2)
    veins = brain & (
        ((y + 0.3) ** 2 + (z - 0.1) ** 2 < 0.055**2) | (abs(x - 0.3) + abs(y + 0.2) < 0.1)
    )
    chi = (chi + 0.3 * veins) * brain
    local = dipole_field(chi, size, b0)
    sources = sum(
        moment * ((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2 < 0.12**2) * ~brain
        for c, moment in OUTSIDE_SOURCES
    )
    u, v, w = (a * zoom * n * d / 2 for a, n, d in zip((x, y, z), shape, size, strict=True))
    shim = 0.5 + 0.01 * u - 0.007 * v + 2e-4 * u * w
    total = local + dipole_field(sources, size, b0) + shim
    decay = np.where(brain, 20 + 60 * veins, 30)[..., None]
    magnitude = (600 * brain + 500 * head)[..., None] * np.exp(-decay * np.array(TIMES)) + 2.0
    clean = 0.4 + RADIANS * total[..., None] * np.array(TIMES)
    grain = 0.01 * noise(clean.shape, 91)
    noisy = (x - 0.3) ** 2 + (y - 0.35) ** 2 + (z + 0.1) ** 2 < 0.2**2
    infarct = brain & ((x + 0.35) ** 2 + y**2 + z**2 < 0.25**2)
    maps = {
        "magnitude": magnitude,
        "phase": np.angle(np.exp(1j * (clean + grain))),
        "phase_offset": np.full((*shape, 1), 0.4),
        "unwrapped_phase": (clean + grain) * brain[..., None],
        "phase_quality": (0.9 - 0.7 * np.clip((radius - 0.45) / 0.27, 0, 1) * (z < -0.1)) * brain,
        "total_field": total * brain,
        "field_noise": (1e-3 + 1e-4 * np.abs(texture)) * np.where(noisy, 6, 1) * brain,
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
        "territories": np.where(x < 0, 3, 4) * brain,
    }
    return Scene({}, size, b0).with_maps(
        **{k: v.astype(np.float32) for k, v in maps.items()},
        **{k: v.astype(np.uint8) for k, v in masks.items()},
    )


GRIDS: dict[str, tuple[Shape, Size, Size]] = {
    "odd": ((39, 43, 29), (1.5, 1.5, 2.2), (0.1, 0.35, 0.93)),
    "even": ((40, 44, 36), (1.6, 1.6, 1.6), (0.3, -0.2, 0.93)),
    "fine": ((40, 43, 29), (0.7, 0.75, 0.9), (0.1, 0.35, 0.93)),
}
USUAL_VOXELS = ("odd", "even")
"""On fine voxels the head is that of a mouse: it is for what works on coarser voxels first."""


@lru_cache
def rough_head() -> Scene:
    """Return the fine head as a bad scan has it, with nonsense outside the brain.

    Noise, a bipolar readout, voxels without signal in some echo, and echoes that are off by a turn:
    where data are clean, starts and weights and guards of a method make no difference.
    """
    scene = head("fine")
    lost = np.abs(noise(scene.maps["magnitude"].shape, 101)) > 1.71
    turned = np.abs(noise(scene.maps["phase"].shape, 102)) > 1.71
    turned[..., :2] = False
    x, y, z = np.indices(scene.inside.shape)
    ramp = (0.3 + 0.03 * x - 0.01 * y + 0.02 * z)[..., None] * np.array([1, -1, 1])
    grain = {
        "magnitude": lambda a, g: np.where(lost, 0, a * (1 + 0.25 * g)),
        "phase": lambda a, g: np.angle(np.exp(1j * (a + ramp + 0.1 * g))),
        "unwrapped_phase": lambda a, g: (
            a + scene.inside[..., None] * (0.1 * g) + 2 * np.pi * turned
        ),
        "total_field": lambda a, g: a + 0.005 * g,
        "local_field": lambda a, g: a + 0.005 * g + 0.25 * turned[..., 2] * scene.inside,
        "susceptibility": lambda a, g: a + 0.02 * g,
        "swi": lambda a, g: a * (1 + 0.1 * g),
    }
    return scene.with_maps(
        **{
            name: change(scene.maps[name], noise(scene.maps[name].shape, 103 + n)).astype(
                np.float32
            )
            for n, (name, change) in enumerate(grain.items())
        }
    )


@lru_cache
def head(grid: str = "odd") -> Scene:
    """Return the head on one of the grids, oblique to B0: odd and anisotropic, even, or fine.

    The fine one has a hole in its brain.
    """
    return build(*GRIDS[grid], hole=grid == "fine")


@lru_cache
def many_veins() -> Scene:
    """Return tubes from strong to hardly seen, one of them a streak, beside a bright mass.

    Where the magnitude knows a tube the field is noisier in it; of a streak it knows nothing.
    """
    shape, size = (64, 56, 48), (0.8, 0.8, 1.0)
    place = np.stack([(i + 0.5) * d for i, d in zip(np.indices(shape), size, strict=True)], -1)
    strength = np.geomspace(0.3, 0.03, 14)
    chi, dark = np.zeros(shape), np.zeros(shape)
    random = noise((14, 6), 120) / np.sqrt(12) + 0.5
    for number, (*point, a, b, c) in enumerate(random):
        along = np.array([a, b, c]) - 0.5
        along /= np.linalg.norm(along)
        offset = place - (0.2 + 0.6 * np.array(point)) * shape * np.array(size)
        way = offset @ along
        away = np.sqrt(np.maximum((offset**2).sum(-1) - way**2, 0))
        share = np.clip((0.8 - away) / 0.8 + 0.5, 0, 1) * (np.abs(way) < 14)
        chi = np.maximum(chi, strength[number] * share)
        dark = np.maximum(dark, strength[number] * share * (number != 3))
    mass = ((place - np.array([12.0, 30.0, 24.0])) ** 2).sum(-1) < 4.5**2
    chi = np.where(mass, 0.7, chi) + 0.03 * ndimage.gaussian_filter(noise(shape, 121), 0.6)
    whole = np.ones(shape, np.uint8)
    grain = 1 + 0.02 * noise(shape, 122)
    return Scene({}, size, (0.0, 0.0, 1.0)).with_maps(
        susceptibility=chi.astype(np.float32),
        field_noise=(1e-3 * np.exp(3 * dark) * grain).astype(np.float32),
        field_mask=whole,
        infarct=(place[..., 0] > 26).astype(np.uint8),
    )
