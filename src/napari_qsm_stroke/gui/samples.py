"""File > Open Sample: the simulated patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.viewer import current_viewer

from napari_qsm_stroke.gui.app import open_workspace
from napari_qsm_stroke.gui.layers import layer_data
from napari_qsm_stroke.gui.workbench import wait_for
from napari_qsm_stroke.pipeline.simulate import simulate

if TYPE_CHECKING:
    from napari_qsm_stroke.core.progress import Progress

QUICK_VOXEL = (2.0, 2.0, 2.0)
Layers = list[tuple[Any, dict[str, Any], str]]


def simulated_patient() -> Layers:
    """Simulate a stroke patient at 1 mm with five echoes; about a minute."""
    return _simulated()


def quick_patient() -> Layers:
    """Simulate the same patient with voxels of 2 mm: seconds, for a first look."""
    return _simulated(voxel_size=QUICK_VOXEL)


def _simulated(**options: Any) -> Layers:
    """Raw images as layers; the case travels with them, so that the docks take it up."""

    def work(progress: Progress) -> Any:
        return simulate(seed=1, **options, progress=progress)[0]

    viewer = current_viewer()
    if viewer is not None:
        open_workspace(viewer)  # shows the progress, and what to do next
    case = wait_for("Simulate a patient", work)
    return [layer_data(name, case.maps[name], case=case) for name in ("magnitude", "phase")]
