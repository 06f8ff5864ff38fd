"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke import Acquisition, Case, Grid, Volume
from napari_qsm_stroke.io.nifti import write_volume

SHARED = Path(os.environ.get("QSM_STROKE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares costly fixtures in one process, and all windows on one screen in turn.

    The windows come first: they are the longest of these groups.
    """
    for item in items:
        inside = item.path.relative_to(Path(__file__).parent)
        group = "gui" if inside.parts[0] == "gui" else inside.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "gui" not in item.path.parts)


@pytest.fixture
def real_data() -> Path:
    """Folder of real scans; they are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"no real scans at {SHARED}: set QSM_STROKE_TEST_DATA to their folder")
    return SHARED


@pytest.fixture
def small_case() -> Case:
    """Two echoes of a small oblong block, 1 x 1 x 2 mm."""
    rng = np.random.default_rng(5)
    grid = Grid((8, 10, 6), np.diag([1.0, 1.0, 2.0, 1.0]))
    magnitude = rng.uniform(50, 100, (8, 10, 6, 2)).astype(np.float32)
    phase = rng.uniform(-3, 3, (8, 10, 6, 2)).astype(np.float32)
    return Case(
        "sub-01",
        Acquisition((0.005, 0.010), 3.0),
        {
            "magnitude": Volume(magnitude, grid, "a.u."),
            "phase": Volume(phase, grid, "rad"),
            "brain": Volume(np.ones(grid.shape, np.uint8), grid),
        },
    )


@pytest.fixture
def stroke_case() -> Case:
    """A finished case: an ellipsoid head of 3 mm voxels, stroke on the left, known vein values.

    Veins hold 0.06 ppm in the core, 0.10 in the rest of the left MCA territory and 0.11 in the
    right one; the rest of the brain makes the mean zero.
    """
    grid = Grid(
        (52, 60, 48), np.array([[3, 0, 0, -76.5], [0, 3, 0, -90], [0, 0, 3, -70], [0, 0, 0, 1.0]])
    )
    i, j, k = np.ogrid[:52, :60, :48]
    x, y, z = 3 * i - 76.5, 3 * j - 90.0, 3 * k - 70.0
    brain = (x / 68) ** 2 + (y / 82) ** 2 + (z / 62) ** 2 < 1
    artery = np.where(np.abs(x) > 25, 3, np.where(y > -20, 1, 5)) + 0 * z
    territories = np.where(brain, artery + (x > 0), 0).astype(np.uint8)
    infarct = brain & ((x + 45) ** 2 + y**2 + z**2 < 20**2)
    veins = brain & (j % 6 == 0) & (k % 5 < 2) & (np.abs(x) < 66)
    value = np.where(infarct, 0.06, np.where(x < 0, 0.10, 0.11))
    noise = np.random.default_rng(1).normal(0, 0.002, grid.shape)
    chi = np.where(veins, value + noise, noise) * brain
    chi = np.where(veins, chi, chi - chi[brain].sum() / (brain & ~veins).sum()) * brain
    chi = chi.astype(np.float32)
    dwi = (brain * (100.0 + 120.0 * infarct)).astype(np.float32)
    maps = {
        "magnitude": ((brain * (100.0 - 40.0 * veins))[..., None], "a.u."),
        "susceptibility": (chi, "ppm"),
        "brain": (brain.astype(np.uint8), ""),
        "veins": (veins.astype(np.uint8), ""),
        "infarct": (infarct.astype(np.uint8), ""),
        "territories": (territories, ""),
        "dwi_aligned": (dwi, "a.u."),
        "swi": ((brain * (100.0 - 60.0 * veins)).astype(np.float32), "a.u."),
    }
    return Case(
        "sub-01",
        Acquisition((0.005, 0.010, 0.015, 0.020), 3.0),
        {name: Volume(data, grid, unit) for name, (data, unit) in maps.items()},
    )


@pytest.fixture
def scan(
    stroke_case: Case, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Path]]:
    """Files of a scan of that head: three echoes of 3 T, a field that wraps, stored as LAS."""
    source = tmp_path_factory.getbasetemp() / "scan"
    if not source.is_dir():
        source.mkdir()
        _write_scan(stroke_case, source)
    folder = tmp_path / "scan"
    shutil.copytree(source, folder)
    found = {part: sorted(folder.glob(f"{part}?.nii.gz")) for part in ("magnitude", "phase")}
    masks = ("brain", "veins", "infarct", "territories", "susceptibility")
    return {**found, **{name: [folder / f"{name}.nii.gz"] for name in masks}}


def _write_scan(case: Case, folder: Path) -> None:
    grid = Grid(case.grid.shape, case.grid.affine, "LAS")
    brain = case.maps["brain"].data
    ramp = np.linspace(-0.4, 0.4, grid.shape[1])[None, :, None]
    field = case.maps["susceptibility"].data * 0.3 + ramp
    rng = np.random.default_rng(4)
    for echo, time in enumerate((0.005, 0.010, 0.015), 1):
        noise = rng.normal(0, 1, (2, *grid.shape))
        signal = 100 * brain * np.exp(2j * np.pi * 127.74 * field * time) + noise[0] + 1j * noise[1]
        for part, data in (("magnitude", np.abs(signal)), ("phase", np.angle(signal))):
            path = folder / f"{part}{echo}.nii.gz"
            write_volume(Volume(data.astype(np.float32), grid), path)
    for name in ("brain", "veins", "infarct", "territories", "susceptibility"):
        write_volume(Volume(case.maps[name].data, grid), folder / f"{name}.nii.gz")


@pytest.fixture
def hears_ctrl_c() -> Iterator[None]:
    """Ctrl-C raises, also where the tests run in the background and were started deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
