"""A simulated patient as a BIDS data set, its ground truth beside it as derivatives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_qsm_stroke.case.provenance import INTENDED_USE
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.measure.regions import region_side
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.atomic import write_json, write_text
from napari_qsm_stroke.io.derivatives import (
    BIDS_VERSION,
    case_folder,
    cell,
    generated_by,
    write_label_table,
)
from napari_qsm_stroke.io.nifti import write_volume
from napari_qsm_stroke.io.sidecar import beside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.core.physics.phantom import Truth

NAME = "Simulated stroke patients"
QUICK = 1
"""Noise does not compress: the weakest compression is as small as the strongest."""
B_VALUE = 1000
README = """# Simulated stroke patients

Made by napari-qsm-stroke. No person was examined. Gradient-echo magnitude and phase (rad) are in
`anat`, diffusion images on a grid of their own in `dwi`. The ground truth of everything is in
`derivatives/ground-truth`: susceptibility, brain, veins, infarct, arterial territories, and the
medians of vein susceptibility by territory, both inside the veins and of the voxels that veins
share with tissue.
"""
TRUTH_FILES = {
    "susceptibility": ("desc-truth_Chimap", {"Units": "ppm", "SkullStripped": False}),
    "brain": ("desc-brain_mask", {"Type": "Brain"}),
    "veins": ("desc-vein_mask", {"Type": "ROI"}),
    "infarct": ("label-infarct_mask", {"Type": "Lesion"}),
    "territories": ("desc-territories_dseg", {}),
}
MASKS = {"brain", "veins", "infarct", "territories"}


def prepare(bids_dir: Path) -> None:
    """Write what makes a folder a data set of simulated patients.

    Raises
    ------
    InputError
        The folder holds another data set.
    """
    description = bids_dir / "dataset_description.json"
    if description.is_file() and f'"{NAME}"' not in description.read_text("utf-8"):
        raise InputError(
            str(bids_dir), "holds another data set.", "Give a folder of its own to the simulation."
        )
    facts = {
        "Name": NAME,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "License": "CC0",
        "Authors": ["napari-qsm-stroke developers"],
        "GeneratedBy": [generated_by()],
        "IntendedUse": INTENDED_USE,
    }
    write_json(description, facts)
    write_text(bids_dir / "README.md", README)
    truth = {**facts, "Name": f"{NAME}: ground truth", "DatasetType": "derivative"}
    write_json(bids_dir / "derivatives" / "ground-truth" / "dataset_description.json", truth)
    ignored = "*_measurements.*\n*_truth.json\n"
    write_text(bids_dir / "derivatives" / "ground-truth" / ".bidsignore", ignored)


def write_patient(case: Case, truth: Truth, bids_dir: str | Path, seed: int) -> list[Path]:
    """Write a simulated patient: raw series into the data set, the truth into its derivatives.

    Parameters
    ----------
    case : Case
        Magnitude, phase, and diffusion images where there are any.
    truth : Truth
        Of this case.
    bids_dir : path
        The data set; made where it is not there.
    seed : int
        Written beside the truth.

    Raises
    ------
    InputError
        The folder holds another data set.
    """
    bids_dir = Path(bids_dir)
    prepare(bids_dir)
    written = [*_write_echoes(case, case_folder(bids_dir, case) / "anat")]
    written += _write_diffusion(case, case_folder(bids_dir, case) / "dwi")
    beside_it = case_folder(bids_dir / "derivatives" / "ground-truth", case)
    written += _write_truth_maps(case, truth, beside_it / "anat")
    written += _write_truth_table(case, truth, beside_it, seed)
    _write_participants(bids_dir)
    return written


def _write_echoes(case: Case, folder: Path) -> list[Path]:
    acquisition = case.acquisition
    assert acquisition is not None
    several = len(acquisition.echo_times) > 1
    jobs: list[tuple[Volume, Path, dict[str, Any]]] = []
    for echo, time in enumerate(acquisition.echo_times):
        for part, quantity in (("mag", "magnitude"), ("phase", "phase")):
            volume = case.require(quantity)
            name = f"echo-{echo + 1}_part-{part}_MEGRE" if several else f"part-{part}_T2starw"
            facts: dict[str, Any] = {
                "EchoTime": time,
                "MagneticFieldStrength": acquisition.field_strength,
                "Manufacturer": "napari-qsm-stroke",
                "ManufacturersModelName": "simulated",
                "Units": "rad" if part == "phase" else "arbitrary",
            }
            image = Volume(volume.data[..., echo], volume.grid, volume.unit)
            jobs.append((image, folder / f"{case.key}_{name}.nii.gz", facts))

    def write(job: tuple[Volume, Path, dict[str, Any]]) -> list[Path]:
        image, path, facts = job
        return [write_volume(image, path, QUICK), write_json(beside(path, ".json"), facts)]

    with ThreadPoolExecutor(2) as pool:
        return [path for paths in pool.map(write, jobs) for path in paths]


def _write_diffusion(case: Case, folder: Path) -> list[Path]:
    written = []
    if "dwi" in case.maps:
        dwi, plain = case.maps["dwi"], case.maps.get("b0")
        images = [v for v in (plain, dwi) if v is not None]
        series = dwi.with_data(np.stack([v.data for v in images], axis=3))
        path = folder / f"{case.key}_dwi.nii.gz"
        values = [0] * (plain is not None) + [B_VALUE]
        nothing = " ".join("0" for _ in values)
        written += [
            write_volume(series, path, QUICK),
            write_json(beside(path, ".json"), {"Manufacturer": "napari-qsm-stroke"}),
            write_text(beside(path, ".bval"), " ".join(map(str, values)) + "\n"),
            write_text(beside(path, ".bvec"), f"{nothing}\n" * 3),
        ]
    if "adc" in case.maps:
        path = folder / f"{case.key}_ADC.nii.gz"
        written += [
            write_volume(case.maps["adc"], path, QUICK),
            write_json(beside(path, ".json"), {"Units": "mm2/s"}),
        ]
    return written


def _write_truth_maps(case: Case, truth: Truth, folder: Path) -> list[Path]:
    written = []
    for quantity, (name, facts) in TRUTH_FILES.items():
        data = np.asarray(truth.maps[quantity])
        data = data.astype(np.uint8 if quantity in MASKS else np.float32, copy=False)
        path = folder / f"{case.key}_{name}.nii.gz"
        written += [
            write_volume(Volume(data, case.grid), path),
            write_json(beside(path, ".json"), facts),
        ]
        if quantity == "territories":
            written.append(write_label_table(beside(path, ".tsv"), quantity))
    return written


def _write_truth_table(case: Case, truth: Truth, folder: Path, seed: int) -> list[Path]:
    rows = [_truth_row(case, truth, region) for region in truth.map_ppm]
    lines = ["\t".join(rows[0]), *("\t".join(cell(v) for v in row.values()) for row in rows)]
    facts = {
        "side": truth.side,
        "core_ratio": truth.core_ratio,
        "infarct_volume_ml": truth.infarct_volume_ml,
        "seed": seed,
        "IntendedUse": INTENDED_USE,
    }
    return [
        write_text(folder / f"{case.key}_measurements.tsv", "\n".join(lines) + "\n"),
        write_json(folder / f"{case.key}_truth.json", facts),
    ]


def _truth_row(case: Case, truth: Truth, region: str) -> dict[str, Any]:
    shared, inside = truth.map_ppm, truth.intravascular_ppm
    return {
        "subject": case.subject,
        "session": case.session or None,
        "region": region,
        "side": region_side(region, truth.side),
        "n_vein_voxels": truth.n_vein_voxels[region],
        "chi_median_ppm": shared[region],
        "percent_vs_ipsilateral": _percent(shared, region, "ipsilateral_mca"),
        "percent_vs_contralateral": _percent(shared, region, "contralateral_mca"),
        "chi_intravascular_median_ppm": inside[region],
        "percent_vs_ipsilateral_intravascular": _percent(inside, region, "ipsilateral_mca"),
        "percent_vs_contralateral_intravascular": _percent(inside, region, "contralateral_mca"),
    }


def _percent(medians: Mapping[str, float], region: str, reference: str) -> float:
    return 100 * (medians[region] / medians[reference] - 1)


def _write_participants(bids_dir: Path) -> None:
    subjects = sorted(p.name for p in bids_dir.glob("sub-*") if p.is_dir())
    write_text(bids_dir / "participants.tsv", "\n".join(["participant_id", *subjects]) + "\n")
