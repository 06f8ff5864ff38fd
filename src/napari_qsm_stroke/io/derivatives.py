"""A finished case as BIDS derivatives: maps, masks, tables, and how each was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.case.provenance import INTENDED_USE, software
from napari_qsm_stroke.core.quantities import EXCLUDED, LABELS
from napari_qsm_stroke.io.atomic import write_json, write_text
from napari_qsm_stroke.io.nifti import write_volume
from napari_qsm_stroke.io.sidecar import beside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_qsm_stroke.case.case import Case

BIDS_VERSION = "1.10.0"
IGNORED = (
    "*_SWI.*",
    "*_desc-fitresidual_phase.*",
    "*_desc-offsetleft_phase.*",
    "*_measurements.*",
    "*_veins.*",
    "*_report.*",
    "*_manifest.json",
    "group_*",
    ".*.part",
)
"""What BIDS does not know."""
STATISTICS = {"SkullStripped": True}


@dataclass(frozen=True)
class Product:
    """A quantity that is written, under which name and with which facts beside it."""

    quantity: str
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)


PRODUCTS = (
    Product("susceptibility", "desc-stroke_Chimap", STATISTICS),
    Product("brain", "desc-brain_mask", {"Type": "Brain"}),
    Product("veins", "desc-vein_mask", {"Type": "ROI"}),
    Product("excluded", "desc-excluded_dseg"),
    Product("infarct", "label-infarct_mask", {"Type": "Lesion"}),
    Product("territories", "desc-territories_dseg"),
    Product("r2star", "desc-stroke_R2starmap", STATISTICS),
    Product("swi", "desc-stroke_SWI", STATISTICS),
    Product("tswi", "desc-true_SWI", STATISTICS),
    Product("swi_slab", "desc-slabs_SWI", STATISTICS),
    Product("susceptibility_noise", "desc-noise_Chimap", STATISTICS),
    Product("fit_residual", "desc-fitresidual_phase", STATISTICS),
    Product("offset_left", "desc-offsetleft_phase", STATISTICS),
)

LABEL_TABLES: dict[str, dict[int, tuple[str, ...]]] = {
    "territories": {n: (f"{a} {s}", f"{a}-{s[0].upper()}") for n, (a, s) in LABELS.items()},
    "excluded": {n: (title,) for n, title in EXCLUDED.items()},
}
"""Name, and where there is one abbreviation, of each label."""


def case_folder(out_dir: Path, case: Case) -> Path:
    """Folder of a case: ``sub-01``, or ``sub-01/ses-1``."""
    return out_dir.joinpath(*case.key.split("_"))


def write_maps(case: Case, folder: Path) -> list[Path]:
    """Write every map and mask that the case has into ``folder/anat``, with sidecars.

    Returns
    -------
    list of Path
        What was written.
    """
    written = []
    for product in PRODUCTS:
        volume = case.maps.get(product.quantity)
        if volume is None:
            continue
        path = folder / "anat" / f"{case.key}_{product.name}.nii.gz"
        written.append(write_volume(volume, path))
        written.append(write_json(beside(path, ".json"), _sidecar(case, product)))
        if product.quantity in LABEL_TABLES:
            written.append(write_label_table(beside(path, ".tsv"), product.quantity))
    return written


def write_measurements(
    folder: Path,
    case: Case,
    records: Sequence[Mapping[str, Any]],
    columns: Mapping[str, tuple[str, str]],
    facts: Mapping[str, Any],
    name: str = "measurements",
) -> list[Path]:
    """Write a table, and beside it what its columns mean and how it was made.

    Parameters
    ----------
    folder : Path
        Folder of the case.
    case : Case
        What was measured.
    records : sequence of mapping
        One a row; None is written ``n/a``.
    columns : mapping of str to (str, str)
        Description and unit of each column, in their order.
    facts : mapping
        Settings, side, notes: everything about the table as a whole.
    name : str
        Of the table, as it ends the file's name.
    """
    table = folder / f"{case.key}_{name}.tsv"
    lines = ["\t".join(columns)]
    lines += ["\t".join(cell(record[c]) for c in columns) for record in records]
    dictionary: dict[str, Any] = {
        column: {"Description": text, **({"Units": unit} if unit else {})}
        for column, (text, unit) in columns.items()
    }
    dictionary["Provenance"] = {**facts, **provenance(case)}
    dictionary["IntendedUse"] = INTENDED_USE
    return [
        write_text(table, "\n".join(lines) + "\n"),
        write_json(table.with_suffix(".json"), dictionary),
    ]


def write_dataset(out_dir: Path) -> list[Path]:
    """Write what makes a folder a BIDS derivative data set."""
    description = {
        "Name": "QSM of stroke: maps, masks and vein susceptibility by territory",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [generated_by()],
        "IntendedUse": INTENDED_USE,
    }
    return [
        write_json(out_dir / "dataset_description.json", description),
        write_text(out_dir / ".bidsignore", "\n".join(IGNORED) + "\n"),
    ]


def generated_by() -> dict[str, str]:
    """Name and version of this program, as BIDS wants it."""
    return {"Name": "napari-qsm-stroke", "Version": software().napari_qsm_stroke}


def provenance(case: Case) -> dict[str, Any]:
    """How a case came to be: acquisition, steps, versions; no times, so that equals stay equal."""
    facts: dict[str, Any] = {"Software": software().as_dict(), "History": _history(case)}
    if case.acquisition is not None:
        facts["Acquisition"] = {
            "EchoTimes": list(case.acquisition.echo_times),
            "MagneticFieldStrength": case.acquisition.field_strength,
            "B0Direction": list(case.b0_dir),
            "PhaseUnit": case.acquisition.phase_unit,
            "PhaseSign": case.acquisition.phase_sign,
            "Origins": dict(case.acquisition.origins),
            "Warnings": list(case.acquisition.warnings),
        }
    if case.side:
        facts["SideGiven"] = case.side
    return facts


def _history(case: Case) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in record.as_dict().items() if k != "seconds" and v not in ({}, "", 0)}
        for record in case.history
    ]


def _sidecar(case: Case, product: Product) -> dict[str, Any]:
    volume = case.maps[product.quantity]
    makers = case.made_by(product.quantity)
    facts: dict[str, Any] = dict(product.facts)
    if volume.unit:
        facts["Units"] = "arbitrary" if volume.unit == "a.u." else volume.unit
    facts["Sources"] = _sources(case)
    facts["MadeBy"] = [f"{r.action} {r.what}" for r in makers]
    facts["GivenByUser"] = product.quantity in case.given
    facts["EditedByHand"] = any(r.action == "edit" for r in makers)
    facts["Digest"] = volume.digest
    facts["GeneratedBy"] = [generated_by()]
    facts["IntendedUse"] = INTENDED_USE
    return {**facts, **provenance(case)}


def _sources(case: Case) -> list[str]:
    files: dict[str, None] = {}
    for record in case.history:
        if record.action == "load":
            files |= dict.fromkeys(record.parameters.get("files", ()))
    return list(files)


def write_label_table(path: Path, quantity: str) -> Path:
    """Write the names of a quantity's labels as BIDS wants them."""
    names = LABEL_TABLES[quantity]
    columns = ("index", "name", "abbreviation")[: 1 + len(next(iter(names.values())))]
    lines = ["\t".join(columns), *("\t".join((str(n), *t)) for n, t in names.items())]
    return write_text(path, "\n".join(lines) + "\n")


def cell(value: Any) -> str:
    """Return one cell of a table: ``n/a`` where not measured; no text that a spreadsheet runs."""
    if value is None or value == "" or value != value:
        return "n/a"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(str(value).split())
    return f"'{text}" if isinstance(value, str) and text[0] in "=+-@" else text
