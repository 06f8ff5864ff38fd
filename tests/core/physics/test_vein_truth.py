"""Blood and calibre of simulated veins against the veins themselves."""

from __future__ import annotations

import numpy as np
import pytest

from napari_qsm_stroke.core.physics.phantom import draw_patient
from napari_qsm_stroke.core.physics.vein_truth import vein_truth
from napari_qsm_stroke.core.physics.veins import MEDULLARY_RADIUS_MM, RADIUS_MM
from napari_qsm_stroke.register.template import load_template

SHAPE = (50, 70, 40)
AFFINE = np.array([[2.0, 0, 0, 10], [0, 2, 0, -60], [0, 0, 2, 0], [0, 0, 0, 1]])


def test_blood_and_radius_are_those_of_the_veins() -> None:
    template = load_template()
    patient, other = (draw_patient(template, 7, "right", ratio, False)[0] for ratio in (1.0, 0.62))
    plain, raised = (vein_truth(p, affine=AFFINE, shape=SHAPE) for p in (patient, other))
    inside = plain.blood > 0
    assert inside.sum() > 500
    assert (plain.radius[inside] > 0.85 * MEDULLARY_RADIUS_MM[0]).all()
    assert plain.radius.max() < 1.15 * RADIUS_MM[1]
    assert (plain.radius == raised.radius).all()
    ratio = raised.blood[inside] / plain.blood[inside]
    assert np.quantile(ratio, 0.02) == pytest.approx(0.62, abs=0.06)
    veins = patient.vessels.veins
    index = np.rint((veins.middle - AFFINE[:3, 3]) / 2).astype(int)
    thick = ((index >= 0) & (index < SHAPE)).all(1) & (veins.radius > 1.4)
    there = plain.radius[tuple(index[thick].T)]
    assert np.median(np.abs(there - veins.radius[thick])) < 0.05
