"""A simulated patient as a case."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.pipeline.simulate import simulate


def test_a_case_holds_the_raw_images_alone() -> None:
    case, truth = simulate(
        key="sub-07", seed=4, side="left", voxel_size=(4.0, 4.0, 4.0), echo_times=(0.020,)
    )
    assert case.key == "sub-07"
    assert set(case.maps) == {"magnitude", "phase", "dwi", "b0", "adc"}
    assert case.side is None
    assert case.acquisition is not None
    assert case.acquisition.echo_times == (0.020,)
    assert case.grid.voxel_size == pytest.approx((4, 4, 4))
    assert case.maps["dwi"].grid.difference(case.grid)
    assert case.maps["adc"].unit == "mm2/s"
    assert truth.side == "left"
    assert truth.maps["brain"].shape == case.grid.shape
    assert case.history[0].parameters["seed"] == 4
    assert np.isfinite(case.maps["magnitude"].data).all()
