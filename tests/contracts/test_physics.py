"""Closed forms and units: what the methods of each stage must find."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from contract_suite import physics
from contract_suite.calls import BACKGROUNDS, INVERSIONS, making, takes
from contract_suite.scene import USUAL_VOXELS

from napari_qsm_stroke.core.method import METHODS, Method

OF_QUANTITIES: dict[str, Callable[[Method], None]] = {
    "phase_offset": physics.check_phase_offset,
    "unwrapped_phase": physics.check_unwrapped,
    "total_field": physics.check_field_in_ppm,
    "r2star": physics.check_r2star,
    "swi": physics.check_dark_veins,
    "swi_slab": physics.check_slab,
    "tswi": physics.check_dark_susceptibility,
}


@pytest.mark.parametrize("name", INVERSIONS)
def test_a_ball_of_known_susceptibility_is_recovered(name: str) -> None:
    physics.check_ball(METHODS[name])


@pytest.mark.parametrize("angle", list(physics.CYLINDERS))
@pytest.mark.parametrize("name", INVERSIONS)
def test_a_cylinder_at_any_angle_is_recovered(name: str, angle: float) -> None:
    physics.check_cylinder(METHODS[name], angle)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_sources_outside_go_and_sources_inside_stay(name: str) -> None:
    physics.check_outside_sources(METHODS[name])


@pytest.mark.parametrize("grid", USUAL_VOXELS)
@pytest.mark.parametrize("name", BACKGROUNDS)
def test_background_is_taken_and_local_field_kept(name: str, grid: str) -> None:
    physics.check_head_background(METHODS[name], grid)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_constant_field_goes_without_a_trace(name: str) -> None:
    physics.check_constant(METHODS[name])


@pytest.mark.parametrize(("name", "quantity"), [(n, q) for q in OF_QUANTITIES for n in making(q)])
def test_quantities_have_their_size(name: str, quantity: str) -> None:
    OF_QUANTITIES[quantity](METHODS[name])


@pytest.mark.parametrize("name", making("phase_offset"))
def test_an_echo_without_signal_has_no_say(name: str) -> None:
    physics.check_silent_echo(METHODS[name])


@pytest.mark.parametrize("name", [n for n in making("brain") if "brain" in takes(METHODS[n])])
def test_the_brain_is_where_the_phase_is_reliable(name: str) -> None:
    physics.check_reliable_brain(METHODS[name])


@pytest.mark.parametrize(
    "name", [n for n in making("susceptibility") if "susceptibility" in takes(METHODS[n])]
)
def test_reference_is_one_constant(name: str) -> None:
    physics.check_reference(METHODS[name])
