"""One examination of one patient: frozen, so that undo is keeping the old one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_qsm_stroke.case.acquisition import Acquisition
    from napari_qsm_stroke.case.grid import Grid
    from napari_qsm_stroke.case.volume import Volume

Side = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class Case:
    """Maps of one examination, how they were acquired and what was done.

    Parameters
    ----------
    key : str
        Who and when: ``"sub-01"`` or ``"sub-01_ses-1"``.
    acquisition : Acquisition or None
        None where only finished maps were given (``measure``).
    maps : mapping of str to Volume
        By quantity name. Diffusion maps may lie on a grid of their own.
    given : frozenset of str
        Quantities that the user gave or edited: no step overwrites them.
    side : {"left", "right"} or None
        Side of the stroke where the user said it.
    history : tuple of Record
        What was done, in order.
    """

    key: str
    acquisition: Acquisition | None
    maps: Mapping[str, Volume] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    side: Side | None = None
    history: tuple[Record, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "maps", MappingProxyType(dict(self.maps)))
        object.__setattr__(self, "given", frozenset(self.given))

    @property
    def subject(self) -> str:
        """Label of the subject, without ``sub-``."""
        return self.key.split("_")[0].removeprefix("sub-")

    @property
    def session(self) -> str:
        """Label of the session, or an empty text."""
        parts = [p for p in self.key.split("_") if p.startswith("ses-")]
        return parts[0].removeprefix("ses-") if parts else ""

    @property
    def grid(self) -> Grid:
        """Grid of the gradient echo, or of the susceptibility where only that was given."""
        for name in ("magnitude", "phase", "susceptibility"):
            if name in self.maps:
                return self.maps[name].grid
        raise MissingError(self.key, "no gradient echo is loaded.", "Open magnitude and phase.")

    @property
    def b0_dir(self) -> tuple[float, float, float]:
        """Direction of the main field along the voxel axes: as typed, else that of the grid."""
        typed = self.acquisition.b0_direction if self.acquisition else None
        return self.grid.b0_dir if typed is None else typed

    def require(self, name: str) -> Volume:
        """Return the volume of that quantity.

        Raises
        ------
        MissingError
            The case has none.
        """
        try:
            return self.maps[name]
        except KeyError:
            have = ", ".join(sorted(self.maps)) or "nothing"
            raise MissingError(
                self.key, f"{name} is needed, the case has {have}.", "Run the step that makes it."
            ) from None

    def with_maps(self, record: Record, maps: Mapping[str, Volume]) -> Case:
        """Return a case with these maps added or replaced, and the record of how."""
        return replace(self, maps={**self.maps, **maps}, history=(*self.history, record))

    def with_given(self, maps: Mapping[str, Volume], note: str = "") -> Case:
        """Return a case with maps that the user gave; no step will overwrite them."""
        record = Record(
            "load",
            ", ".join(sorted(maps)),
            outputs={k: v.digest for k, v in maps.items()},
            note=note,
        )
        return replace(self.with_maps(record, maps), given=self.given | set(maps))

    def with_edit(self, name: str, volume: Volume, note: str = "") -> Case:
        """Return a case with a mask changed by hand.

        Raises
        ------
        InputError
            The mask does not lie on the grid of the case.
        """
        problem = self.grid.difference(volume.grid)
        if problem:
            raise InputError(name, f"the mask does not fit the case: {problem}.", "Edit its layer.")
        before = self.maps.get(name)
        changed = (
            int((before.data != volume.data).sum()) if before is not None else volume.data.size
        )
        record = Record(
            "edit",
            name,
            parameters={"changed_voxels": changed},
            inputs={name: before.digest} if before is not None else {},
            outputs={name: volume.digest},
            note=note,
        )
        return replace(self.with_maps(record, {name: volume}), given=self.given | {name})

    def made_by(self, name: str) -> tuple[Record, ...]:
        """Return the records of how a map came to be what it is, the first one first.

        A step may make a map besides others and not put it in the place of what was given: that
        step is not among them.
        """
        digest = self.maps[name].digest
        records = [r for r in self.history if name in r.outputs]
        last = [i for i, r in enumerate(records) if r.outputs[name] == digest]
        return tuple(records[: last[-1] + 1]) if last else tuple(records)

    def without(self, names: Iterable[str]) -> Case:
        """Return a case without these maps, free to be made anew."""
        gone = set(names)
        return replace(
            self,
            maps={k: v for k, v in self.maps.items() if k not in gone},
            given=self.given - gone,
        )

    def before_runs(self) -> Case:
        """Return the case as it was given and edited, without what runs have made of it."""
        made = {name for r in self.history if r.action == "run" for name in r.outputs}
        kept = tuple(r for r in self.history if r.action not in ("run", "skip"))
        return replace(self.without(made - self.given), history=kept)

    def with_side(self, side: Side | None) -> Case:
        """Return a case with the side of the stroke said by the user."""
        record = Record("edit", "side", parameters={"side": side})
        return replace(self, side=side, history=(*self.history, record))


def notes_of_loading(case: Case) -> tuple[str, ...]:
    """What was odd about the files of a case, one sentence or two a quantity."""
    return tuple(f"{r.what}: {r.note}" for r in case.history if r.action == "load" and r.note)
