"""Results on disk: what is kept comes back, what is damaged counts as not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_qsm_stroke import Case, Grid, Volume
from napari_qsm_stroke.io.store import DiskStore
from napari_qsm_stroke.pipeline.apply import apply

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789abcdef"


def kept() -> dict[str, Volume]:
    rng = np.random.default_rng(0)
    grid = Grid((4, 5, 6), np.diag([1, 2, 3, 1.0]), "LPS")
    return {
        "susceptibility": Volume(rng.normal(0, 1, (4, 5, 6)).astype(np.float32), grid, "ppm", "x"),
        "phase": Volume(rng.normal(0, 1, (4, 5, 6, 2)).astype(np.float32), grid, "rad"),
        "brain": Volume(np.ones((4, 5, 6), np.uint8), grid),
    }


def test_what_is_kept_comes_back(tmp_path: Path):
    DiskStore(tmp_path / "work").put(KEY, kept())
    found = DiskStore(tmp_path / "work").get(KEY)
    assert found is not None
    assert list(found) == list(kept())
    for name, volume in kept().items():
        assert found[name].digest == volume.digest
        assert found[name].unit == volume.unit
        assert found[name].grid.stored_as == "LPS"
        assert found[name].data.dtype == volume.data.dtype
    assert DiskStore(tmp_path / "work").get("f" * 16) is None


@pytest.mark.parametrize("name", ["entry.json", "susceptibility.npy", "brain.npy"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_entry_counts_as_not_there_and_can_be_kept_again(name, damage, tmp_path: Path):
    store = DiskStore(tmp_path)
    store.put(KEY, kept())
    path = next(tmp_path.rglob(name))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-5] if damage == "cut" else content)
    assert store.get(KEY) is None
    store.put(KEY, kept())
    assert store.get(KEY) is not None


def test_a_pickle_is_never_opened(tmp_path: Path):
    store = DiskStore(tmp_path)
    store.put(KEY, kept())
    np.save(next(tmp_path.rglob("brain.npy")), np.array([{"a": 1}], object), allow_pickle=True)
    assert store.get(KEY) is None


def test_a_full_disk_leaves_no_entry(tmp_path: Path, monkeypatch):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_qsm_stroke.io.store.np.save", full)
    with pytest.raises(OSError, match="No space"):
        DiskStore(tmp_path).put(KEY, kept())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert DiskStore(tmp_path).get(KEY) is None


def test_a_step_is_not_computed_twice(small_case: Case, tmp_path: Path):
    store = DiskStore(tmp_path)
    first = apply(small_case, "r2star_fit", store=store)
    kept_entries = sorted(tmp_path.rglob("entry.json"))
    times = [p.stat().st_mtime_ns for p in kept_entries]
    again = apply(small_case, "r2star_fit", store=DiskStore(tmp_path))
    assert again.maps["r2star"].digest == first.maps["r2star"].digest
    assert [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("entry.json"))] == times
    assert len(kept_entries) == 1
