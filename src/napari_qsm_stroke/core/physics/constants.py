"""Physical constants, each in one place."""

GYROMAGNETIC_RATIO_MHZ_PER_T = 42.577478461
"""Proton gyromagnetic ratio over 2 pi, CODATA 2022, unshielded."""

BLOOD_SUSCEPTIBILITY_PPM = 3.393
"""Fully deoxygenated minus fully oxygenated blood per unit of haematocrit, in SI ppm.

4 pi x 0.27 ppm (Spees et al. 2001, doi:10.1002/mrm.1072). The 0.27 is the value in cgs units:
without the factor 4 pi the oxygen extraction fraction comes out 12.6 times too large.
"""
