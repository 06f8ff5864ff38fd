"""One interactive case: what is open now, what was changed by hand, and the way back.

No Qt and no threads: the panels of the window and a script in a notebook drive the same object.
Hand edits are collected while the user draws, so that every stroke can be measured at once, and
become one recorded edit of the case when something is made of it (a run, an export).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_qsm_stroke.case.provenance import Record
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.core.method import get_method
from napari_qsm_stroke.errors import InputError, MissingError
from napari_qsm_stroke.pipeline.apply import MemoryStore, Store, missing
from napari_qsm_stroke.pipeline.discovery import methods
from napari_qsm_stroke.pipeline.measure import MeasureSettings, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_qsm_stroke.case.case import Case, Side
    from napari_qsm_stroke.core.method import Method
    from napari_qsm_stroke.pipeline.measure import Measurements
    from napari_qsm_stroke.pipeline.recipe import Recipe

EDITABLE = ("veins", "infarct", "brain", "territories")
"""Masks that a reader corrects by hand."""
MEASURED = ("susceptibility", "veins", "infarct", "territories")
"""Maps that the table of measurements is made of."""
UNDO_LIMIT = 30


class Session:
    """The case that is open, with undo.

    Parameters
    ----------
    store : Store, optional
        Keeps results, so that a changed parameter recomputes only what follows it.

    Attributes
    ----------
    changed : Signal
        Emitted with the names of what is new: quantities, ``"case"`` (another case was opened),
        ``"side"``, ``"settings"`` and ``"measurements"``.
    """

    changed = Signal(frozenset)

    def __init__(self, store: Store | None = None) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self._case: Case | None = None
        self._edits: dict[str, Volume] = {}
        self._proposals: dict[str, Volume] = {}
        self._past: list[Case] = []
        self._future: list[Case] = []
        self._settings = MeasureSettings()
        self._measurements: Measurements | None = None

    # -- what is open ------------------------------------------------------------------------

    @property
    def case(self) -> Case | None:
        """The case with every hand edit of it, recorded or not yet."""
        if self._case is None or not self._edits:
            return self._case
        return replace(
            self._case,
            maps={**self._case.maps, **self._edits},
            given=self._case.given | set(self._edits),
        )

    @property
    def edited(self) -> frozenset[str]:
        """Masks with hand edits that are not recorded yet."""
        return frozenset(self._edits)

    @property
    def measurements(self) -> Measurements | None:
        """The table as measured last, or None where nothing was measured."""
        return self._measurements

    @measurements.setter
    def measurements(self, value: Measurements | None) -> None:
        self._measurements = value
        self.changed.emit(frozenset({"measurements"}))

    @property
    def settings(self) -> MeasureSettings:
        """How the table is measured."""
        return self._settings

    @settings.setter
    def settings(self, value: MeasureSettings) -> None:
        if value != self._settings:
            self._settings = value
            self.changed.emit(frozenset({"settings"}))

    def open(self, case: Case) -> None:
        """Open another case; what was done to the last one is forgotten."""
        self._case = case
        self._edits.clear()
        self._proposals.clear()
        self._past.clear()
        self._future.clear()
        self._measurements = None
        self._keep_proposals(case)
        self.changed.emit(frozenset({"case", "side", "measurements", *case.maps}))

    def require(self) -> Case:
        """Return the open case with every hand edit recorded.

        Raises
        ------
        MissingError
            No case is open.
        """
        if self._case is None:
            raise MissingError("Case", "none is open.", "Open a case first.")
        self.settle()
        return self._case

    # -- changes -----------------------------------------------------------------------------

    def commit(self, case: Case) -> None:
        """Take a new state of the open case, e.g. the result of a run.

        Edits drawn meanwhile stay on top of it.
        """
        before = self._case
        if before is None or before.key != case.key:
            self.open(case)
            return
        self._remember(before)
        self._take(case)

    def undo(self) -> bool:
        """Go back to the state before the last commit; tell whether there was one."""
        self.settle()
        if not self._past or self._case is None:
            return False
        self._future.append(self._case)
        self._take(self._past.pop())
        return True

    def redo(self) -> bool:
        """Take back the last undo; tell whether there was one."""
        if not self._future or self._case is None or self._edits:
            return False
        self._past.append(self._case)
        self._take(self._future.pop())
        return True

    def edit(self, name: str, array: NDArray[np.uint8]) -> bool:
        """Take a mask as it is after a stroke; tell whether it differs from what is known.

        Parameters
        ----------
        name : str
            Quantity of the mask.
        array : ndarray of shape (X, Y, Z)
            Is copied: the caller may go on drawing in it.

        Raises
        ------
        MissingError
            No case is open.
        InputError
            The mask has another shape than the case.
        """
        if self._case is None:
            raise MissingError("Case", "none is open.", "Open a case first.")
        grid = self._case.grid
        if array.shape != grid.shape:
            raise InputError(
                name,
                f"the mask has shape {array.shape}, the case {grid.shape}.",
                "Draw on the mask's own layer.",
            )
        known = self._edits.get(name) or self._case.maps.get(name)
        if not array.any() if known is None else np.array_equal(known.data.T, array.T):
            return False
        copied = np.array(array, dtype=np.uint8, order="K")
        self._edits[name] = Volume(copied, grid, source=f"{self._case.key} {name}, edited")
        self._future.clear()
        self.changed.emit(frozenset({name}))
        return True

    def settle(self) -> None:
        """Record the hand edits drawn so far as edits of the case."""
        if self._case is None or not self._edits:
            return
        case = self._case
        for name, volume in self._edits.items():
            in_order = np.ascontiguousarray(volume.data)  # of other maps: compared in one pass
            case = case.with_edit(name, volume.with_data(in_order))
        self._edits.clear()
        self._remember(self._case)
        self._case = case

    def accept(self, name: str) -> None:
        """Take a proposed mask as it is: no later run replaces it."""
        case = self.require()
        if name not in case.given:
            self.commit(case.with_edit(name, case.require(name), note="accepted as proposed"))

    def reset(self, name: str) -> None:
        """Go back to the mask that the program proposed.

        Raises
        ------
        MissingError
            The program has made no such mask for this case.
        """
        case = self.require()
        if name not in self._proposals:
            raise MissingError(name, "nothing was proposed.", "Reconstruct the case first.")
        proposal = self._proposals[name]
        record = Record(
            "edit",
            name,
            inputs={name: case.maps[name].digest} if name in case.maps else {},
            outputs={name: proposal.digest},
            note="back to the proposal",
        )
        back = case.with_maps(record, {name: proposal})
        self.commit(replace(back, given=back.given - {name}))

    def can_reset(self, name: str) -> bool:
        """Tell whether there is a proposal that the mask differs from."""
        case = self.case
        return case is not None and name in self._proposals and name in case.given

    def set_side(self, side: Side | None) -> None:
        """Say which side the stroke is on; None leaves it to the program."""
        case = self.require()
        if side != case.side:
            self._remember(case)
            self._case = case.with_side(side)
            self.changed.emit(frozenset({"side"}))

    def measure(self) -> Measurements:
        """Measure the open case with its edits and keep the table."""
        case = self.require()
        self.measurements = measure(case, self._settings)
        assert self._measurements is not None
        return self._measurements

    # -- what can be done --------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Tell whether ``undo`` would change something."""
        return bool(self._past or self._edits)

    @property
    def can_redo(self) -> bool:
        """Tell whether ``redo`` would change something."""
        return bool(self._future) and not self._edits

    def can_run(self, what: str | Recipe) -> str | None:
        """Return why a method or a recipe cannot run on the open case, or None where it can."""
        case = self.case
        if case is None:
            return "Open a case first."
        methods()
        if isinstance(what, str):
            lacks = missing(case, get_method(what))
            return f"{what} needs {', '.join(lacks)}." if lacks else None
        start = case.before_runs()
        have = set(start.maps)
        for step in what.steps:
            method = get_method(step.method)
            lacks = [name for name in missing(start, method) if name not in have]
            outputs = {q.name for q in method.outputs}
            if not lacks:
                have |= outputs
            elif not step.optional and not outputs <= start.given:
                return f"{step.method} needs {', '.join(lacks)}, which nothing before it makes."
        return None

    def can_measure(self) -> str | None:
        """Return why the table cannot be measured, or None where it can."""
        case = self.case
        if case is None:
            return "Open a case first."
        lacks = [name for name in MEASURED if name not in case.maps]
        if not lacks:
            return None
        what = {"infarct": "the infarct core: add DWI, or draw it"}
        return "Still missing: " + ", ".join(what.get(n, n) for n in lacks) + "."

    # -- inner -------------------------------------------------------------------------------

    def _take(self, case: Case) -> None:
        before = self._case
        self._case = case
        self._keep_proposals(case)
        old = {} if before is None else before.maps
        names = {n for n in {*old, *case.maps} if old.get(n) is not case.maps.get(n)}
        if before is None or before.side != case.side:
            names.add("side")
        self.changed.emit(frozenset(names))

    def _remember(self, case: Case) -> None:
        self._past.append(case)
        del self._past[:-UNDO_LIMIT]
        self._future.clear()

    def _keep_proposals(self, case: Case) -> None:
        for name in EDITABLE:
            if name in case.maps and name not in case.given:
                self._proposals[name] = case.maps[name]


def alternatives(recipe: Recipe, index: int) -> list[Method]:
    """Methods that can stand in for one step of a recipe: the same outputs from what is there.

    A method that improves a map (takes what it gives) stands in only for another such method, and
    one that the recipe uses elsewhere is left out.
    """
    known = methods()
    used = get_method(recipe.steps[index].method)
    made = {q.name for s in recipe.steps for q in get_method(s.method).outputs}
    before = {q.name for s in recipe.steps[:index] for q in get_method(s.method).outputs}
    elsewhere = {s.method for i, s in enumerate(recipe.steps) if i != index}

    def improves(method: Method) -> bool:
        outputs = {q.name for q in method.outputs}
        return any(a.source.name in outputs for a in method.inputs)

    def available(method: Method) -> bool:
        needs = {a.source.name for a in method.inputs if not a.optional}
        return all(name in before or name not in made for name in needs)

    found = [
        m
        for m in known.values()
        if m.outputs == used.outputs
        and improves(m) == improves(used)
        and m.name not in elsewhere
        and (m is used or available(m))
    ]
    return sorted(found, key=lambda m: (m is not used, not m.recommended, m.name))
