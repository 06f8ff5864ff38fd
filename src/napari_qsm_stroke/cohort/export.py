"""A finished case to files: written aside, moved in place, the manifest last."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.case.provenance import INTENDED_USE, software
from napari_qsm_stroke.cohort.manifest import Job, file_hash, manifest_path, read_manifest
from napari_qsm_stroke.core.measure.table import COLUMNS
from napari_qsm_stroke.io.atomic import together, write_json
from napari_qsm_stroke.io.derivatives import (
    case_folder,
    write_dataset,
    write_maps,
    write_measurements,
)
from napari_qsm_stroke.pipeline.veins import VEIN_COLUMNS, graph_of, vein_records, with_calibre
from napari_qsm_stroke.report.case_report import write_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_qsm_stroke.case.case import Case
    from napari_qsm_stroke.pipeline.measure import Measurements


def export(
    case: Case, measurements: Measurements, out_dir: str | Path, job: Job | None = None
) -> list[Path]:
    """Write every file of a finished case: maps, masks, table, report, and last the manifest.

    All files are made in a folder aside and then moved in place one by one; Ctrl-C waits until they
    are. Without a manifest that fits its files a case does not count as done, so a kill at any time
    leaves no half result that looks whole. Files of an earlier export that are no longer made are
    taken away; files that this program did not write are left alone.

    Parameters
    ----------
    case : Case
        With all steps done.
    measurements : Measurements
        Of this case.
    out_dir : path
        Folder of the BIDS derivatives.
    job : Job, optional
        What was asked for and from which files, for the manifest.

    Returns
    -------
    list of Path
        Every file of the case, the manifest last.

    Raises
    ------
    OSError
        The folder cannot be written; no file is left half written.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    folder = case_folder(out_dir, case)
    with tempfile.TemporaryDirectory(prefix=".export.", suffix=".part", dir=out_dir) as aside:
        made = _write_all(case, measurements, Path(aside))
        hashes = {path.relative_to(aside).as_posix(): file_hash(path) for path in made}
        facts = _facts(case, measurements, job or Job(), hashes)
        manifest = manifest_path(out_dir, case.key)
        before = read_manifest(out_dir, case.key)
        with together():
            manifest.unlink(missing_ok=True)
            for name in hashes:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                (Path(aside) / name).replace(target)
            for name in set(before.get("outputs", {})) - set(hashes):
                (folder / name).unlink(missing_ok=True)
            write_dataset(out_dir)
            write_json(manifest, facts)
    return [*(folder / name for name in hashes), manifest]


def _facts(
    case: Case, measurements: Measurements, job: Job, outputs: Mapping[str, str]
) -> dict[str, Any]:
    """What the manifest says."""
    return {
        "subject": case.subject,
        "session": case.session,
        "status": "done",
        **job.as_dict(),
        "warnings": list(case.acquisition.warnings) if case.acquisition else [],
        "notes": list(measurements.notes),
        "steps": [
            {"step": r.what, "action": r.action, "seconds": r.seconds, "note": r.note}
            for r in case.history
        ],
        "software": software().as_dict(),
        "outputs": dict(sorted(outputs.items())),
        "IntendedUse": INTENDED_USE,
    }


def _write_all(case: Case, measurements: Measurements, folder: Path) -> list[Path]:
    facts: dict[str, Any] = {
        "Settings": measurements.settings.as_dict(),
        "Side": measurements.side,
        "SideOrigin": measurements.side_origin,
        "Reference": measurements.reference,
        "InfarctVolumeMl": measurements.infarct_volume_ml,
        "Notes": list(measurements.notes),
    }
    graph = graph_of(case, measurements.settings)
    veins: list[Path] = []
    if graph is not None:
        measurements = with_calibre(case, graph, measurements)
        records = vein_records(case, graph, measurements)
        veins = write_measurements(folder, case, records, VEIN_COLUMNS, facts, "veins")
    return [
        *write_maps(case, folder),
        *write_measurements(folder, case, measurements.records(), COLUMNS, facts),
        *veins,
        *write_report(case, measurements, folder),
    ]
