"""Oxygen extraction fraction from the susceptibility of venous blood."""

from __future__ import annotations

from napari_qsm_stroke.core.physics.constants import BLOOD_SUSCEPTIBILITY_PPM
from napari_qsm_stroke.errors import InputError


def oxygen_extraction_fraction(
    susceptibility_difference: float,
    *,
    haematocrit: float = 0.42,
    arterial_saturation: float = 0.98,
    partial_volume: float = 1.0,
) -> float:
    """Oxygen extraction fraction of the blood in a vein.

    Parameters
    ----------
    susceptibility_difference : float
        Vein minus reference tissue, in ppm (SI).
    haematocrit : float
        Volume fraction of red cells.
    arterial_saturation : float
        Oxygen saturation of arterial blood, 0 to 1.
    partial_volume : float
        Fraction of the voxel that is vein.

    Returns
    -------
    float
        OEF = 1 - SvO2 / SaO2, with 1 - SvO2 = difference / (partial volume x haematocrit x
        3.393 ppm). Below 0 where the vein holds more oxygen than arterial blood, which cannot be:
        the map or the mask is wrong there.

    Raises
    ------
    InputError
        Haematocrit, saturation or partial volume cannot be.

    Notes
    -----
    Haacke et al., Hum Brain Mapp 2010;31:247, doi:10.1002/hbm.20865; constant of Spees et al.,
    Magn Reson Med 2001;45:533, doi:10.1002/mrm.1072. Veins narrower than a voxel share it with
    tissue, so that the true value is higher: an index, not a saturation.
    """
    for name, value in (
        ("Haematocrit", haematocrit),
        ("Arterial saturation", arterial_saturation),
        ("Partial volume", partial_volume),
    ):
        if not 0 < value <= 1:
            raise InputError(name, f"expected above 0 and up to 1, found {value:g}.", "Correct it.")
    full = partial_volume * haematocrit * BLOOD_SUSCEPTIBILITY_PPM
    venous_saturation = 1 - susceptibility_difference / full
    return 1 - venous_saturation / arterial_saturation
