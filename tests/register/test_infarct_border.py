"""The border of the infarct, carried from a coarse diffusion scan to the gradient echo."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.register import infarct_dwi as module

COARSE, FINE = 4.0, 1.0


def test_border_runs_between_the_voxels_of_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    border = 17.0  # mm: a mask of voxels of 4 mm would put it at 18
    place = COARSE * np.arange(12)
    depth = np.broadcast_to(np.clip((border - place) / 8, -1, 1)[:, None, None], (12, 12, 12))
    depth = np.ascontiguousarray(depth, np.float32)
    found = (depth > 0).astype(np.uint8)
    monkeypatch.setattr(module, "find_lesion", lambda *_, **__: (found, depth))
    scan = Volume(np.ones(depth.shape, np.float32), Grid(depth.shape, np.diag([COARSE] * 3 + [1])))
    brain = np.ones((44, 44, 44), np.uint8)
    territories = np.where(np.indices(brain.shape)[0] < 22, 3, 4).astype(np.uint8)
    infarct, native = module.infarct_dwi(
        scan, brain, territories, affine=np.diag([FINE] * 3 + [1.0])
    )
    carried = infarct.data[:, 20, 20]
    assert carried[:17].all()
    assert not carried[18:].any()
    assert infarct.data.dtype == np.uint8
    np.testing.assert_array_equal(native.data, found)
