"""Layers lie where the voxels do, look like their quantity, and find back into files."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

from napari_qsm_stroke.case.grid import Grid
from napari_qsm_stroke.case.volume import Volume
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.gui import layers
from napari_qsm_stroke.gui.readers import get_reader, read_files
from napari_qsm_stroke.gui.roles import guess_role
from napari_qsm_stroke.gui.view import NEUROLOGICAL, View
from napari_qsm_stroke.gui.writers import write_map, write_mask
from napari_qsm_stroke.io.nifti import read_volume, write_volume

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATIONS = [
    "".join(codes)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for codes in itertools.product(*axes)
]


def turned(degrees: float, voxel: tuple[float, float, float]) -> np.ndarray:
    """Affine of a slab that is tilted about the x axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.diag(voxel)
    affine[:3, 3] = (-20.5, 13.25, 7.0)
    return affine


def store(volume: Volume, codes: str, path: Path) -> None:
    """Write a volume with the axes in the order of another program."""
    grid = Grid(volume.grid.shape, volume.grid.affine, codes)
    write_volume(Volume(volume.data, grid, volume.unit), path)
    assert nib.aff2axcodes(nib.load(path).affine) == tuple(codes)


def assert_same_file(saved: Path, original: Path) -> None:
    """Compare stored values to the last bit, and the affine to the rounding of its float32."""
    one, other = nib.load(saved), nib.load(original)
    assert one.header.get_data_dtype() == other.header.get_data_dtype()
    assert np.asarray(one.dataobj).tobytes() == np.asarray(other.dataobj).tobytes()
    assert np.abs(one.affine - other.affine).max() < 1e-5
    assert nib.aff2axcodes(one.affine) == nib.aff2axcodes(other.affine)


def test_all_orientations_are_tested() -> None:
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_a_mask_survives_opening_and_saving_bit_for_bit(tmp_path: Path, codes: str) -> None:
    rng = np.random.default_rng(1)
    volume = Volume(
        (rng.random((5, 6, 7)) > 0.5).astype(np.uint8), Grid((5, 6, 7), turned(17, (1, 0.9, 1.6)))
    )
    path = tmp_path / "sub-01_desc-vein_mask.nii.gz"
    store(volume, codes, path)
    reader = get_reader(str(path))
    assert reader is not None
    viewer = ViewerModel()
    ((data, attributes, kind),) = reader(str(path))
    assert kind == "labels"
    layer = viewer.add_labels(data, **attributes)
    assert layer.data.dtype == np.uint8
    saved = tmp_path / "saved.nii.gz"
    _, meta, _ = layer.as_layer_data_tuple()
    assert write_mask(str(saved), layer.data, meta) == [str(saved)]
    assert_same_file(saved, path)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR"])
def test_a_map_survives_opening_and_saving_bit_for_bit(tmp_path: Path, codes: str) -> None:
    rng = np.random.default_rng(1)
    volume = Volume(
        rng.normal(size=(5, 6, 7)).astype(np.float32), Grid((5, 6, 7), turned(17, (1, 0.9, 1.6)))
    )
    path = tmp_path / "map.nii.gz"
    store(volume, codes, path)
    ((data, attributes, kind),) = read_files(str(path))
    assert kind == "image"
    layer = ViewerModel().add_image(data, **attributes)
    write_map(str(tmp_path / "saved.nii.gz"), layer.data, layer.as_layer_data_tuple()[1])
    assert_same_file(tmp_path / "saved.nii.gz", path)


def test_a_layer_of_another_origin_is_saved_where_it_is_seen(tmp_path: Path) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4), scale=(3, 2, 1), translate=(-5, 6, 7)
    )
    _, meta, _ = layer.as_layer_data_tuple()
    write_mask(str(tmp_path / "m.nii.gz"), layer.data, meta)
    volume = read_volume(tmp_path / "m.nii.gz")
    assert (volume.data == layer.data.T).all()
    assert np.allclose(volume.grid.affine @ [1, 1, 1, 1], [8, 8, -2, 1])


def test_the_value_under_a_position_is_that_of_the_voxel_there() -> None:
    """Scanner coordinates in mm are those of the layer (S, A, R), for an upright slab."""
    rng = np.random.default_rng(2)
    affine = np.diag([0.9, 1.1, 2.0, 1.0])
    affine[:3, 3] = (-30, 11, 4)
    volume = Volume(rng.normal(size=(7, 8, 9)).astype(np.float32), Grid((7, 8, 9), affine))
    viewer = ViewerModel()
    data, attributes, _ = layers.layer_data("susceptibility", volume)
    layer = viewer.add_image(data, **attributes)
    for voxel in itertools.product((0, 3, 6), (0, 4, 7), (0, 5, 8)):
        r, a, s = (affine @ [*voxel, 1])[:3]
        viewer.dims.set_point(0, s)
        assert layer.get_value((s, a, r), world=True) == volume.data[voxel]


def test_an_oblique_slab_is_set_upright_at_its_centre() -> None:
    grid = Grid((7, 8, 9), turned(25, (0.9, 1.1, 2.0)))
    place = layers.geometry(grid)
    assert place["scale"] == pytest.approx((2.0, 1.1, 0.9))
    middle = np.array(place["translate"]) + np.array(place["scale"]) * np.array([4, 3.5, 3])
    assert middle[::-1] == pytest.approx((grid.affine @ [3, 3.5, 4, 1])[:3])
    layer = ViewerModel().add_image(np.zeros((9, 8, 7), np.float32), **place)
    assert (np.asarray(layer.affine.affine_matrix) == np.eye(4)).all()
    assert [str(u) for u in layer.units] == ["millimeter"] * 3
    assert layer.axis_labels == ("S", "A", "R")


def test_the_tilted_slab_is_written_back_with_its_tilt(tmp_path: Path) -> None:
    affine = turned(25, (0.9, 1.1, 2.0))
    volume = Volume(np.ones((7, 8, 9), np.uint8), Grid((7, 8, 9), affine))
    data, attributes, _ = layers.layer_data("veins", volume)
    write_mask(str(tmp_path / "v.nii"), data, attributes)
    assert np.allclose(read_volume(tmp_path / "v.nii").grid.affine, affine, atol=1e-5)


def test_every_look_can_be_a_layer() -> None:
    grid = Grid((4, 5, 6), np.eye(4))
    rng = np.random.default_rng(0)
    viewer = ViewerModel()
    for name, style in layers.LOOKS.items():
        data = (
            rng.integers(0, 2, grid.shape).astype(np.uint8)
            if style.kind == "labels"
            else rng.normal(size=grid.shape).astype(np.float32)
        )
        made = layers.layer_data(name, Volume(data, grid))
        layer = getattr(viewer, f"add_{made[2]}")(made[0], **made[1])
        assert layers.role(layer) == name
        if style.kind == "labels":
            assert layer.data.dtype == np.uint8
            assert layer.data.flags.writeable
            shown = layer.get_color(1)
            assert shown[3] == 1.0
            assert layer.get_color(0) is None
    assert str(viewer.layers.units[0]) == "millimeter"


def test_the_line_below_the_image_says_why_a_voxel_was_left_out() -> None:
    grid = Grid((4, 5, 6), np.eye(4))
    labels = np.zeros(grid.shape, np.uint8)
    labels[1, 2, 3] = 3
    volume = Volume(labels, grid)
    viewer = ViewerModel()
    layer = viewer.add_layer(Layer.create(*layers.layer_data("excluded", volume)))
    layer.visible = True
    viewer.dims.point = (3, 2, 1)
    assert "haemorrhage" in str(layer.get_status((3, 2, 1)))
    assert "haemorrhage" not in str(layer.get_status((3, 2, 2)))


def test_the_window_of_a_constant_or_broken_map_is_no_error() -> None:
    style = layers.look("magnitude")
    assert layers.window(np.zeros((4, 4, 4)), style) == (0.0, 1.0)
    assert layers.window(np.full((4, 4, 4), np.nan), style) == (0.0, 1.0)
    low, high = layers.window(np.full((4, 4, 4), 7.0), style)
    assert low == 7.0 < high


def test_one_echo_is_shown() -> None:
    grid = Grid((4, 5, 6), np.eye(4))
    echoes = np.arange(4 * 5 * 6 * 3, dtype=np.float32).reshape(4, 5, 6, 3)
    data, _, _ = layers.layer_data("magnitude", Volume(echoes, grid), echo=1)
    assert (data == echoes[..., 1].T).all()
    data, _, _ = layers.layer_data("magnitude", Volume(echoes, grid), echo=9)
    assert (data == echoes[..., 2].T).all()


# -- letters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plane", "expected"),
    [
        ("axial", {"top": "A", "bottom": "P", "left": "R", "right": "L"}),
        ("coronal", {"top": "S", "bottom": "I", "left": "R", "right": "L"}),
        ("sagittal", {"top": "S", "bottom": "I", "left": "A", "right": "P"}),
    ],
)
def test_letters_of_the_radiological_display(plane: str, expected: dict[str, str]) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 4, 5), np.float32))
    view = View(viewer)
    view.plane = plane
    assert view.plane == plane
    assert view.letters() == expected
    overlays = viewer.canvas.overlays
    assert {edge: overlays[f"qsm_stroke_{edge}"].text for edge in expected} == expected


def test_letters_follow_every_way_to_turn_the_canvas() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 4, 5), np.float32))
    view = View(viewer)
    overlays = viewer.canvas.overlays
    assert overlays["qsm_stroke_left"].text == "R"
    view.radiological = False
    assert overlays["qsm_stroke_left"].text == "L"
    viewer.scene.camera.orientation = ("towards", "down", "right")  # napari's own default
    assert view.letters() == {"top": "P", "bottom": "A", "left": "L", "right": "R"}
    viewer.scene.camera.orientation = NEUROLOGICAL
    viewer.dims.order = (0, 2, 1)  # as napari's transpose button does
    assert view.letters() == {"top": "R", "bottom": "L", "left": "P", "right": "A"}
    viewer.dims.ndisplay = 3
    assert set(view.letters().values()) == {""}


def test_letters_are_right_with_a_foreign_4d_layer() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((2, 3, 4, 5), np.float32))
    view = View(viewer)
    view.plane = "sagittal"
    assert viewer.dims.order == (0, 3, 1, 2)
    assert view.letters()["left"] == "A"


# -- files -----------------------------------------------------------------------------------


def test_the_reader_leaves_foreign_things_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("no image")
    assert get_reader(str(tmp_path / "a.txt")) is None
    assert get_reader(str(tmp_path / "empty")) is None
    assert get_reader(str(tmp_path / "missing")) is None
    assert get_reader([]) is None
    (tmp_path / "bids" / "sub-01").mkdir(parents=True)
    assert get_reader(str(tmp_path / "bids")) is not None
    assert get_reader([str(tmp_path / "a.nii"), str(tmp_path / "b.nii.gz")]) is not None


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("sub-01_echo-2_part-mag_MEGRE.nii.gz", "magnitude"),
        ("sub-01_echo-2_part-phase_MEGRE.nii.gz", "phase"),
        ("Mag.nii", "magnitude"),
        ("Phase.nii", "phase"),
        ("sub-01_dwi.nii.gz", "dwi"),
        ("sub-01_ADC.nii.gz", "adc"),
        ("sub-01_desc-brain_mask.nii.gz", "brain_mask"),
        ("sub-01_desc-vein_mask.nii.gz", "veins"),
        ("sub-01_label-infarct_mask.nii.gz", "infarct"),
        ("sub-01_desc-territories_dseg.nii.gz", "territories"),
        ("sub-01_desc-stroke_Chimap.nii.gz", "susceptibility"),
        ("machine.nii.gz", None),
        ("image.nii.gz", None),
    ],
)
def test_names_of_files_tell_their_role(name: str, role: str | None) -> None:
    assert guess_role(name) == role


def test_labels_that_are_no_mask_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cells.*0 to 255"):
        write_mask(str(tmp_path / "m.nii"), np.full((2, 2, 2), 300), {"name": "cells"})
    assert not (tmp_path / "m.nii").exists()


def test_the_inverse_of_an_orientation_is_used(tmp_path: Path) -> None:
    """The file of an LPS image keeps its axes: nibabel agrees without our reader."""
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    data = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "desc-vein_mask.nii.gz"
    back = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt("LPS"))
    nib.save(nib.Nifti1Image(data[::-1, ::-1], affine @ inv_ornt_aff(back, data.shape)), path)
    ((shown, attributes, _),) = read_files(str(path))
    assert (shown == data.T).all()
    write_mask(str(tmp_path / "saved.nii.gz"), shown, attributes)
    saved: Any = nib.load(tmp_path / "saved.nii.gz")
    assert nib.aff2axcodes(saved.affine) == ("L", "P", "S")
    assert (np.asarray(saved.dataobj) == data[::-1, ::-1]).all()


WITHOUT_FILTERS = """
import contextlib, warnings
import napari_qsm_stroke.gui.layers
from napari.utils.colormaps import label_colormap
warnings.catch_warnings = contextlib.nullcontext
warnings.filterwarnings = lambda *_, **__: None
label_colormap()
"""


def test_colours_of_labels_warn_of_nothing_while_kernels_are_compiled() -> None:
    """A thread that compiles may take away the filters that napari sets meanwhile."""
    command = [sys.executable, "-W", "error:Conversion:UserWarning", "-c", WITHOUT_FILTERS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
