"""The vocabulary: every quantity that a method can take or give, with its unit.

Maps are arrays of shape (X, Y, Z), or (X, Y, Z, echo) where said (the phase offset that all echoes
share is (X, Y, Z, 1)), in the order of the columns of
the affine. Masks are uint8 (0 or 1), label maps uint8. A method names the quantities that it takes
and gives by annotating its arguments and its return value with the aliases of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]
Kind = Literal["map", "echoes", "mask", "labels", "vectors"]


@dataclass(frozen=True)
class Quantity:
    """One word of the vocabulary: a map of a case."""

    name: str
    unit: str
    kind: Kind
    title: str


@dataclass(frozen=True)
class Header:
    """A value that comes from the acquisition or the grid, never from a form."""

    name: str
    unit: str


# Raw data
Magnitude = Annotated[FloatArray, Quantity("magnitude", "a.u.", "echoes", "Magnitude")]
Phase = Annotated[FloatArray, Quantity("phase", "rad", "echoes", "Phase")]
# From the echoes
PhaseOffset = Annotated[
    FloatArray, Quantity("phase_offset", "rad", "echoes", "Phase offset of the coils")
]
UnwrappedPhase = Annotated[
    FloatArray, Quantity("unwrapped_phase", "rad", "echoes", "Unwrapped phase")
]
PhaseQuality = Annotated[FloatArray, Quantity("phase_quality", "", "map", "Phase quality")]
TotalField = Annotated[FloatArray, Quantity("total_field", "ppm", "map", "Total field")]
FieldNoise = Annotated[FloatArray, Quantity("field_noise", "ppm", "map", "Field noise")]
OffsetLeft = Annotated[
    FloatArray, Quantity("offset_left", "rad", "map", "Phase at echo time zero that is left")
]
FitResidual = Annotated[
    FloatArray, Quantity("fit_residual", "rad", "map", "Residual of the field fit")
]
LocalField = Annotated[FloatArray, Quantity("local_field", "ppm", "map", "Local field")]
Susceptibility = Annotated[FloatArray, Quantity("susceptibility", "ppm", "map", "Susceptibility")]
SusceptibilityNoise = Annotated[
    FloatArray, Quantity("susceptibility_noise", "ppm", "map", "Susceptibility noise")
]
R2Star = Annotated[FloatArray, Quantity("r2star", "1/s", "map", "R2*")]
Swi = Annotated[FloatArray, Quantity("swi", "a.u.", "map", "SWI")]
Tswi = Annotated[FloatArray, Quantity("tswi", "a.u.", "map", "True SWI")]
SwiSlab = Annotated[FloatArray, Quantity("swi_slab", "a.u.", "map", "Minimum-intensity slabs")]
# Masks
Brain = Annotated[ByteArray, Quantity("brain", "", "mask", "Brain")]
FieldMask = Annotated[ByteArray, Quantity("field_mask", "", "mask", "Valid local field")]
Veins = Annotated[ByteArray, Quantity("veins", "", "mask", "Veins")]
Excluded = Annotated[ByteArray, Quantity("excluded", "", "labels", "Left out of the veins")]
INFARCT = Quantity("infarct", "", "mask", "Infarct core")
INFARCT_NATIVE = Quantity("infarct_native", "", "mask", "Infarct core on the DWI's own grid")
Infarct = Annotated[ByteArray, INFARCT]
TERRITORIES = Quantity("territories", "", "labels", "Arterial territories")
Territories = Annotated[ByteArray, TERRITORIES]
HEAD_POSITION = Quantity("head_position", "mm", "vectors", "Place in the template")
"""Coordinates in the symmetric template, (X, Y, Z, 3), on a coarse grid of its own."""
ATLAS = Quantity("atlas", "", "labels", "Atlas of territories in template space")

# Other images, on grids of their own, and as brought to the grid of the gradient echo
DWI = Quantity("dwi", "a.u.", "map", "DWI")
B0_IMAGE = Quantity("b0", "a.u.", "map", "b0 image")
ADC = Quantity("adc", "mm2/s", "map", "ADC")
DWI_ALIGNED = Quantity("dwi_aligned", "a.u.", "map", "DWI")
ADC_ALIGNED = Quantity("adc_aligned", "mm2/s", "map", "ADC")
DWI_PLACED = Quantity("dwi_placed", "a.u.", "map", "DWI as taken, in place")
ADC_PLACED = Quantity("adc_placed", "mm2/s", "map", "ADC as taken, in place")
T1W = Quantity("t1w", "a.u.", "map", "T1")
FLAIR = Quantity("flair", "a.u.", "map", "FLAIR")
T1W_ALIGNED = Quantity("t1w_aligned", "a.u.", "map", "T1")
FLAIR_ALIGNED = Quantity("flair_aligned", "a.u.", "map", "FLAIR")
Dwi = Annotated[FloatArray, DWI_ALIGNED]
Adc = Annotated[FloatArray, ADC_ALIGNED]

# Values of the acquisition and of the grid
VoxelSize = Annotated[tuple[float, float, float], Header("voxel_size", "mm")]
FieldDirection = Annotated[tuple[float, float, float], Header("b0_dir", "")]
EchoTimes = Annotated[tuple[float, ...], Header("echo_times", "s")]
FieldStrength = Annotated[float, Header("field_strength", "T")]
Affine = Annotated[NDArray[np.float64], Header("affine", "mm")]

Array = NDArray[Any]

LABELS: dict[int, tuple[str, str]] = {
    1: ("ACA", "left"),
    2: ("ACA", "right"),
    3: ("MCA", "left"),
    4: ("MCA", "right"),
    5: ("PCA", "left"),
    6: ("PCA", "right"),
    7: ("VB", "left"),
    8: ("VB", "right"),
}
"""Labels of ``territories``: artery and side. Odd is left, even is right."""
EXCLUDED: dict[int, str] = {
    1: "Wider than a vein, deep in the brain: nucleus",
    2: "Wider than a vein, at the edge: sinus",
    3: "Brighter than veins: haemorrhage, clot",
    4: "Hole of the map: signal lost",
    5: "Streak: not in the magnitude",
}
"""Labels of ``excluded``."""
