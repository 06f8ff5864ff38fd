"""What the laws of physics say of the methods of a stage."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from contract_suite.calls import call, gives, named, plain, takes
from contract_suite.closed_forms import (
    axes,
    ball_field,
    cylinder_field,
    point_field,
    scene_of,
)
from contract_suite.scene import TIMES, Scene, Shape, Size, build, head, noise, rough_head
from napari_qsm_stroke.core.method import Method

MAGIC = float(np.degrees(np.arccos(1 / np.sqrt(3))))
CYLINDERS = {0.0: 2, 30.0: 0, MAGIC: 1, 90.0: 0}
"""Angle to the main field in degrees, and the axis along which the cylinder lies."""
POINTS = (
    ((29.0, 4.0, -6.0), 4000.0),
    ((-14.0, 27.0, 8.0), -3000.0),
    ((3.0, -12.0, 30.0), 5000.0),
    ((-5.0, -28.0, -14.0), 3500.0),
)
"""Places in mm and moments in ppm mm^3 of the sources of the background."""
LOCAL = ((4.0, -3.0, 2.0), 5.0, 0.3)
"""Centre and radius in mm, susceptibility in ppm of the ball inside."""


@lru_cache
def ball_scene() -> tuple[Scene, np.ndarray]:
    """A ball of 0.2 ppm and 7 mm, oblique to B0, and the distance from its centre in mm."""
    shape: Shape = (42, 41, 36)
    size: Size = (1.0, 1.0, 1.2)
    b0: Size = (0.25, -0.4, 0.88)
    position = axes(shape, size)
    far = np.sqrt((position**2).sum(0))
    field = 0.2 * ball_field(position, (0, 0, 0), 7.0, b0)
    return scene_of(field, far < 19, size, b0), far


def check_ball(entry: Method) -> None:
    """A ball gets its value."""
    scene, far = ball_scene()
    chi = named(entry, call(entry, scene))["susceptibility"]
    found = chi[far < 5.5].mean() - chi[(far > 9) & (far < 17)].mean()
    assert found == pytest.approx(0.2, rel=0.15)


@lru_cache
def cylinder_scene(angle: float) -> tuple[Scene, np.ndarray, np.ndarray]:
    """A cylinder of 0.2 ppm and 4 mm; where it is and where it is not, far from its ends."""
    axis = CYLINDERS[angle]
    shape: Shape = (38, 36, 37)
    size: Size = (1.0, 1.1, 1.0)
    b = [0.0, 0.0, 0.0]
    b[axis] = np.cos(np.radians(angle))
    b[axis - 1], b[axis - 2] = np.sin(np.radians(angle)) * np.array([0.8, -0.6])
    b0: Size = (b[0], b[1], b[2])
    position = axes(shape, size)
    across = np.sqrt((np.delete(position, axis, 0) ** 2).sum(0))
    middle = np.abs(position[axis]) < 7
    field = 0.2 * cylinder_field(shape, size, axis, 4.0, b0)
    scene = scene_of(field, across < 17, size, b0)
    return scene, middle & (across < 3), middle & (across > 6) & (across < 13)


def check_cylinder(entry: Method, angle: float) -> None:
    """A cylinder at any angle to B0 gets its value.

    A division in k-space is scaled so that a point keeps its value, which is too much for what
    varies across B0 only.
    """
    scene, there, elsewhere = cylinder_scene(angle)
    chi = named(entry, call(entry, scene))["susceptibility"]
    assert chi[there].mean() - chi[elsewhere].mean() == pytest.approx(
        0.2, rel=0.5 if entry.linear else 0.2
    )


@lru_cache
def background_scene() -> tuple[Scene, Scene, np.ndarray, np.ndarray]:
    """Field of points outside a round brain; that with a ball inside; both parts of it."""
    shape: Shape = (37, 36, 31)
    size: Size = (1.4, 1.4, 1.7)
    b0: Size = (0.2, 0.3, 0.93)
    position = axes(shape, size)
    mask = (position**2).sum(0) < 23.0**2
    far = sum(moment * point_field(position, where, b0) for where, moment in POINTS)
    centre, radius, chi = LOCAL
    near = chi * ball_field(position, centre, radius, b0)
    return scene_of(far, mask, size, b0), scene_of(far + near, mask, size, b0), far, near


def check_outside_sources(entry: Method) -> None:
    """The field of sources outside goes; that of a ball inside stays."""
    alone, both, far, near = background_scene()
    left = named(entry, call(entry, alone))
    deep = ndimage.binary_erosion(left["field_mask"], iterations=2)
    assert deep.sum() > 2000
    assert left["local_field"][deep].std() < 0.15 * far[deep].std()
    kept = named(entry, call(entry, both))["local_field"]
    there = deep & (np.abs(near) > 0.1 * np.abs(near).max())
    assert np.polyfit(near[there], kept[there], 1)[0] == pytest.approx(0.9, abs=0.3)
    assert np.corrcoef(near[there], kept[there])[0, 1] > 0.9


def check_head_background(entry: Method, grid: str) -> None:
    """On the head, with a shim and a textured brain, most of the error goes."""
    scene = head(grid)
    outputs = named(entry, plain(entry, grid))
    deep = ndimage.binary_erosion(outputs["field_mask"], iterations=4)
    truth, total = scene.maps["local_field"], scene.maps["total_field"]

    def error(values: np.ndarray) -> float:
        return float((values - truth)[deep].std() / truth[deep].std())

    assert error(total) > 1.5
    assert error(outputs["local_field"]) < 0.65


def check_constant(entry: Method) -> None:
    """What is the same everywhere is background, however large: no digit of the rest goes with it.

    On fine voxels differences of the field are small, and what is lost shows most.
    """
    few = {p.name: 4 for p in entry.parameters if p.name == "max_iter"}
    scene = head("fine")
    field = scene.maps["total_field"] + np.float32(100) * scene.inside
    expected, found = (
        named(entry, call(entry, s, **few))["local_field"]
        for s in (scene, scene.with_maps(total_field=field))
    )
    assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected)


def check_unwrapped(entry: Method) -> None:
    """Phase is that of the field up to a constant, and grows with time alike in all echoes."""
    scene = head()
    found = named(entry, plain(entry))["unwrapped_phase"]
    inside = ndimage.binary_erosion(scene.inside)
    wrapped = scene.maps["phase"] - scene.maps["phase_offset"]
    truth = scene.maps["unwrapped_phase"] - 0.4
    error = found - truth
    medians = np.median(error[inside], axis=0)
    bent = medians - np.polyval(np.polyfit(TIMES, medians, 1), TIMES)
    assert np.abs(bent).max() < 0.3  # the echoes are aligned, up to a constant field
    assert np.std(error[..., 2][inside]) < 0.4 * np.std((wrapped - truth)[..., 2][inside])


def check_phase_offset(entry: Method) -> None:
    """Phase less its offset is that of the field: the offset is found up to what is smooth."""
    scene = head()
    left = named(entry, plain(entry))["phase_offset"] - scene.maps["phase_offset"]
    error = np.angle(np.exp(1j * left))[scene.inside]
    assert np.median(np.abs(error)) < 0.1


def check_silent_echo(entry: Method) -> None:
    """The phase of an echo without signal has no say, whatever it is."""
    scene = rough_head()
    silent = noise(scene.inside.shape, 105) > 0
    magnitude, phase = scene.maps["magnitude"].copy(), scene.maps["phase"].copy()
    magnitude[silent, 2] = 0
    wanted = call(entry, scene.with_maps(magnitude=magnitude))
    phase[silent, 2] = np.pi / 2 + 0.3 * noise(scene.inside.shape, 106)[silent]
    found = call(entry, scene.with_maps(magnitude=magnitude, phase=phase))
    for array, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(array, other, atol=1e-6)


def check_reliable_brain(entry: Method) -> None:
    """The rim that goes is that of less than 0.65 of the median more than 10 mm deep."""
    scene = build((24, 27, 20), (4.0, 4.2, 4.5), (0.0, 0.0, 1.0))
    depth = ndimage.distance_transform_edt(scene.inside, scene.size)
    quality = np.clip(0.2 + depth / 25, 0, 1) * scene.inside
    kept = scene.inside & (quality >= 0.65 * np.median(quality[depth > 10]))
    scene = scene.with_maps(phase_quality=quality.astype(np.float32))
    (found,) = call(entry, scene, smoothing=0.0, reach=60.0, thinnest=0.0, closing=0.0)
    assert np.count_nonzero(found != kept) < 0.01 * kept.sum()


def check_field_in_ppm(entry: Method) -> None:
    """The field has its size, and without a phase offset its noise is that of 0.01 rad an echo."""
    scene = head()
    outputs = named(entry, plain(entry))
    inside = scene.inside
    if "unwrapped_phase" not in takes(entry):
        inside = inside & ~_torn(scene.maps["unwrapped_phase"], inside)
    error = (outputs["total_field"] - scene.maps["total_field"])[inside]
    assert np.std(error) < 0.02 * np.std(scene.maps["total_field"][inside])
    if "field_noise" in gives(entry):
        known = scene.maps["phase_offset"] * inside[..., None]
        outputs = named(
            entry,
            call(entry, scene.with_maps(unwrapped_phase=scene.maps["unwrapped_phase"] - known)),
        )
        error = (outputs["total_field"] - scene.maps["total_field"])[inside]
        spread = np.median(outputs["field_noise"][inside])
        assert np.std(error) == pytest.approx(spread, rel=0.5)


def _torn(phase: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Voxels that differ from a neighbour by half a turn or more in an echo: none unwraps them."""
    torn = np.zeros(inside.shape, bool)
    for axis in range(3):
        wide = (np.abs(np.diff(phase, axis=axis)) > np.pi).any(axis=3)
        here, there = np.moveaxis(inside, axis, 0)[:-1], np.moveaxis(inside, axis, 0)[1:]
        wide &= np.moveaxis(here & there, 0, axis)
        for shift in (0, 1):
            padding = [(0, 0)] * 3
            padding[axis] = (shift, 1 - shift)
            torn |= np.pad(wide, padding)
    return torn


def check_r2star(entry: Method) -> None:
    """R2* is in 1/s."""
    found = named(entry, plain(entry))["r2star"][head().inside]
    assert np.median(np.abs(found - head().maps["r2star"][head().inside])) < 2


def check_dark_veins(entry: Method) -> None:
    """Paramagnetic veins are darker than they would be if they were diamagnetic."""
    scene = head()
    veins = (scene.maps["veins"] != 0) & (scene.maps["local_field"] > 0.02)

    def turned(name: str, array: np.ndarray) -> np.ndarray:
        signed = {
            "phase",
            "phase_offset",
            "unwrapped_phase",
            "total_field",
            "local_field",
            "susceptibility",
        }
        return -array if name in signed else array.copy()

    opposite = named(entry, call(entry, scene.each(turned)))["swi"]
    assert np.median(named(entry, plain(entry))["swi"][veins]) < 0.8 * np.median(opposite[veins])


def check_slab(entry: Method) -> None:
    """The darkest of a slab across the axis nearest to B0; a slab of one slice is the image."""
    scene = head()
    image = scene.maps["swi"]
    thin = named(entry, call(entry, scene, thickness=0.1))["swi_slab"]
    np.testing.assert_array_equal(thin, image)
    thick = named(entry, call(entry, scene, thickness=3 * scene.size[2]))["swi_slab"]
    three = np.stack([image[..., :-2], image[..., 1:-1], image[..., 2:]])
    np.testing.assert_array_equal(thick[..., 1:-1], three.min(0))


def check_dark_susceptibility(entry: Method) -> None:
    """Paramagnetic places are darker, the more the stronger; others are those of the magnitude."""
    scene = head()
    image = named(entry, plain(entry))["tswi"]
    chi, last = scene.maps["susceptibility"], scene.maps["magnitude"][..., -1]
    np.testing.assert_array_equal(image[chi <= 0], last[chi <= 0])
    strong, weak = chi > 0.25, (chi > 0.05) & (chi < 0.2)
    assert (image[strong] < 0.5 * last[strong]).all()
    assert (image[weak] < last[weak]).all()


def check_reference(entry: Method) -> None:
    """A reference is one constant, and takes away any constant that was there before."""
    scene, chi = head(), head().maps["susceptibility"]
    found = plain(entry)[0]
    assert np.std((found - chi)[scene.inside]) < 1e-6
    shifted = call(entry, scene.with_maps(susceptibility=chi + np.float32(0.5)))[0]
    np.testing.assert_allclose(shifted, found, atol=1e-6)
