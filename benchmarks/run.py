"""Accuracy and speed of the reconstruction on a simulated head of a seed kept for testing.

    python benchmarks/run.py [--voxel-size MM] [--seed S]

Fields of the head are simulated on a grid twice as fine, so that no method inverts its own model.
Times are ratios to one transform pair (rfftn and irfftn of 256 x 256 x 128, float32, two workers)
measured in the same run; they are of the second call, when everything is compiled. Errors are in
the brain less 2 mm: NRMSE in percent after taking the means away, and for veins the slope of the
map on the truth. The last column is the change of the core against the contralateral territory
with the true masks, less that of the truth, in percentage points.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from scipy import ndimage

from napari_qsm_stroke import Volume
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.core.measure.side import find_side
from napari_qsm_stroke.pipeline.apply import apply
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.simulate import simulate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke import Case
    from napari_qsm_stroke.core.physics.phantom import Truth

SIGNAL = ("mcpc3ds", "romeo", "refine_brain", "weighted_fit")


def transform_pair() -> float:
    """Median time in s of one forward and inverse real transform."""
    volume = np.random.default_rng(0).normal(size=(256, 256, 128)).astype(np.float32)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        scipy.fft.irfftn(scipy.fft.rfftn(volume, workers=2), volume.shape, workers=2)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def timed(case: Case, name: str) -> tuple[Case, float]:
    """Apply a method twice and time the second call."""
    apply(case, name)
    start = time.perf_counter()
    return apply(case, name), time.perf_counter() - start


class Score:
    """Errors of maps against the truth of a head."""

    def __init__(self, truth: Truth, voxel_size: tuple[float, float, float]) -> None:
        self.maps = truth.maps
        brain = truth.maps["brain"] != 0
        depth = ndimage.distance_transform_edt(brain, sampling=voxel_size)
        self.inside = depth > 2
        self.veins = self.inside & (truth.maps["veins"] != 0)
        side = find_side(truth.maps["infarct"], truth.maps["territories"])
        own, other = (3, 4) if side == "left" else (4, 3)
        territories = truth.maps["territories"]
        self.core = (truth.maps["infarct"] != 0) & (territories == own)
        self.contra = territories == other

    def nrmse(self, found: NDArray[Any], name: str) -> float:
        a, b = found[self.inside], self.maps[name][self.inside]
        a, b = a - a.mean(), b - b.mean()
        return float(100 * np.linalg.norm(a - b) / np.linalg.norm(b))

    def vein_slope(self, found: NDArray[Any]) -> float:
        truth = self.maps["susceptibility"]
        return float(np.polyfit(truth[self.veins], found[self.veins], 1)[0])

    def change(self, found: NDArray[Any]) -> float:
        veins = self.maps["veins"] != 0
        centred = found - found[self.maps["brain"] != 0].mean()
        core, contra = (np.median(centred[veins & r]) for r in (self.core, self.contra))
        return float(100 * (core / contra - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxel-size", type=float, default=1.0, help="in mm")
    parser.add_argument("--seed", type=int, default=9001)
    options = parser.parse_args()
    methods()
    size = options.voxel_size
    case, truth = simulate(seed=options.seed, voxel_size=(size, size, size))
    score = Score(truth, case.grid.voxel_size)
    brain = {"brain": Volume(truth.maps["brain"], case.grid)}
    case = case.with_maps(Record("load", "true brain"), brain)
    pair = transform_pair()
    print(f"seed {options.seed}, {case.grid.shape} voxels of {size:g} mm; one pair {pair:.3f} s\n")
    print(f"{'step':<28}{'pairs':>8}{'NRMSE %':>9}{'veins':>7}{'change':>8}")
    for name in SIGNAL:
        case, seconds = timed(case, name)
        total = case.maps.get("total_field")
        error = f"{score.nrmse(total.data, 'total_field'):>9.1f}" if total else ""
        print(f"{name:<28}{seconds / pair:>8.1f}{error}")
    inversions = [
        n for n, m in methods().items() if "local_field" in {a.source.name for a in m.inputs}
    ]
    expected = score.change(truth.maps["susceptibility"])
    for background in [n for n, m in methods().items() if m.stage == "background"]:
        local, seconds = timed(case, background)
        off = score.nrmse(local.maps["local_field"].data, "local_field")
        print(f"{background:<28}{seconds / pair:>8.1f}{off:>9.1f}")
        for name in inversions:
            done, seconds = timed(local, name)
            chi = done.maps["susceptibility"].data
            print(
                f"{background + ' + ' + name:<28}{seconds / pair:>8.1f}"
                f"{score.nrmse(chi, 'susceptibility'):>9.1f}{score.vein_slope(chi):>7.2f}"
                f"{score.change(chi) - expected:>+8.1f}"
            )


if __name__ == "__main__":
    main()
