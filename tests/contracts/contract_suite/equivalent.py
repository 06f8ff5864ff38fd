"""Changes of a method that change nothing by nature, with the reason: no faults, so others count.

By method, then by what the change is called (without its line).
"""

from __future__ import annotations

ONLY_DIFFERENCES = "what all echo times have in common goes into the size of the signal"
ONLY_STEPS = "echoes are aligned by the steps of their times"
EQUIVALENT: dict[str, dict[str, str]] = {
    "arlo": {"echo times from zero": ONLY_DIFFERENCES},
    "best_path": {
        "echo times from zero": ONLY_STEPS,
        "one more: 0 in rng=0": "a seed",
    },
    "laplacian": dict.fromkeys(
        ("echo times from zero", "echo times in another order", "first echo time left out"),
        "the mean of each echo is zero: none is off by a turn, whatever the times",
    ),
    "lbv": {"one more: 0 in np.float32(0)": "no voxel beside the outside has a Laplacian"},
    "mip": {"B0 mirrored": "slabs lie across the axis nearest to B0, whatever its sign"},
    "nonlinear_fit": {"one step less: range(STEPS)": "all voxels have settled long before"},
    "r2star_fit": {"echo times from zero": ONLY_DIFFERENCES},
    "r2star_nonlinear": {
        "echo times from zero": ONLY_DIFFERENCES,
        "another number: 0.001 in SMALL = 0.001": "the steps fall far below either at once",
    },
    "refine_brain": {"one more: 0 in (0, 0, 0)": "all of the border is one part"},
    "rts": {"another number: 0.4 in FIRST_PART = 0.4": "how progress is shared out"},
    "tv": dict.fromkeys(
        (
            "another number: 0.6 in 0.0 if choose == 'fixed' else 0.6",
            "comparison turned round: choose == 'fixed'",
        ),
        "how progress is shared out",
    ),
}
