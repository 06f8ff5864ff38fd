"""The head that everything is compared with: the ICBM 2009a average, as nilearn's wheel holds it.

The files are found without importing nilearn, which takes seconds. Copyright of the template:
Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University;
Fonov et al., NeuroImage 2011;54:313, doi:10.1016/j.neuroimage.2010.07.033.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from napari_qsm_stroke.core.masks.atlas import territory_map
from napari_qsm_stroke.core.physics.template import HeadTemplate
from napari_qsm_stroke.errors import MissingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.core.quantities import ByteArray, FloatArray

NAME = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"


@lru_cache(maxsize=1)
def load_template() -> HeadTemplate:
    """Return the template head, with our map of the arterial territories.

    Returns
    -------
    HeadTemplate
        1 mm, 197 x 233 x 189 voxels in RAS+ order; read once, its arrays are read-only.

    Raises
    ------
    MissingError
        nilearn or its template files are not installed.
    """
    t1, affine = _read("t1")
    gm, wm = (_read(tissue)[0] / np.float32(255) for tissue in ("gm", "wm"))
    brain = _brain(t1)
    territories = territory_map(brain, affine)
    for array in (t1, gm, wm, brain, territories, affine):
        array.flags.writeable = False
    return HeadTemplate(t1=t1, gm=gm, wm=wm, brain=brain, territories=territories, affine=affine)


@lru_cache(maxsize=1)
def coarse_template() -> HeadTemplate:
    """Return the template at 2 mm: as fine as alignments look, and an eighth of the work."""
    fine = load_template()
    every = (slice(None, None, 2),) * 3

    def halved(image: FloatArray) -> FloatArray:
        return np.ascontiguousarray(ndimage.gaussian_filter(image, 0.8)[every])

    affine = fine.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    brain, labels = (np.ascontiguousarray(a[every]) for a in (fine.brain, fine.territories))
    t1, gm, wm = (halved(image) for image in (fine.t1, fine.gm, fine.wm))
    for array in (t1, gm, wm, brain, labels, affine):
        array.flags.writeable = False
    return HeadTemplate(t1=t1, gm=gm, wm=wm, brain=brain, territories=labels, affine=affine)


def _read(tissue: str) -> tuple[FloatArray, NDArray[np.float64]]:
    spec = find_spec("nilearn")
    places = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(places[0] if places else "nilearn", "datasets", "data", NAME.format(tissue))
    if not path.is_file():
        raise MissingError(
            "Head template",
            f"{path.name} of the package nilearn was not found.",
            "Install it again: pip install --force-reinstall nilearn.",
        )
    library: Any = nib
    image = library.as_closest_canonical(library.load(path))
    data: FloatArray = np.asarray(image.dataobj, dtype=np.float32)
    affine: NDArray[np.float64] = np.array(image.affine, dtype=np.float64)
    return data, affine


def _brain(t1: FloatArray) -> ByteArray:
    """The file holds the brain alone: all that is not background, without holes."""
    outside, _ = ndimage.label(~ndimage.binary_closing(t1 > 0, iterations=2))
    return np.asarray(outside != outside[0, 0, 0], dtype=np.uint8)
