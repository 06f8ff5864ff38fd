"""Masks of whole simulated patients: what is found, and what that does to the number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import metrics
from benchmarks.fingerprint import digest, of_method, of_module
from napari_qsm_stroke import Recipe, run
from napari_qsm_stroke.core.measure.regions import OPPOSITE
from napari_qsm_stroke.core.measure.side import find_side
from napari_qsm_stroke.core.measure.vein_graph import NINETY_PERCENT
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.physics.lesion import labels_of
from napari_qsm_stroke.core.physics.phantom import MULTI_ECHO, draw_patient
from napari_qsm_stroke.core.physics.vein_truth import vein_truth
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.measure import Measurements, MeasureSettings, measure
from napari_qsm_stroke.pipeline.simulate import simulate
from napari_qsm_stroke.pipeline.veins import graph_of
from napari_qsm_stroke.register.template import load_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.cache import Cache
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.physics.patient import Patient
    from napari_qsm_stroke.core.physics.phantom import Truth

Row = dict[str, Any]
EFFECTS = (0.62, 1.0, 1.2)
"""Of the core over the other side: as in the study, none, and a rise as before treatment."""
BLED = 0.62
MODES = {
    "multi-echo": (MULTI_ECHO, (1.0, 1.0, 1.0)),
    "single-echo": ((0.020,), (0.9, 0.9, 1.6)),
}
SEEDS = {"multi-echo": tuple(range(9001, 9021)), "single-echo": tuple(range(9021, 9031))}
LEAST_ON_A_VEIN = 0.8
"""Share of a segment's points that lie on a true vein, for its blood to be compared."""
SHORT = {
    "infarct_core": "core",
    "ipsilateral_mca": "ipsilateral",
    "contralateral_mca": "contralateral",
}


@dataclass(frozen=True)
class Examined:
    """Who is examined, and how."""

    mode: str
    seed: int
    core_ratio: float
    haemorrhage: bool = False


def patients(
    modes: Iterable[str], seeds: Sequence[int] | None, effects: Iterable[float]
) -> list[Examined]:
    """Every seed in every mode with every effect, and once more with blood in the core.

    Without seeds, those kept for testing.
    """
    found = []
    for mode, ratio in product(modes, effects):
        kept = SEEDS[mode] if seeds is None else seeds
        found += [Examined(mode, s, ratio) for s in kept]
        if ratio == BLED:
            found += [Examined(mode, s, ratio, haemorrhage=True) for s in kept]
    return found


def rows(examined: Iterable[Examined], cache: Cache, say: Callable[[Row], None]) -> list[Row]:
    """Reconstruct every patient from raw phase and compare its masks and its table."""
    methods()
    found = []
    for patient in examined:
        steps = [
            (of_method(get_method(s.method)), sorted(s.parameters.items()))
            for s in Recipe.load(patient.mode).steps
        ]
        key = digest("masks", patient, steps, of_module("benchmarks.masks"))
        row = cache.numbers(key, partial(_examine, patient))
        say(row)
        found.append(row)
    return found


def over_patients(rows: Iterable[Row]) -> list[Row]:
    """Mean of each measure and the worst error of the change, for each way of looking."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["mode"], row["core_ratio"], row["haemorrhage"]), []).append(row)
    found = []
    for (mode, ratio, bled), members in groups.items():
        measures = {k: 0 for m in members for k, v in m.items() if isinstance(v, float)}
        measures.pop("core_ratio")
        mean: Row = {k: _mean([m[k] for m in members]) for k in measures}
        for name in ("ipsilateral", "contralateral"):
            errors = [m[f"error_{name}"] for m in members if m[f"error_{name}"] is not None]
            mean[f"worst_{name}"] = max(errors, key=abs) if errors else None
            mean[f"without_{name}"] = len(members) - len(errors)
        labels = {"mode": mode, "core_ratio": ratio, "haemorrhage": bled}
        found.append({**labels, "patients": len(members), **mean})
    return found


def _examine(patient: Examined) -> Row:
    echo_times, voxel_size = MODES[patient.mode]
    case, truth = simulate(
        seed=patient.seed,
        voxel_size=voxel_size,
        echo_times=echo_times,
        core_ratio=patient.core_ratio,
        haemorrhage=patient.haemorrhage,
    )
    case = run(case, patient.mode)
    drawn, _ = draw_patient(
        load_template(), patient.seed, None, patient.core_ratio, patient.haemorrhage
    )
    return {
        "mode": patient.mode,
        "seed": patient.seed,
        "core_ratio": patient.core_ratio,
        "haemorrhage": patient.haemorrhage,
        **of_veins(case, truth),
        **of_change(case, truth, measure(case)),
        **of_blood(case, drawn),
        **of_regions(case, truth, drawn),
    }


def of_veins(case: Case, truth: Truth) -> Row:
    """Compare the vein mask with the true one: in the whole brain, and by region.

    ``voxels`` is the share of the true vein voxels that were found, ``lines`` that of their centre
    lines; ``detection_difference`` is core less contralateral, in percentage points of voxels.
    """
    found, true = case.maps["veins"].data != 0, truth.maps["veins"] != 0
    lines = metrics.centre_line(true)
    row: Row = {
        "dice": metrics.dice(found, true),
        "centre_line_dice": metrics.centre_line_dice(found, true, lines),
        "precision": float(found[true].sum() / max(found.sum(), 1)),
    }
    for name, region in true_regions(truth).items():
        row[f"voxels_{SHORT[name]}"] = float(found[true & region].mean())
        row[f"lines_{SHORT[name]}"] = float(found[lines & region].mean())
    row["detection_difference"] = 100 * (row["voxels_core"] - row["voxels_contralateral"])
    return row


def of_change(case: Case, truth: Truth, table: Measurements) -> Row:
    """Compare the change in the table with the true one, and with that of the true masks.

    ``error`` is found less true in percentage points; ``of_map`` that part of it that the map
    alone makes: with the true masks.
    """
    core, chi = table.row("infarct_core"), case.maps["susceptibility"].data
    true = truth.maps["veins"] != 0
    medians = {n: float(np.median(chi[true & r])) for n, r in true_regions(truth).items()}
    row: Row = {}
    for name in ("ipsilateral", "contralateral"):
        change = _percent(truth.map_ppm, f"{name}_mca")
        found = getattr(core, f"percent_vs_{name}")
        row |= {
            f"true_change_{name}": change,
            f"change_{name}": found,
            f"error_{name}": None if found is None else found - change,
            f"of_map_{name}": _percent(medians, f"{name}_mca") - change,
        }
    return row


def of_blood(case: Case, patient: Patient) -> Row:
    """Compare the blood of the segments in the valid range with that of the true veins there.

    ``blood_error`` and ``radius_error`` are means of the absolute error, ``blood_bias`` that of
    the error, all in percent; ``blood_covered`` is the share of the 90 % intervals that hold the
    truth.
    """
    graph = graph_of(case, MeasureSettings())
    assert graph is not None
    true = vein_truth(patient, affine=case.grid.affine, shape=case.grid.shape)
    where = tuple(np.rint(graph.points).astype(int).T)
    inside = true.blood[where] > 0
    count = len(graph.length)
    points = np.bincount(graph.segment, minlength=count)
    hits = np.bincount(graph.segment, inside, minlength=count)
    blood, radius = (
        np.bincount(graph.segment, np.where(inside, m[where], 0), minlength=count)
        / np.maximum(hits, 1)
        for m in (true.blood, true.radius)
    )
    counted = graph.valid & (hits > LEAST_ON_A_VEIN * points)
    error = 100 * (graph.blood[counted] / blood[counted] - 1)
    wrong = np.abs(graph.blood - blood)[counted] / graph.blood_sd[counted]
    return {
        "segments": float(counted.sum()),
        "blood_error": float(np.mean(np.abs(error))),
        "blood_bias": float(np.mean(error)),
        "blood_covered": float(np.mean(wrong < NINETY_PERCENT)),
        "radius_error": float(np.mean(np.abs(100 * (graph.radius[counted] / radius[counted] - 1)))),
    }


def of_regions(case: Case, truth: Truth, patient: Patient) -> Row:
    """Compare infarct core, its volume and side, and the sides of the territories."""
    infarct, territories = case.maps["infarct"].data, case.maps["territories"].data
    native = case.maps["infarct_native"]
    ml = float(np.count_nonzero(native.data)) * native.grid.voxel_volume_ml
    return {
        "infarct_dice": metrics.dice(infarct != 0, truth.maps["infarct"] != 0),
        "infarct_volume_error": 100 * (ml / truth.infarct_volume_ml - 1),
        "side_right": float(find_side(infarct, territories) == truth.side),
        "wrong_side_mm": metrics.wrong_side_mm(
            territories, truth.maps["brain"] != 0, patient.deformation, case.grid.affine
        ),
    }


def true_regions(truth: Truth) -> dict[str, Any]:
    """Regions of the study from the true masks, without a guard."""
    infarct, territories = truth.maps["infarct"] != 0, truth.maps["territories"]
    side = truth.side
    return {
        "infarct_core": infarct,
        "ipsilateral_mca": (territories == labels_of("MCA", side)) & ~infarct,
        "contralateral_mca": territories == labels_of("MCA", OPPOSITE[side]),
    }


def _percent(medians: Mapping[str, float], reference: str) -> float:
    return 100 * (medians["infarct_core"] / medians[reference] - 1)


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None
