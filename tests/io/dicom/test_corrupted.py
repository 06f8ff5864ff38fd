"""Damaged DICOM files give our error or a valid image: no hang, no crash, no other exception."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.io.dicom.synthetic import Visit, ge, magnitude, phase, siemens, twelve_bits

from napari_qsm_stroke.core.progress import silent
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.bids import find_cases
from napari_qsm_stroke.io.dicom import importer, scan
from napari_qsm_stroke.io.dicom.importer import import_dicom
from napari_qsm_stroke.io.load import load_files

LONGEST_S = 60.0


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One of several kinds of damage, most of it in the header."""
    data = bytearray(content)
    start, end = 132, len(data)
    header = max(200, data.find(b"\xe0\x7f\x10\x00"))
    end = header + 12 if rng.random() < 0.8 else end
    kind = rng.integers(7)
    at = int(rng.integers(start, end))
    if kind == 0:
        for _ in range(int(rng.integers(1, 4))):
            data[int(rng.integers(start, end))] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        for _ in range(int(rng.integers(1, 30))):
            data[int(rng.integers(start, end))] = int(rng.integers(256))
    elif kind == 2:
        del data[int(rng.integers(0, len(data))) :]
    elif kind == 3:
        data[at : at + 4] = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f")[rng.integers(3)]
    elif kind == 4:
        del data[at : at + int(rng.integers(1, 64))]
    elif kind == 5:
        data[at:at] = rng.bytes(int(rng.integers(1, 64)))
    else:
        other = int(rng.integers(start, end))
        data[at : at + 32] = data[other : other + 32]
    return bytes(data)


def scans(folder: Path) -> list[Path]:
    """Whole scans of several kinds."""
    siemens(folder / "siemens", echoes=1)
    ge(folder / "ge", echoes=1, parts=True)
    scanner = Visit(folder / "enhanced", maker="Philips")
    scanner.enhanced(7, [("M", 4.0, magnitude(4)), ("P", 4.0, twelve_bits(phase(4)))])
    return sorted(folder.iterdir())


@pytest.mark.parametrize("seed", range(9000, 9003))
def test_damaged_files_from_end_to_end(seed: int, tmp_path: Path):
    rng = np.random.default_rng(seed)
    folder = scans(tmp_path / "in")[seed % 3]
    victim = rng.choice(sorted(folder.iterdir()))
    victim.write_bytes(mutated(victim.read_bytes(), rng))
    attempt(folder, tmp_path / "out")


def attempt(folder: Path, out: Path) -> str:
    """Import; return what came of it."""
    began = time.monotonic()
    try:
        import_dicom(folder, out)
    except InputError as error:
        refused = error
    else:
        refused = None
    assert time.monotonic() - began < LONGEST_S
    if refused is not None:
        assert not out.exists() or not list(out.iterdir())
        assert refused.what
        assert refused.remedy
        return "refused"
    for files in find_cases(out):
        case = load_files(files)
        for volume in case.maps.values():
            assert np.isfinite(volume.data).all()
        assert abs(np.linalg.det(case.grid.affine)) > 0
    return "imported"


def many(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Damage ``count`` files; their headers are read in a few processes, for speed."""
    folders = scans(tmp_path / "in")
    whole = {folder: scan.scan(folder, silent) for folder in folders}
    found: Counter[str] = Counter()
    seeds = iter(range(9100, 9100 + count))
    while batch := list(itertools.islice(seeds, 100)):
        paths, homes = [], []
        for seed in batch:
            rng = np.random.default_rng(seed)
            folder = folders[seed % len(folders)]
            index = int(rng.integers(len(whole[folder].files)))
            path = tmp_path / "damaged" / f"{seed}.dcm"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(mutated(whole[folder].files[index].path.read_bytes(), rng))
            paths.append(path)
            homes.append((folder, index))
        for seed, path, record, (folder, index) in zip(
            batch, paths, scan._read(paths, silent, False), homes, strict=True
        ):
            if record.get("fault"):
                found[str(record["fault"])] += 1
                continue
            files = list(whole[folder].files)
            record["patient"], record["study"] = files[0].patient, files[0].study
            if record["series"]:
                record["series"] = files[index].series
            files[index] = scan._file(path, {**record, "index": index})
            result = scan.Scan(tuple(files), 0)
            monkeypatch.setattr(importer, "scan", lambda *_, _r=result, **__: _r)
            found[attempt(folder, tmp_path / "out" / str(seed))] += 1
            path.unlink()
    return found


def test_many_damaged_files(tmp_path: Path, monkeypatch):
    found = many(36, tmp_path, monkeypatch)
    assert sum(found.values()) == 36
    assert found["imported"] > 0


@pytest.mark.long
def test_three_thousand_damaged_files(tmp_path: Path, monkeypatch):
    found = many(3000, tmp_path, monkeypatch)
    print(dict(found))
    assert sum(found.values()) == 3000


def test_a_file_that_kills_or_hangs_the_reader_is_named(tmp_path: Path, monkeypatch):
    siemens(tmp_path / "in", echoes=1)
    bad = sorted((tmp_path / "in").iterdir())[2]
    program = (
        "import json, sys, time\n"
        "request = json.loads(sys.stdin.readline())\n"
        "for index, name in request['files']:\n"
        f"    if name == {str(bad)!r}:\n"
        "        {}\n"
        "    print(json.dumps({{'index': index, 'fault': 'other'}}), flush=True)\n"
    )
    monkeypatch.setattr(scan, "PATIENCE_S", 1.0)
    for harm, word in (("import os; os.abort()", "fails"), ("time.sleep(600)", "longer than")):
        code = program.replace("        {}\n", f"        {harm}\n").replace("{{", "{")
        monkeypatch.setattr(scan, "READER", ("-c", code.replace("}}", "}")))
        with pytest.raises(InputError, match=word) as refused:
            import_dicom(tmp_path / "in", tmp_path / "out")
        assert "File 3 of 20" in str(refused.value)
