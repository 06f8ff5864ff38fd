"""What is unusual about an acquisition, in short sentences for the user."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_qsm_stroke.case.grid import Grid

HEAD_MM = (120.0, 120.0, 60.0)
"""A field of view below this cuts the head or shows only a slab."""
VEIN_VOXEL_MM = 2.0
OBLIQUE_DEGREES = 1.0
LONGEST_FIRST_ECHO_S = 0.012
SHORTEST_LAST_ECHO_TS = 0.045
"""Echo time times field strength (T s): 15 ms at 3 T."""


def unusual(grid: Grid, echo_times: tuple[float, ...], field_strength: float) -> tuple[str, ...]:
    """Name everything about the acquisition that numbers should be read with.

    Parameters
    ----------
    grid : Grid
        Of the gradient echo.
    echo_times : tuple of float
        In seconds.
    field_strength : float
        In tesla.
    """
    return (*_of_echoes(echo_times, field_strength), *_of_grid(grid), *_of_field(field_strength))


def _of_echoes(times: tuple[float, ...], field_strength: float) -> Iterator[str]:
    if len(times) == 1:
        yield "Single echo: no phase offset can be taken off and no R2* made."
    if len(times) == 2:
        yield "Dual echo: phase offset, R2* and field noise rest on two points."
    if len(times) > 1 and times[0] > LONGEST_FIRST_ECHO_S:
        yield f"First echo late ({times[0] * 1e3:.1f} ms): unwrapping may fail near air."
    if times[-1] * field_strength < SHORTEST_LAST_ECHO_TS:
        yield f"Last echo early ({times[-1] * 1e3:.1f} ms): little contrast of veins, noisy map."
    gaps = [b - a for a, b in itertools.pairwise(times)]
    if gaps and max(gaps) > 1.05 * min(gaps):
        yield "Echoes are not evenly spaced."


def _of_grid(grid: Grid) -> Iterator[str]:
    size = " x ".join(f"{s:.2g}" for s in grid.voxel_size)
    if max(grid.voxel_size) > VEIN_VOXEL_MM:
        yield f"Coarse voxels ({size} mm): vein susceptibility is averaged with the tissue around."
    if grid.obliquity_degrees > OBLIQUE_DEGREES:
        yield f"Oblique slab ({grid.obliquity_degrees:.1f} degrees): B0 is not along a voxel axis."
    extent = [n * s for n, s in zip(grid.shape, grid.voxel_size, strict=True)]
    if any(e < head for e, head in zip(extent, HEAD_MM, strict=True)):
        shown = " x ".join(f"{e:.0f}" for e in extent)
        yield (
            f"Small field of view ({shown} mm): less than a head; background field removal, "
            "brain mask and territories are unreliable."
        )


def _of_field(field_strength: float) -> Iterator[str]:
    if not 2.8 <= field_strength <= 3.2:
        yield f"Field strength {field_strength:g} T: methods were tuned at 3 T."
