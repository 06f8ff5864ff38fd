"""Alignment, infarct core, territories and brain mask against the truth."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from benchmarks import metrics
from benchmarks.fingerprint import digest, of_method, of_module
from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.masks.magnitude_brain import magnitude_brain
from napari_qsm_stroke.core.measure.side import find_side
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.physics.deformation import apply_affine
from napari_qsm_stroke.core.physics.diffusion import scan_diffusion
from napari_qsm_stroke.core.physics.lesion import labels_on
from napari_qsm_stroke.core.physics.phantom import draw_patient
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.pipeline.apply import apply
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.simulate import simulate
from napari_qsm_stroke.register.template import load_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from benchmarks.cache import Cache
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.physics.deformation import Deformation
    from napari_qsm_stroke.core.quantities import ByteArray

Row = dict[str, Any]
VOXEL_MM = 2.0
ECHO_TIMES = (0.004, 0.016, 0.028)
TURN_DEGREES, SHIFT_MM = 15.0, 20.0
STEPS = ("magnitude_brain", "align_diffusion", "warp_territories", "infarct_dwi")
REAL_DATA = "QSM_STROKE_TEST_DATA"
"""Folder with the atlas and the real scan; both are left out where there is none."""


@dataclass(frozen=True, eq=False)
class Known:
    """A simulated case, and where everything of it truly is."""

    case: Case
    maps: dict[str, Any]
    side: str
    infarct_ml: float
    motion: NDArray[np.float64]
    """Scanner coordinates of the diffusion scan to those of the gradient echo."""
    deformation: Deformation

    @property
    def points(self) -> NDArray[np.float64]:
        """Points of the brain in mm."""
        index = np.argwhere(self.maps["brain"] > 0)[::97]
        return apply_affine(self.case.grid.affine, index.astype(np.float64))


def known(seed: int, voxel_mm: float = VOXEL_MM) -> Known:
    """Simulate the examination of a seed; every third one bleeds, every second one is oblique."""
    bled = seed % 3 == 0
    case, truth = simulate(
        seed=seed,
        voxel_size=(voxel_mm,) * 3,
        echo_times=ECHO_TIMES,
        haemorrhage=bled,
        oblique_degrees=8.0 * (seed % 2),
    )
    patient, (rng, _) = draw_patient(load_template(), seed, None, 0.62, bled)
    motion = scan_diffusion(rng, patient.anatomy, patient.brain).motion
    maps = truth.maps
    return Known(
        apply(case, "magnitude_brain"),
        maps,
        truth.side,
        truth.infarct_volume_ml,
        motion,
        patient.deformation,
    )


def rows(
    seeds: Iterable[int], displacements: int, cache: Cache, say: Callable[[Row], None]
) -> list[Row]:
    """Measure every seed, then the real scan."""
    methods()
    code = [of_method(get_method(name)) for name in STEPS], of_module("benchmarks.alignment")
    found = []
    data = os.environ.get(REAL_DATA, "")
    seeds = tuple(seeds)
    for seed, other in zip(seeds, (*seeds[1:], seeds[0] + 1), strict=True):
        key = digest("alignment", seed, other, displacements, bool(data), code)
        work = partial(_examine, seed, other, displacements, data)
        for row in cache.numbers(key, work)["rows"]:
            say(row)
            found.append(row)
    if data:
        found.append(real_brain(Path(data)))
        say(found[-1])
    return found


def _examine(seed: int, other: int, displacements: int, data: str) -> Row:
    head = known(seed)
    rng = np.random.default_rng(seed)
    found = [displaced(head, rng) for _ in range(displacements)]
    found += failures(head, known(other), rng)
    found += masks(head, Path(data) if data else None)
    return {"rows": [{"seed": seed, **row} for row in found]}


def displaced(head: Known, rng: np.random.Generator) -> Row:
    """Move the diffusion scan by 15 degrees and 20 mm; how far off is its alignment then?"""
    move = _random_move(rng, head.points.mean(axis=0))
    placed = apply(_moved(head.case, move), "align_diffusion").maps["dwi_placed"]
    there = placed.grid.affine @ np.linalg.inv(move @ head.case.maps["dwi"].grid.affine)
    start = apply_affine(move @ np.linalg.inv(head.motion), head.points)
    error = np.linalg.norm(apply_affine(there, start) - head.points, axis=1)
    flagged = bool(placed.quality.doubt)
    return {"kind": "displaced", "error_mm": float(error.mean()), "flagged": flagged}


def failures(head: Known, other: Known, rng: np.random.Generator) -> list[Row]:
    """Diffusion scans that cannot be aligned; each should be flagged."""
    shape = head.case.maps["dwi"].data.shape
    half = tuple(n // 2 for n in shape)

    def without(*box: slice) -> Callable[[NDArray[Any]], NDArray[Any]]:
        def cut(data: NDArray[Any]) -> NDArray[Any]:
            cleared = data.copy()
            cleared[box] = 0
            return cleared

        return cut

    noise = np.abs(rng.normal(0, 100, shape)).astype(np.float32)
    blob = ndimage.gaussian_filter(rng.normal(0, 1, shape), 3).astype(np.float32)
    wrong: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "mirrored": lambda data: data[::-1],
        "back to front": lambda data: data[:, ::-1],
        "upside down": lambda data: data[:, :, ::-1],
        "right half missing": without(slice(half[0], None)),
        "upper half missing": without(slice(None), slice(None), slice(half[2], None)),
        "noise": lambda _: noise,
        "smooth noise": lambda _: blob - blob.min(),
    }
    cases = {name: _changed(head.case, change) for name, change in wrong.items()}
    diffusion = {name: other.case.maps[name] for name in ("dwi", "b0", "adc")}
    cases["another patient"] = _with(head.case, diffusion)
    centre = head.points.mean(axis=0)
    cases["turned by 90 degrees"] = _moved(head.case, _random_move(rng, centre, 90, 60))
    found = []
    for name, case in cases.items():
        quality = apply(case, "align_diffusion").maps["dwi_aligned"].quality
        found.append({"kind": "failure", "what": name, "flagged": bool(quality.doubt)})
    return found


def masks(head: Known, data: Path | None) -> list[Row]:
    """Infarct core and territories; those of the atlas are the truth where it is there."""
    aligned = apply(head.case, "align_diffusion")
    built_in = apply(aligned, "warp_territories")
    infarct = apply(built_in, "infarct_dwi")
    volume = infarct.maps["infarct_native"]
    ml = float(np.count_nonzero(volume.data)) * volume.grid.voxel_volume_ml
    mask, territories = infarct.maps["infarct"].data, built_in.maps["territories"].data
    row = {
        "kind": "infarct",
        "dice": metrics.dice(mask != 0, head.maps["infarct"] != 0),
        "volume_ml": ml,
        "volume_error_percent": 100 * (ml / head.infarct_ml - 1),
        "side_right": find_side(mask, territories) == head.side,
    }
    found = [row, {"kind": "brain", "dice": _dice_of_brain(head)}]
    truth = head.maps["territories"]
    if data is None:
        return [*found, of_territories(head, "built-in", territories, truth)]
    atlas = read_atlas(data)
    truth = labels_on(
        _on_template(atlas),
        load_template(),
        head.deformation,
        head.case.grid.affine,
        head.case.grid.shape,
    )
    truth[head.maps["brain"] == 0] = 0
    carried = apply(_with(aligned, {"atlas": atlas}), "warp_territories").maps["territories"].data
    return [
        *found,
        of_territories(head, "built-in", territories, truth),
        of_territories(head, "atlas", carried, truth),
    ]


def of_territories(head: Known, name: str, found: ByteArray, truth: ByteArray) -> Row:
    """Dice of each territory, and how far across the true mid-surface a side reaches."""
    dice = {label: metrics.dice(found == label, truth == label) for label in LABELS}
    index = np.argwhere((found > 0) & (head.maps["brain"] > 0)).astype(np.float64)
    across = head.deformation.to_template(apply_affine(head.case.grid.affine, index))[:, 0]
    left = found[tuple(index.astype(int).T)] % 2 == 1
    wrong = np.abs(across[left != (across < 0)])
    return {
        "kind": "territories",
        "map": name,
        "dice_mca": float(np.mean([dice[3], dice[4]])),
        "dice_least": float(min(dice.values())),
        "wrong_side_mm": float(wrong.max(initial=0.0)),
    }


def real_brain(data: Path) -> Row:
    """Mask the real head and compare with its reference."""
    folder = data / "philips_3t_human"
    name = "2001_fcMRI_Field_Mapping_e{}WIP_fcMRI_Field_Mapping.nii.gz"
    library: Any = nib
    echoes = [library.load(folder / "nifti" / name.format(e)) for e in (1, 2)]
    magnitude = np.stack([np.asarray(e.dataobj, np.float32) for e in echoes], axis=3)
    reference = library.load(folder / "reference" / "GRE_hdbet_brainmask_prob_from_T1.nii.gz")
    size = tuple(float(v) for v in echoes[0].header.get_zooms()[:3])
    mask = magnitude_brain(magnitude, voxel_size=(size[0], size[1], size[2]))
    expected = np.asarray(reference.dataobj) > 0.5
    return {"kind": "real brain", "dice": metrics.dice(mask != 0, expected)}


def read_atlas(data: Path) -> Volume:
    """Four territories a side of the atlas of Liu et al. 2023, doi:10.1038/s41597-022-01923-0."""
    library: Any = nib
    image = library.load(data / "arterial_atlas" / "ArterialAtlas_level2.nii.gz")
    labels = np.asarray(image.dataobj).astype(np.uint8)
    labels[labels > max(LABELS)] = 0
    return Volume(labels, Grid(labels.shape, np.array(image.affine)))


def summary(rows: Iterable[Row]) -> list[Row]:
    """Mean, worst and count of each measure, for each kind of row."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(" ".join([row["kind"], row.get("map", "")]).strip(), []).append(row)
    found = []
    for kind, members in groups.items():
        row = {"kind": kind, "count": len(members)}
        for measure in (k for k, v in members[0].items() if k not in ("kind", "seed", "map")):
            values = [m[measure] for m in members]
            if isinstance(values[0], bool):
                row[measure] = sum(values)
            elif isinstance(values[0], float):
                row[f"{measure}_mean"] = float(np.mean(values))
                row[f"{measure}_low"] = min(values)
                row[f"{measure}_high"] = max(values)
        found.append(row)
    return found


def _dice_of_brain(head: Known) -> float:
    return metrics.dice(head.case.maps["brain"].data != 0, head.maps["brain"] != 0)


def _on_template(atlas: Volume) -> ByteArray:
    """The atlas on the grid of the template head."""
    head = load_template()
    shift = np.linalg.inv(atlas.grid.affine) @ head.affine
    return np.asarray(
        ndimage.affine_transform(
            atlas.data, shift[:3, :3], shift[:3, 3], output_shape=head.brain.shape, order=0
        )
    )


def _random_move(
    rng: np.random.Generator,
    centre: NDArray[np.float64],
    degrees: float = TURN_DEGREES,
    shift_mm: float = SHIFT_MM,
) -> NDArray[np.float64]:
    """Turn about a random axis through the centre, and shift, both by so much."""
    axis, direction = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    cross = np.cross(np.eye(3), axis)
    angle = np.radians(degrees)
    turn = np.eye(3) - np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    move = np.eye(4)
    move[:3, :3] = turn
    move[:3, 3] = centre - turn @ centre + shift_mm * direction
    return move


def _moved(case: Case, move: NDArray[np.float64]) -> Case:
    moved = {}
    for name in ("dwi", "b0", "adc"):
        volume = case.maps[name]
        grid = Grid(volume.grid.shape, move @ volume.grid.affine)
        moved[name] = Volume(volume.data, grid, volume.unit)
    return _with(case, moved)


def _changed(case: Case, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Case:
    names = ("dwi", "b0", "adc")
    return _with(case, {n: case.maps[n].with_data(change(case.maps[n].data)) for n in names})


def _with(case: Case, maps: dict[str, Volume]) -> Case:
    return replace(case, maps={**case.maps, **maps})
