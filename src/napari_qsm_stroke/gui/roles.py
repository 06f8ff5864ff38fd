"""What an image is, told from its name: for files that are dropped or opened one by one."""

from __future__ import annotations

import re
from pathlib import Path

TITLES = {
    "magnitude": "Magnitude",
    "phase": "Phase",
    "real": "Real part",
    "imaginary": "Imaginary part",
    "dwi": "DWI",
    "b0": "b0 image",
    "adc": "ADC",
    "brain_mask": "Brain mask",
    "veins": "Vein mask",
    "infarct": "Infarct mask",
    "territories": "Territories",
    "susceptibility": "Susceptibility",
    "flair": "FLAIR",
    "t1w": "T1",
}
"""Roles of files in the order of the table, as ``io.load`` names them."""
QUANTITY = {"brain_mask": "brain"}
"""Quantities that have another name than their role."""
PATTERNS = (
    ("brain_mask", r"brain.*mask|brainmask"),
    ("veins", r"vein"),
    ("infarct", r"infarct|lesion|core.*mask"),
    ("territories", r"territor|dseg"),
    ("susceptibility", r"chimap|qsm|(?<![a-z])chi(?![a-z])|suscept"),
    ("real", r"part-real|(?<![a-z])real(?![a-z])"),
    ("imaginary", r"part-imag|(?<![a-z])imag(inary)?(?![a-z])"),
    ("phase", r"part-phase|(?<![a-z])(phase|pha|ph)(?![a-z])"),
    ("magnitude", r"part-mag|(?<![a-z])(magnitude|mag)(?![a-z])"),
    ("adc", r"(?<![a-z])adc"),
    ("b0", r"(?<![a-z])(b0|b=0|sbref)(?![0-9a-z])"),
    ("dwi", r"(?<![a-z])(dwi|trace|b1000)"),
    ("flair", r"flair"),
    ("t1w", r"(?<![a-z])(t1w?|mprage)(?![a-z0-9])"),
)


def guess_role(path: str | Path) -> str | None:
    """Role that the name of a file suggests, or None."""
    name = Path(path).name.lower()
    return next((role for role, pattern in PATTERNS if re.search(pattern, name)), None)


def is_nifti(path: str | Path) -> bool:
    """Tell whether the name is that of a NIfTI file."""
    return str(path).lower().endswith((".nii", ".nii.gz"))
