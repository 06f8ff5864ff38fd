"""Who was examined stays behind: in no byte of the output, no message, no log, no traceback."""

from __future__ import annotations

import gzip
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from tests.io.dicom.synthetic import Visit, magnitude, phase, siemens, twelve_bits

from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.io.dicom import importer

PLANTED = {
    "PatientName": "Zwingli^Huldrych",
    "PatientID": "PID7734512",
    "PatientBirthDate": "19310817",
    "OtherPatientIDs": "ALT9981234",
    "PatientAddress": "Kirchgasse 77",
    "PatientComments": "Neighbour of Bullinger",
    "PatientTelephoneNumbers": "0445551234",
    "EthnicGroup": "Toggenburger",
    "Occupation": "Leutpriester",
    "AccessionNumber": "ACC4455667",
    "StudyID": "SID88231",
    "StudyDescription": "Kopf Reinhart",
    "SeriesDescription": "gre Zwingliana",
    "ProtocolName": "proto Amerbach",
    "ImageComments": "seen by Vadian",
    "InstitutionName": "Spital Wildhaus",
    "InstitutionAddress": "Lisighaus 12",
    "ReferringPhysicianName": "Jud^Leo",
    "OperatorsName": "Oekolampad",
    "PerformingPhysicianName": "Pellikan",
    "StationName": "MRC35131",
    "DeviceSerialNumber": "SER67093",
    "ManufacturerModelName": "Prisma Grossmuenster",
    "SoftwareVersions": "syngo Froschauer",
    "SequenceName": "*fl3d Myconius",
    "RequestedProcedureDescription": "Kappel 1531",
    "StudyDate": "20191123",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.77341",
}
PRIVATE = ("Anna Reinhart privat", "KVNR 756.9217.0769.85")
IN_NAMES = ("Bibliander_Theodor", "geb19330102")
SECRETS = [
    part
    for text in (*PLANTED.values(), *PRIVATE, *IN_NAMES)
    for part in (text, text.split("^")[0], text.split("^")[-1], *text.split()[1:])
    if len(part) > 2 and part not in ("privat", "Prisma", "by", "of")
]


def planted(folder: Path, **more: Any) -> Path:
    """A Siemens scan with a secret in every place that can hold one."""
    place = folder / IN_NAMES[0]
    scanner = Visit(place)
    scanner.day = PLANTED["StudyDate"]
    facts: dict[str, Any] = {
        "names": f"{IN_NAMES[1]}_{{:04d}}.dcm", **PLANTED, "SeriesDescription": "gre", **more
    }  # fmt: skip
    facts["SeriesDescription"] = PLANTED["SeriesDescription"]
    scanner.series(5, magnitude(20), types=["ORIGINAL", "PRIMARY", "M", "ND"], **facts)
    scanner.series(6, twelve_bits(phase(20)), types=["ORIGINAL", "PRIMARY", "P"], **facts)
    for path in place.iterdir():
        data = pydicom.dcmread(path)
        for group in (0x0029, 0x0051):
            data.add_new((group, 0x0010), "LO", PRIVATE[0])
            data.add_new((group, 0x1008), "LO", PRIVATE[1])
        data.add_new(0x00290011, "LO", "SIEMENS CSA HEADER")
        data.add_new(0x00291120, "OB", PRIVATE[0].encode())
        data.save_as(path)
    return folder


def searched(*texts: str | bytes) -> list[str]:
    whole = "\n".join(t.decode("latin-1") if isinstance(t, bytes) else t for t in texts)
    return sorted({secret for secret in SECRETS if secret.lower() in whole.lower()})


def written(folder: Path) -> bytes:
    """All bytes of all files and their names, unpacked."""
    found = []
    for path in folder.rglob("*"):
        found.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            content = path.read_bytes()
            found.append(content)
            if path.suffix == ".gz":
                found.append(gzip.decompress(content))
    return b"\n".join(found)


def test_nothing_planted_is_written_or_said(tmp_path: Path, capfd, caplog):
    source = planted(tmp_path / "in")
    assert len(PLANTED) + len(PRIVATE) + len(IN_NAMES) >= 30
    assert searched(*(p.read_bytes() for p in source.rglob("*.dcm")))
    out = tmp_path / "out"
    assert main(["import", str(source), str(out)]) == 0
    shown = capfd.readouterr()
    assert "sub-01_part-phase" in shown.out
    assert searched(shown.out, shown.err, caplog.text, written(out)) == []
    assert '"Prisma"' in (out / "sub-01/anat/sub-01_part-mag_T2starw.json").read_text()


@pytest.mark.parametrize("harm", ["cut", "crash", "lost", "folder", "gone"])
def test_nothing_planted_is_said_when_it_fails(
    harm: str, tmp_path: Path, capfd, caplog, monkeypatch
):
    source = planted(tmp_path / "in")
    victim = sorted(source.rglob("*.dcm"))[3]
    if harm == "cut":
        victim.write_bytes(victim.read_bytes()[:-200])
    if harm == "lost":
        victim.unlink()
    if harm == "crash":

        def crash(*_: object) -> None:
            raise KeyError(PLANTED["PatientName"], str(victim))

        monkeypatch.setattr(importer, "make_stacks", crash)
    if harm == "folder":
        source = source / IN_NAMES[0] / "nothing"
    if harm == "gone":

        def gone(*_: object, **__: object) -> None:
            raise FileNotFoundError(2, "No such file or directory", str(victim))

        monkeypatch.setattr(importer, "scan", gone)
    code = main(["import", str(source), str(tmp_path / "out")])
    assert code == (1 if harm in ("crash", "gone") else 3)
    shown = capfd.readouterr()
    assert searched(shown.out, shown.err, caplog.text) == []
    assert not (tmp_path / "out").exists()
    assert shown.err


def test_a_key_file_only_on_request_and_apart(tmp_path: Path, capfd):
    source, out, key = planted(tmp_path / "in"), tmp_path / "out", tmp_path / "key.json"
    assert main(["import", str(source), str(out), "--key-file", str(out / "key.json")]) == 3
    assert "Keep it apart" in capfd.readouterr().err
    assert main(["import", str(source), str(out), "--key-file", str(key)]) == 0
    assert searched(written(out), *capfd.readouterr()) == []
    said = json.loads(key.read_text())
    assert said["sub-01"]["person"]["PatientID"] == PLANTED["PatientID"]
    visit = said["sub-01"]["visits"]["only"]
    assert [s["SeriesNumber"] for s in visit["series"]] == ["5", "6"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_known_person_keeps_the_label(tmp_path: Path):
    key, out = tmp_path / "key.json", tmp_path / "out"
    siemens(tmp_path / "other", echoes=1, person_id="2")
    line = ["--key-file", str(key), "--session"]
    assert main(["import", str(planted(tmp_path / "in")), str(out), *line, "1"]) == 0
    assert main(["import", str(tmp_path / "other"), str(out), *line, "1"]) == 0
    later = planted(tmp_path / "later")
    for path in later.rglob("*.dcm"):
        data = pydicom.dcmread(path)
        data.StudyInstanceUID = "1.2.77"
        data.PixelData = np.frombuffer(data.PixelData, "<u2")[::-1].tobytes()
        data.save_as(path)
    assert main(["import", str(later), str(out), *line, "2"]) == 0
    assert sorted(p.name for p in out.glob("sub-*/ses-*")) == ["ses-1", "ses-1", "ses-2"]
    assert (out / "sub-01" / "ses-2").is_dir()
