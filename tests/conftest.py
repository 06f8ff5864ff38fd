"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_qsm_stroke import Acquisition, Case, Grid, Volume

SHARED = Path(os.environ.get("QSM_STROKE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


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
