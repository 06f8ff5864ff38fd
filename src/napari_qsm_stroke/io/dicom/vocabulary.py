"""What header texts may say. Only these words leave the process that reads headers.

Free text of a header (descriptions, protocol and sequence names) may hold the name of a person. It
is therefore never passed on: what is passed on is which of the words below it holds.
"""

from __future__ import annotations

import re

WORDS = {
    "swi product": r"swi_images",
    "swi at the end": r"[_ ]swi\s*$",
    "swi": r"(?<![a-z])(swi|swip|swan|venobold|susceptib)",
    "projection": r"(?<![a-z])m(in)?[ _]?ip(?![a-z])|mip_images|minip|min ip",
    "filtered": r"filt[a-z]*[ _]?pha|pha[a-z]*[ _]?filt|high[ _-]?pass|(?<![a-z])hpf(?![a-z])",
    "field map": r"field[ _-]?map|b0[ _-]?map|fieldmap|fmap|(?<![a-z])fm2d",
    "difference": r"phase?[ _-]?diff|delta[ _-]?phase",
    "unwrapped": r"unwrap",
    "flow": r"(?<![a-z])(pca|phase[ _-]?contrast|flow[ _-]?quant|venc|velocity)",
    "adc": r"(?<![a-z])d?adc(?![a-z])|apparent[ _]diff",
    "exponential": r"(?<![a-z])(e[ _]?adc|exp[a-z]*[ _]?(apparent|adc))",
    "anisotropy": r"(?<![a-z])((col)?fa|md)(?![a-z])|fract[a-z.]*[ _]?aniso|tensor",
    "diffusion": r"(?<![a-z])(dwi|dti|diff(usion)?|ep2d_diff|resolve|b\d{3,4})(?![a-z])",
    "flair": r"flair|dark[ _-]?fluid|(?<![a-z])tirm",
    "t1": r"(?<![a-z0-9])t1|mprage|mp-rage|bravo|(?<![a-z])tfl|mp2rage|3d[ _]?tfe",
    "t2": r"(?<![a-z0-9])t2(?![a-z*0-9]*(star|\*))",
    "localizer": r"locali[sz]er|scout|survey|plan[ _]?scan|calibration|(?<![a-z])aahead|smartbrain",
    "perfusion": r"(?<![a-z])(perf|dsc|pwi|asl|pasl|pcasl|cbf|cbv|mtt|ttp|tmax)(?![a-z])",
    "angiography": r"(?<![a-z])(tof|mra|angio)",
    "qsm": r"(?<![a-z])qsm|quantitative[ _]?suscept|chi[ _]?map",
    "fast field mapping": r"(?<![a-z])fm2d\dr?",
}
"""Word and the pattern that tells it, in lower case text."""

TYPES = frozenset(
    {
        *("ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "OTHER", "MIXED", "NONE", "LOCALIZER"),
        *("M", "P", "R", "I", "MAGNITUDE", "PHASE", "REAL", "IMAGINARY", "PHASE MAP"),
        *("M_FFE", "P_FFE", "R_FFE", "I_FFE", "M_SE", "M_IR", "FFE", "SE", "IR"),
        *("ADC", "EADC", "FA", "COLFA", "TRACE", "TRACEW", "DIFFUSION", "CALC_BVALUE", "TENSOR"),
        *("SWI", "MNIP", "MINIP", "MIN IP", "MIP", "PROJECTION IMAGE", "MPR", "MOSAIC", "QSM"),
        *("FILTERED", "PHASE_FILTERED", "FIELDMAP", "FIELD MAP", "B0", "B0 MAP", "FIELDMAPHZ"),
        *("PHASEDIFF", "PHASE DIFFERENCE", "VELOCITY", "VELOCITY MAP", "PCA", "PHASE CONTRAST"),
        *("NORM", "ND", "DIS2D", "DIS3D", "CSA REPORT", "UNCOMBINED", "SUBTRACTION"),
        *("CBF", "CBV", "MTT", "TTP", "T2 MAP", "T2_STAR", "T2_STAR_MAP", "R2_STAR_MAP"),
    }
)
"""Values of Image Type and Frame Type that are understood."""

COMPONENTS = {
    **dict.fromkeys(("M", "MAGNITUDE", "M_FFE", "M_SE", "M_IR"), "magnitude"),
    **dict.fromkeys(("P", "PHASE", "PHASE MAP", "P_FFE"), "phase"),
    **dict.fromkeys(("R", "REAL", "R_FFE"), "real"),
    **dict.fromkeys(("I", "IMAGINARY", "I_FFE"), "imaginary"),
}

MAKERS = {
    "Siemens": r"siemens|healthineers",
    "GE": r"^ge(?![a-z])|general electric|gems",
    "Philips": r"philips",
    "UIH": r"uih|united imaging",
    "Canon": r"canon|toshiba",
    "Hitachi": r"hitachi|fujifilm",
    "Bruker": r"bruker",
}

MODELS = frozenset(
    (
        "aera altea amira avanto avanto_fit biograph cima espree free fit free.max harmony lumina "
        "magnetom mmr prisma prisma_fit skyra skyra_fit sola sonata spectra symphony terra trio "
        "triotim verio vida x air architect artist creator discovery explorer genesis hero "
        "hdx hdxt mr450 mr450w mr750 mr750w optima petmr pet/mr pioneer premier signa victor "
        "voyager achieva ambition dstream elition evolution gyroscan ingenia ingenuity intera "
        "multiva panorama galan orian titan vantage uMR 1.5t 3t 7t"
    )
    .lower()
    .split()
)
"""Words of the names of scanners."""

UNITS = {
    "rad": r"rad(ian)?s?",
    "mrad": r"m(illi)?[ -]?rad(ian)?s?",
    "deg": r"deg(ree)?s?",
    "Hz": r"hz|hertz",
    "ppm": r"ppm",
    "cm/s": r"cm/s(ec)?",
}
"""Units of values that are understood, and the pattern of the whole text that says them."""


def words_in(text: str) -> list[str]:
    """Return the words of ``WORDS`` that a text holds."""
    low = text.lower()
    return [word for word, pattern in WORDS.items() if re.search(pattern, low)]


def maker_of(text: str) -> str:
    """Return the maker of a scanner, or an empty text."""
    low = text.lower().strip()
    return next((name for name, pattern in MAKERS.items() if re.search(pattern, low)), "")


def model_of(text: str) -> str:
    """Return the words of a scanner's name that are known ones."""
    return " ".join(word for word in text.split()[:6] if word.lower() in MODELS)


def unit_of(text: str) -> str:
    """Return the unit that a text says, or an empty text."""
    low = text.lower().strip()
    return next((name for name, pattern in UNITS.items() if re.fullmatch(pattern, low)), "")
