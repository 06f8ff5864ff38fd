"""Simulated heads of seeds kept for testing, with the regions in which maps are scored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from benchmarks import metrics
from benchmarks.fingerprint import digest, of_module
from napari_qsm_stroke import Volume
from napari_qsm_stroke.case.acquisition import Acquisition
from napari_qsm_stroke.case.case import Case
from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.core.measure.regions import OPPOSITE
from napari_qsm_stroke.core.measure.side import find_side
from napari_qsm_stroke.core.physics.forward import field_of
from napari_qsm_stroke.core.physics.gradient_echo import PEAK_SIGNAL, PEAK_SNR
from napari_qsm_stroke.core.physics.lesion import labels_of
from napari_qsm_stroke.core.physics.phantom import MULTI_ECHO
from napari_qsm_stroke.core.physics.units import radians_per_ppm_second
from napari_qsm_stroke.pipeline.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from benchmarks.cache import Cache, Numbers

TEST_SEEDS = (9001, 9002, 9003, 9004, 9005)
SUPERSAMPLING = 2
"""Fine voxels per voxel and axis in which fields are simulated: no method inverts its own model."""
RIM_MM = 2.0
RAW = ("magnitude", "phase")
FIELD_STRENGTH = 3.0


@dataclass(frozen=True)
class Subject:
    """Which head: everything that a simulation depends on but for its code."""

    seed: int
    voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0)
    haemorrhage: bool = False

    @property
    def key(self) -> str:
        """Fingerprint, of the code too."""
        return digest(self, SUPERSAMPLING, of_module("napari_qsm_stroke.pipeline.simulate"))


class Head:
    """A simulated head: the raw case, the truth, and the measures of maps against it.

    Parameters
    ----------
    subject : Subject
        Which.
    raw : mapping of str to Volume
        ``magnitude`` and ``phase``.
    truth : mapping of str to ndarray
        Maps of the truth.
    """

    def __init__(
        self, subject: Subject, raw: Mapping[str, Volume], truth: Mapping[str, NDArray[Any]]
    ) -> None:
        acquisition = Acquisition(MULTI_ECHO, FIELD_STRENGTH)
        self.subject = subject
        self.truth = truth
        self.case = Case(f"sub-{subject.seed}", acquisition, raw)
        self.grid = self.case.grid

    @property
    def content(self) -> str:
        """Fingerprint of the raw images and of the truth."""
        truth = [(n, Volume(m, self.grid).digest) for n, m in sorted(self.truth.items())]
        return digest(sorted((n, v.digest) for n, v in self.case.maps.items()), truth)

    @classmethod
    def load(cls, subject: Subject, cache: Cache) -> Head:
        """Simulate a head, or read it where it was simulated before."""
        kept = cache.heads.get(subject.key)
        if kept is None:
            case, truth = simulate(
                seed=subject.seed,
                voxel_size=subject.voxel_size,
                echo_times=MULTI_ECHO,
                field_strength=FIELD_STRENGTH,
                haemorrhage=subject.haemorrhage,
                supersampling=SUPERSAMPLING,
            )
            kept = {name: case.maps[name] for name in RAW}
            kept |= {f"true_{n}": Volume(v, case.grid) for n, v in truth.maps.items()}
            cache.heads.put(subject.key, kept)
        truth_maps = {
            n.removeprefix("true_"): v.data for n, v in kept.items() if n.startswith("true_")
        }
        return cls(subject, {name: kept[name] for name in RAW}, truth_maps)

    def given(self, name: str, **maps: NDArray[Any]) -> Case:
        """Return the raw case with true maps added."""
        volumes = {n: Volume(m, self.grid) for n, m in maps.items()}
        return self.case.with_maps(Record("load", name), volumes)

    @cached_property
    def brain(self) -> NDArray[np.bool_]:
        """The whole brain."""
        brain: NDArray[np.bool_] = self.truth["brain"] != 0
        return brain

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """The brain less its rim of 2 mm."""
        depth = ndimage.distance_transform_edt(self.brain, sampling=self.grid.voxel_size)
        inside: NDArray[np.bool_] = depth > RIM_MM
        return inside

    @cached_property
    def noise(self) -> NDArray[np.float32]:
        """Standard deviation in ppm of the field of a weighted fit, from the magnitude alone."""
        assert self.case.acquisition is not None
        times = np.array(self.case.acquisition.echo_times)
        power = self.case.maps["magnitude"].data.astype(np.float64) ** 2
        total = power.sum(3)
        mean = (power * times).sum(3) / total
        spread = (power * (times - mean[..., None]) ** 2).sum(3)
        radians = PEAK_SIGNAL / PEAK_SNR / np.sqrt(spread)
        found = radians / radians_per_ppm_second(FIELD_STRENGTH)
        return np.where(self.brain, found, 0).astype(np.float32)

    @cached_property
    def _mca_veins(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """True vein voxels of the core and of the contralateral territory."""
        territories, infarct = self.truth["territories"], self.truth["infarct"]
        side = find_side(infarct, territories)
        own, other = labels_of("MCA", side), labels_of("MCA", OPPOSITE[side])
        veins = self.truth["veins"] != 0
        return (infarct != 0) & (territories == own) & veins, (territories == other) & veins

    @property
    def matched_field(self) -> NDArray[np.float32]:
        """Field of the true susceptibility by the model that inversions invert."""
        size, b0_dir = self.grid.voxel_size, self.grid.b0_dir
        return field_of(self.truth["susceptibility"], voxel_size=size, b0_dir=b0_dir)

    def noisy(self, field: NDArray[Any]) -> NDArray[np.float32]:
        """Return a field with the noise that it is measured with, zero outside the brain."""
        rng = np.random.default_rng(self.subject.seed)
        noise = rng.standard_normal(self.grid.shape, dtype=np.float32) * self.noise
        measured: NDArray[np.float32] = (field + noise) * self.brain
        return measured

    # --- measures

    def of_field(self, case: Case) -> Numbers:
        """Errors of the total field in Hz, and voxels of the unwrapped phase off by a turn."""
        assert case.acquisition is not None
        truth = self.truth["total_field"]
        hz = radians_per_ppm_second(FIELD_STRENGTH) / (2 * np.pi)
        found = case.maps["total_field"].data
        mask = case.maps["brain"].data != 0
        median, p99 = metrics.field_error(hz * found, hz * truth, mask)
        numbers: Numbers = {"median_hz": median, "p99_hz": p99}
        if "unwrapped_phase" in case.maps:
            phase = case.maps["unwrapped_phase"].data
            times = case.acquisition.echo_times
            shares = [
                metrics.turns(phase[..., e], 2 * np.pi * hz * t * truth, mask)
                for e, t in enumerate(times)
            ]
            numbers["off_by_a_turn_percent"] = max(shares)
        numbers["brain_kept_percent"] = float(100 * (mask & self.brain).sum() / self.brain.sum())
        return numbers

    def of_local_field(self, found: NDArray[Any]) -> Numbers:
        """Errors of the local field; what is not known counts as zero."""
        truth = self.truth["local_field"]
        return {
            "nrmse": metrics.nrmse(found, truth, self.inside),
            "detrended_nrmse": metrics.detrended_nrmse(found, truth, self.inside),
            "nrmse_to_the_edge": metrics.nrmse(found, truth, self.brain),
            "slope": metrics.slope(found, truth, self.inside),
        }

    def of_susceptibility(self, found: NDArray[Any]) -> Numbers:
        """Measures of a susceptibility map; what is not known counts as zero.

        On a head that bleeds these are the streaks around the blood alone.
        """
        truth, inside = self.truth["susceptibility"], self.inside
        deep_veins = inside & (self.truth["veins"] != 0)
        core, other = self._mca_veins
        true_change = metrics.change(truth, core, other, self.brain)
        found_change = metrics.change(found, core, other, self.brain)
        if self.subject.haemorrhage:
            around = inside & (self.truth["veins"] == 0)
            bleed, size = self.truth["haemorrhage"] != 0, self.grid.voxel_size
            return {"streaks": metrics.streaks(found, truth, bleed, around, size)}
        return {
            "nrmse": metrics.nrmse(found, truth, inside),
            "detrended_nrmse": metrics.detrended_nrmse(found, truth, inside),
            "vein_slope": metrics.slope(found, truth, deep_veins),
            "vein_recovery": metrics.recovery(found, truth, deep_veins, inside),
            "nuclei_slope": metrics.labels_slope(found, truth, self.truth["nuclei"], inside),
            "hfen": metrics.hfen(found, truth, inside),
            "xsim": metrics.xsim(found, truth, inside),
            "change": found_change,
            "change_error": found_change - true_change,
        }
