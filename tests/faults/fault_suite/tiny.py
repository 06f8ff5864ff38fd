"""A data set of a few kilobytes, good in every respect, to be spoilt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_qsm_stroke import Grid, Volume
from napari_qsm_stroke.io.nifti import read_volume, write_volume

SHAPE = (14, 16, 12)
TIMES = (0.005, 0.010, 0.015)


class Tiny:
    """BIDS folder with subjects of three echoes, a diffusion series and an ADC map."""

    def __init__(self, root: Path, subjects: tuple[str, ...] = ("01",), codes: str = "LAS") -> None:
        self.root = root
        facts = {"Name": "tiny", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
        root.mkdir(parents=True, exist_ok=True)
        (root / "dataset_description.json").write_text(json.dumps(facts))
        (root / "README").write_text("A data set for tests.")
        for number, subject in enumerate(subjects):
            self._write(subject, codes, np.random.default_rng(number))

    def _write(self, subject: str, codes: str, rng: np.random.Generator) -> None:
        affine = np.diag([2.5, 2.5, 3.0, 1.0])
        affine[:3, 3] = (-16, -20, -17)
        grid = Grid(SHAPE, affine, codes)
        x, y, z = (np.linspace(-1, 1, n) for n in SHAPE)
        field = x[:, None, None] + 0.5 * y[None, :, None] ** 2 + 0.3 * z[None, None, :]
        for echo, time in enumerate(TIMES, 1):
            noise = rng.normal(0, 1, (2, *SHAPE))
            signal = 100 * np.exp(2j * np.pi * 150 * field * time) + noise[0] + 1j * noise[1]
            facts = {"EchoTime": time, "MagneticFieldStrength": 3, "Manufacturer": "Siemens"}
            for part, data, unit in (
                ("mag", np.abs(signal), "arbitrary"),
                ("phase", np.angle(signal), "rad"),
            ):
                path = self.anat(subject, f"echo-{echo}_part-{part}_MEGRE")
                write_volume(Volume(data.astype(np.float32), grid), path)
                self.sidecar(path, **facts, Units=unit)
        coarse = Grid((7, 8, 6), np.diag([5.0, 5.0, 6.0, 1.0]))
        plain = rng.uniform(100, 200, coarse.shape)
        adc = rng.uniform(6e-4, 1e-3, coarse.shape)
        series = np.stack([plain, plain * np.exp(-1000 * adc)], axis=3).astype(np.float32)
        dwi = self.dwi(subject, "dwi")
        write_volume(Volume(series, coarse), dwi)
        dwi.with_name(dwi.name.replace(".nii.gz", ".bval")).write_text("0 1000\n")
        dwi.with_name(dwi.name.replace(".nii.gz", ".bvec")).write_text("0 0\n0 0\n0 0\n")
        self.sidecar(dwi, Manufacturer="Siemens")
        write_volume(Volume(adc.astype(np.float32), coarse), self.dwi(subject, "ADC"))
        self.sidecar(self.dwi(subject, "ADC"), Units="mm2/s")

    def anat(self, subject: str, name: str) -> Path:
        return self.root / f"sub-{subject}" / "anat" / f"sub-{subject}_{name}.nii.gz"

    def dwi(self, subject: str, name: str) -> Path:
        return self.root / f"sub-{subject}" / "dwi" / f"sub-{subject}_{name}.nii.gz"

    def echo(self, number: int, part: str = "mag", subject: str = "01") -> Path:
        return self.anat(subject, f"echo-{number}_part-{part}_MEGRE")

    def images(self, part: str, subject: str = "01") -> list[Path]:
        return [self.echo(number, part, subject) for number in (1, 2, 3)]

    def sidecar(self, image: Path, **facts: Any) -> Path:
        """Change what the sidecar of an image says; None takes a key out."""
        path = image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")
        known = json.loads(path.read_text()) if path.exists() else {}
        said = {k: v for k, v in (known | facts).items() if v is not None}
        path.write_text(json.dumps(said))
        return path

    def rewrite(self, path: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
        """Replace the values of an image, on its grid."""
        volume = read_volume(path)
        return write_volume(volume.with_data(change(volume.data.copy())), path)
