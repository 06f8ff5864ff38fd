"""Alignment, infarct core, territories and brain mask against the truth."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from benchmarks import metrics
from benchmarks.fingerprint import SOURCES, digest, of_method, of_module, plain_code
from napari_qsm_stroke.case.acquisition import Acquisition
from napari_qsm_stroke.case.case import Case
from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.masks.magnitude_brain import magnitude_brain
from napari_qsm_stroke.core.measure.side import find_side
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.physics.deformation import Deformation, apply_affine
from napari_qsm_stroke.core.physics.diffusion import scan_diffusion
from napari_qsm_stroke.core.physics.lesion import labels_on
from napari_qsm_stroke.core.physics.phantom import draw_patient
from napari_qsm_stroke.core.quantities import LABELS
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.pipeline.apply import apply
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.simulate import simulate
from napari_qsm_stroke.register.template import load_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from benchmarks.cache import Cache
    from napari_qsm_stroke.core.quantities import ByteArray

Row = dict[str, Any]
VOXEL_MM = 2.0
ECHO_TIMES = (0.004, 0.016, 0.028)
TURN_DEGREES, SHIFT_MM = 15.0, 20.0
ALIGNED = ("magnitude_brain", "align_diffusion")
MASKED = (*ALIGNED, "warp_territories", "infarct_dwi")
RAW = ("magnitude", "dwi", "b0", "adc", "brain")
TRUE = ("brain", "infarct", "territories")
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


@dataclass(frozen=True)
class Examination:
    """What is done with a head; its rows are kept by themselves, so that a run may be continued."""

    name: str
    steps: tuple[str, ...]
    work: Callable[[Known], list[Row]]
    facts: tuple[Any, ...] = ()
    """What else its rows depend on."""


def known(seed: int, cache: Cache) -> Known:
    """Simulate the examination of a seed, or read it where it was simulated before.

    Every third one bleeds, every second one is oblique.
    """
    key = digest("known", seed, VOXEL_MM, ECHO_TIMES, _code(ALIGNED[:1]))
    facts = cache.numbers(key, partial(_simulated, seed, key, cache))
    kept = cache.heads.get(key)
    if kept is None:  # removed, or damaged
        facts = _simulated(seed, key, cache)
        kept = cache.heads.get(key)
    assert kept is not None
    return Known(
        Case(f"sub-{seed}", Acquisition(ECHO_TIMES, 3.0), {name: kept[name] for name in RAW}),
        {name: kept[f"true_{name}"].data for name in TRUE},
        facts["side"],
        facts["infarct_ml"],
        np.array(facts["motion"]),
        Deformation(
            np.array(facts["to_template"]),
            kept["displacement"].data,
            kept["displacement"].grid.affine,
        ),
    )


def _simulated(seed: int, key: str, cache: Cache) -> Row:
    bled = seed % 3 == 0
    case, truth = simulate(
        seed=seed,
        voxel_size=(VOXEL_MM,) * 3,
        echo_times=ECHO_TIMES,
        haemorrhage=bled,
        oblique_degrees=8.0 * (seed % 2),
    )
    case = apply(case, "magnitude_brain")
    patient, (rng, _) = draw_patient(load_template(), seed, None, 0.62, bled)
    bent = patient.deformation
    kept = {name: case.maps[name] for name in RAW}
    kept |= {f"true_{name}": Volume(truth.maps[name], case.grid) for name in TRUE}
    kept["displacement"] = Volume(
        bent.displacement, Grid(bent.displacement.shape[:3], bent.lattice)
    )
    cache.heads.put(key, kept)
    return {
        "side": truth.side,
        "infarct_ml": truth.infarct_volume_ml,
        "motion": scan_diffusion(rng, patient.anatomy, patient.brain).motion.tolist(),
        "to_template": bent.affine.tolist(),
    }


def rows(
    seeds: Iterable[int], displacements: int, cache: Cache, say: Callable[[Row], None]
) -> list[Row]:
    """Measure every seed, then the real scan. What was measured before is not measured again."""
    methods()
    heads = lru_cache(maxsize=2)(partial(known, cache=cache))
    own = plain_code(SOURCES[__name__])
    found: list[Row] = []
    data = Path(os.environ[REAL_DATA]) if os.environ.get(REAL_DATA) else None
    seeds = tuple(seeds)
    for seed, other in zip(seeds, (*seeds[1:], seeds[0] + 1), strict=True):
        for one in _examinations(seed, displacements, other, heads, data):
            key = digest("alignment", seed, one.name, one.facts, _code(one.steps), own)
            for row in cache.numbers(key, partial(_rows_of, one, heads, seed))["rows"]:
                say(row)
                found.append(row)
    if data is not None:
        found.append(real_brain(data))
        say(found[-1])
    return found


def _code(steps: Iterable[str]) -> str:
    """Fingerprint of the simulation and of methods."""
    simulation = of_module("napari_qsm_stroke.pipeline.simulate")
    return digest(simulation, [of_method(get_method(name)) for name in steps])


def _rows_of(one: Examination, heads: Callable[[int], Known], seed: int) -> Row:
    return {"rows": [{"seed": seed, **row} for row in one.work(heads(seed))]}


def _examinations(
    seed: int, displacements: int, other: int, heads: Callable[[int], Known], data: Path | None
) -> list[Examination]:
    found = []
    for number in range(displacements):
        move = partial(displaced, rng=np.random.default_rng((seed, number)))
        found.append(Examination(f"displaced {number}", ALIGNED, move))
    wrong = dict(WRONG)
    wrong["another patient"] = partial(_of_another, other=partial(heads, other))
    for what, spoil in wrong.items():
        work = partial(failure, what=what, spoil=spoil, rng=np.random.default_rng(seed))
        found.append(Examination(what, ALIGNED, work, (other,)))
    return [*found, Examination("masks", MASKED, partial(masks, data=data), (data is not None,))]


def displaced(head: Known, rng: np.random.Generator) -> list[Row]:
    """Move the diffusion scan by 15 degrees and 20 mm; how far off is its alignment then?"""
    move = _random_move(rng, head.points.mean(axis=0))
    placed = apply(_moved(head.case, move), "align_diffusion").maps["dwi_placed"]
    there = placed.grid.affine @ np.linalg.inv(move @ head.case.maps["dwi"].grid.affine)
    start = apply_affine(move @ np.linalg.inv(head.motion), head.points)
    error = np.linalg.norm(apply_affine(there, start) - head.points, axis=1)
    flagged = bool(placed.quality.doubt)
    return [{"kind": "displaced", "error_mm": float(error.mean()), "flagged": flagged}]


def failure(
    head: Known,
    what: str,
    spoil: Callable[[Known, np.random.Generator], Case],
    rng: np.random.Generator,
) -> list[Row]:
    """Give a diffusion scan that cannot be aligned; it should be flagged, or refused."""
    try:
        quality = apply(spoil(head, rng), "align_diffusion").maps["dwi_aligned"].quality
    except InputError:
        return [{"kind": "failure", "what": what, "flagged": True}]
    return [{"kind": "failure", "what": what, "flagged": bool(quality.doubt)}]


def _spoilt(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[..., Case]:
    def spoil(head: Known, _: np.random.Generator) -> Case:
        return _changed(head.case, change)

    return spoil


def _first_half(data: NDArray[Any], axis: int) -> NDArray[Any]:
    kept = data.copy()
    along = np.moveaxis(kept, axis, 0)
    along[len(along) // 2 :] = 0
    return kept


def _noise(head: Known, rng: np.random.Generator, width: float) -> Case:
    noise = ndimage.gaussian_filter(rng.normal(0, 1, head.case.maps["dwi"].data.shape), width)
    image = np.abs(100 * noise / noise.std()).astype(np.float32)
    return _changed(head.case, lambda _: image)


def _turned_over(head: Known, rng: np.random.Generator) -> Case:
    return _moved(head.case, _random_move(rng, head.points.mean(axis=0), 90, 60))


WRONG: dict[str, Callable[[Known, np.random.Generator], Case]] = {
    "mirrored": _spoilt(lambda data: data[::-1]),
    "back to front": _spoilt(lambda data: data[:, ::-1]),
    "upside down": _spoilt(lambda data: data[:, :, ::-1]),
    "right half missing": _spoilt(partial(_first_half, axis=0)),
    "upper half missing": _spoilt(partial(_first_half, axis=2)),
    "noise": partial(_noise, width=0.0),
    "smooth noise": partial(_noise, width=3.0),
    "turned by 90 degrees": _turned_over,
}


def _of_another(head: Known, _: np.random.Generator, other: Callable[[], Known]) -> Case:
    return _with(head.case, {name: other().case.maps[name] for name in ("dwi", "b0", "adc")})


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
    brain, affine = head.maps["brain"] > 0, head.case.grid.affine
    return {
        "kind": "territories",
        "map": name,
        "dice_mca": float(np.mean([dice[3], dice[4]])),
        "dice_least": float(min(dice.values())),
        "wrong_side_mm": metrics.wrong_side_mm(found, brain, head.deformation, affine),
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
