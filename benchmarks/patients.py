"""Whole simulated patients: raw images in, every mask automatic, the table's percentage out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.fingerprint import digest, of_method, of_module
from napari_qsm_stroke import Recipe, run
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.core.physics.phantom import MULTI_ECHO
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.measure import measure
from napari_qsm_stroke.pipeline.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.cache import Cache

Row = dict[str, Any]
EFFECT, NO_EFFECT = 0.62, 1.0


@dataclass(frozen=True)
class Patient:
    """Who is examined, and how."""

    seed: int
    core_ratio: float = EFFECT
    echo_times: tuple[float, ...] = MULTI_ECHO
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def recipe(self) -> str:
        """Name of the recipe for so many echoes."""
        return "multi-echo" if len(self.echo_times) > 1 else "single-echo"


PATIENTS = (
    *(Patient(seed) for seed in (9001, 9002, 9003, 9004, 9005)),
    *(Patient(seed, NO_EFFECT) for seed in (9001, 9002, 9003, 9004, 9005)),
    Patient(9001, EFFECT, (0.020,), (0.9, 0.9, 1.6)),
)


def rows(seeds: tuple[int, ...], cache: Cache, say: Callable[[Row], None]) -> list[Row]:
    """Reconstruct and measure every patient of these seeds."""
    methods()
    found = []
    for patient in (p for p in PATIENTS if p.seed in seeds):
        steps = [
            (of_method(get_method(s.method)), sorted(s.parameters.items()))
            for s in Recipe.load(patient.recipe).steps
        ]
        code = of_module("benchmarks.patients"), of_module("napari_qsm_stroke.pipeline.regions")
        key = digest("patient", patient, steps, *code)
        row = cache.numbers(key, partial(_examine, patient))
        say(row)
        found.append(row)
    return found


def _examine(patient: Patient) -> Row:
    case, truth = simulate(**asdict(patient))
    table = measure(run(case, patient.recipe))
    core = next(row for row in table.rows if row.region == "infarct_core")

    def percent(medians: dict[str, float]) -> float:
        return 100 * (medians["infarct_core"] / medians["contralateral_mca"] - 1)

    return {
        "seed": patient.seed,
        "effect": patient.core_ratio != NO_EFFECT,
        "echoes": len(patient.echo_times),
        "voxel_size_mm": list(patient.voxel_size),
        "side": truth.side,
        "core_ml": truth.infarct_volume_ml,
        "found_side": core.side,
        "found_percent": core.percent_vs_contralateral,
        "map_percent": percent(truth.map_ppm),
        "blood_percent": percent(truth.intravascular_ppm),
        "n_vein_voxels": core.n_vein_voxels,
        "n_true_vein_voxels": truth.n_vein_voxels["infarct_core"],
    }
