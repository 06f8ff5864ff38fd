"""One asymmetric patient, stored with its axes in any order and direction, upright or tilted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke import Case, Grid, Volume
from napari_qsm_stroke.io.nifti import write_volume

CODES = [
    "".join(codes)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for codes in itertools.product(*axes)
]
SAMPLE = ("RAS", "LAS", "LPS", "PSR", "SLA", "IRP")
"""Of the 48: neurological and radiological, axial, sagittal and coronal, mirrored and not."""
QUICK = """
name = "quick"
[[step]]
method = "magnitude_brain"
working_resolution = 4.0
[[step]]
method = "laplacian"
[[step]]
method = "weighted_fit"
[[step]]
method = "vsharp"
max_radius = 6.0
[[step]]
method = "tkd"
[[step]]
method = "reference_brain"
"""
MASKS = ("brain", "veins", "infarct", "territories")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a sample of the orders of axes to the normal tests, and the rest to the long ones."""
    if "codes" in metafunc.fixturenames:
        rest = [pytest.param(c, marks=pytest.mark.long) for c in CODES if c not in SAMPLE]
        metafunc.parametrize("codes", [*SAMPLE, *rest])


def tilted(affine: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a slab about the left-right axis, and a third as much about the front-back axis."""
    result = affine.copy()
    for angle, (a, b) in ((degrees, (1, 2)), (degrees / 3, (0, 2))):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turn = np.eye(4)
        turn[a, a] = turn[b, b] = c
        turn[a, b], turn[b, a] = -s, s
        result = turn @ result
    return result


@pytest.fixture
def patient(stroke_case: Case) -> Callable[..., dict[str, list[Path]]]:
    """Write the patient's files: raw echoes, masks and map."""

    def write(folder: Path, codes: str | tuple[str, ...], degrees: float = 0.0) -> dict:
        orders = itertools.cycle((codes,) if isinstance(codes, str) else codes)
        affine = tilted(stroke_case.grid.affine, degrees)
        folder.mkdir(parents=True)
        files: dict[str, list[Path]] = {}
        chi, brain = stroke_case.maps["susceptibility"].data, stroke_case.maps["brain"].data
        ramp = np.linspace(-0.4, 0.4, chi.shape[1])[None, :, None]
        rng = np.random.default_rng(4)

        def store(name: str, data: np.ndarray) -> None:
            path = folder / f"{name}.nii.gz"
            grid = Grid(chi.shape, affine, next(orders))
            kind = np.uint8 if name in MASKS else np.float32
            write_volume(Volume(data.astype(kind), grid), path, 1)
            files.setdefault(name.rstrip("123"), []).append(path)

        for echo, time in enumerate((0.005, 0.010, 0.015), 1):
            noise = rng.normal(0, 1, (2, *chi.shape))
            turns = 127.74 * (0.3 * chi + ramp) * time
            signal = 100 * brain * np.exp(2j * np.pi * turns) + noise[0] + 1j * noise[1]
            store(f"magnitude{echo}", np.abs(signal))
            store(f"phase{echo}", np.angle(signal))
        for name in (*MASKS, "susceptibility"):
            store(name, stroke_case.maps[name].data)
        return files

    return write


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """Return the path of a recipe that takes a second."""
    path = tmp_path / "quick.toml"
    path.write_text(QUICK)
    return str(path)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pages, which take seconds and have tests of their own."""
    monkeypatch.setattr("napari_qsm_stroke.cohort.export.write_report", lambda *_: [])
