"""The territory table and the report, from a map and masks that you already have.

The arrays are made up here; yours come from ``napari_qsm_stroke.load`` or from anywhere else.
"""

import sys

import numpy as np

from napari_qsm_stroke import Case, Grid, Volume
from napari_qsm_stroke.pipeline.measure import MeasureSettings, measure
from napari_qsm_stroke.report.case_report import write_report

# A round head of 3 mm voxels in canonical order: x grows to the patient's right.
grid = Grid((56, 64, 52), np.diag([3.0, 3.0, 3.0, 1.0]))
x, y, z = (3.0 * (n - (m - 1) / 2) for n, m in zip(np.indices(grid.shape), grid.shape, strict=True))
brain = (x / 70) ** 2 + (y / 85) ** 2 + (z / 65) ** 2 < 1
mca = np.abs(x) > 25
territories = np.where(mca, 3, np.where(y > 0, 1, 5)) + (x > 0)  # odd is left, even is right
infarct = brain & ((x - 45) ** 2 + y**2 + z**2 < 22**2)  # on the right
veins = brain & (np.hypot(np.sin(y / 4), np.sin(z / 4)) < 0.5)
chi = np.where(veins, np.where(infarct, 0.06, 0.10), -0.005) * brain

case = Case(
    "sub-01",
    None,
    {
        "susceptibility": Volume(chi.astype(np.float32), grid, "ppm"),
        "brain": Volume(brain.astype(np.uint8), grid),
        "veins": Volume(veins.astype(np.uint8), grid),
        "infarct": Volume(infarct.astype(np.uint8), grid),
        "territories": Volume((territories * brain).astype(np.uint8), grid),
    },
)
table = measure(case, MeasureSettings(guard=5.0))

print(f"Stroke on the {table.side}, susceptibility relative to: {table.reference}")
for row in table.rows:
    median = "not measured" if row.chi_median_ppm is None else f"{row.chi_median_ppm:.3f} ppm"
    print(f"{row.region:22s} {median:14s} {row.n_vein_segments} segments   {row.qc}")

if len(sys.argv) > 1:
    print(*write_report(case, table, sys.argv[1]), sep="\n")
