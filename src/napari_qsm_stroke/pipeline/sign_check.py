"""A warning where air and veins say that the phase has the other sign."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_qsm_stroke.core.measure.field_sign import air_evidence, vein_evidence

if TYPE_CHECKING:
    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.case.volume import Volume

AIR, VEINS = 0.3, 1.0
"""Evidence below minus this speaks against the sign, above it for it; between, for neither.

In a Philips scan (TE 2.3 and 4.6 ms) air gave 1.7 and veins, not visible there, -0.3; in simulated
patients air gave 0.7 and veins 4 to 5.
"""
WORDS = (
    "The phase seems to have the wrong sign: {what}. Check that veins are bright in the map; else "
    "open the case again with the other sign of the phase."
)
_KNOWN: WeakKeyDictionary[Volume, str] = WeakKeyDictionary()
"""By the total field: the answer does not change while masks are corrected."""


def sign_doubt(case: Case) -> str:
    """Return why the sign of the phase is in doubt, or an empty text.

    Parameters
    ----------
    case : Case
        Reconstructed; where there is no total field, susceptibility or brain, nothing is said.
    """
    names = ("total_field", "susceptibility", "magnitude", "brain")
    if any(name not in case.maps for name in names):
        return ""
    field = case.maps["total_field"]
    if field not in _KNOWN:
        _KNOWN[field] = _judge(case)
    return _KNOWN[field]


def _judge(case: Case) -> str:
    brain, size = case.maps["brain"].data, case.grid.voxel_size
    air = air_evidence(case.maps["total_field"].data, brain, size)
    chi, magnitude = case.maps["susceptibility"].data, case.maps["magnitude"].data
    veins = vein_evidence(chi, magnitude, brain, size)
    against = []
    if air < -AIR and veins < VEINS:
        against.append("the field around the air of the skull base is negative")
    if veins < -VEINS and air < AIR:
        against.append("dark veins are diamagnetic")
    return WORDS.format(what=" and ".join(against)) if against else ""
