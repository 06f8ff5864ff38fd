"""Who is who in an import: labels for persons and visits, and the key file that undoes them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.dicom import dataset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_qsm_stroke.io.dicom.acquisitions import Study
    from napari_qsm_stroke.io.dicom.scan import DicomFile


def name_visits(
    studies: Sequence[Study],
    files: Sequence[DicomFile],
    bids_dir: Path,
    key: Mapping[str, Any],
    *,
    label: str = "",
    session: str = "",
) -> dict[str, tuple[str, str]]:
    """Give each visit a subject and a session.

    Parameters
    ----------
    studies : sequence of Study
        The visits.
    files : sequence of DicomFile
        All files; their identity is asked where there is a key.
    bids_dir : path
        Subjects that it holds keep their labels.
    key : mapping
        What the key file says; persons in it keep their labels.
    label, session : str
        What the user wants, for one person or one visit.

    Raises
    ------
    InputError
        A label is asked for several, or is none.
    """
    patients: dict[str, list[Study]] = defaultdict(list)
    for study in sorted(studies, key=lambda s: s.when):
        patients[study.patient].append(study)
    if label and len(patients) > 1:
        raise InputError(
            "--participant-label",
            f"is one label for {len(patients)} persons in the folder.",
            "Leave it out, or import them one by one.",
        )
    if session and len(studies) > 1:
        raise InputError(
            "--session",
            f"is one label for {len(studies)} visits in the folder.",
            "Leave it out, or import them one by one.",
        )
    taken = dataset.subjects(bids_dir)
    names = {}
    for patient, visits in patients.items():
        known = _known(patient, files, key)
        if label:
            subject = f"sub-{dataset.check_label(label, '--participant-label')}"
        else:
            subject = known or dataset.free_label([*taken, *key])
        taken.append(subject)
        for index, visit in enumerate(visits, 1):
            visit_label = f"ses-{index}" if len(visits) > 1 else ""
            if session:
                visit_label = f"ses-{dataset.check_label(session, '--session')}"
            names[visit.key] = (subject, visit_label)
    return names


def _known(patient: str, files: Sequence[DicomFile], key: Mapping[str, Any]) -> str:
    """Label that a person has in the key file, or an empty text."""
    person = next((_person(f) for f in files if f.patient == patient), {})
    return next((label for label, said in key.items() if said.get("person") == person), "")


def _person(file: DicomFile) -> dict[str, str]:
    names = ("PatientName", "PatientID", "PatientBirthDate")
    return {name: file.identity.get(name, "") for name in names}


def extend_key(
    old: Mapping[str, Any],
    studies: Sequence[Study],
    names: Mapping[str, tuple[str, str]],
    files: Sequence[DicomFile],
) -> dict[str, Any]:
    """Return the key with who each label is, and from which series its images come."""
    key = dict(old)
    for study in studies:
        subject, session = names[study.key]
        own = [f for f in files if f.study == study.key and f.patient == study.patient]
        entry = key.setdefault(subject, {"person": _person(own[0]), "visits": {}})
        series = {f.series: dict(f.identity) for f in own}
        for found in series.values():
            for name in _person(own[0]):
                found.pop(name, None)
        folders = sorted({str(f.path.parent) for f in own})
        entry["visits"][session or "only"] = {"folders": folders, "series": list(series.values())}
    return key
