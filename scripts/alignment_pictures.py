"""Take the docs' pictures of the Alignment dock.

    python scripts/alignment_pictures.py PROJECT [MAP] [REFUSED_MAP]

works on a copy of a finished project (`slagseg demo`) and writes docs/images/alignment_*.png.
Maps that lie badly are made for it: one that broke before it was polished, in a sample of its
own, and one of the demo's sample, which does not belong there.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QWidget

from napari_slagseg import io
from napari_slagseg.phantom import make_phantom
from napari_slagseg.phantom.defects import cracked
from napari_slagseg.phantom.presets import LEVELS
from napari_slagseg.project import Project
from napari_slagseg.registration import place_map
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.alignment_dock import AlignmentDock
from napari_slagseg.widgets.launch import (
    add_alignment_dock,
    open_project,
    settle,
)
from napari_slagseg.workflow import STEPS, run_step

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT = 1400, 1000
"""Of the window, so that its pictures need not be resized, which blurs text and doubles files."""

SEED, STEP_VOXELS = 3, 8.0
"""Of the sample with the broken map, and how far one side of its crack slipped."""

LARGEST = 300_000
COMMON_PIXELS = 6000


def save(picture: np.ndarray, name: str) -> None:
    """Write a picture at the docs' width, with all its colours.

    A large one is rounded where it is noisy, as little as is needed: with 14 levels a channel
    no colour is more than 10 of 255 off. Colours that many pixels share, those of the window and
    its legends, stay as they are; in a palette they would become those of something else.
    """
    image = Image.fromarray(picture[..., :3])
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.LANCZOS)
    exact = np.asarray(image)
    packed = exact.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
    _, of, counts = np.unique(packed, return_inverse=True, return_counts=True)
    common = (counts >= COMMON_PIXELS)[of].reshape(packed.shape)[..., None]
    path = IMAGES / f"alignment_{name}.png"
    for levels in (256, 128, 64, 32, 20, 14, 10):
        pitch = 255 / (levels - 1)
        rounded = np.rint(np.rint(exact / pitch) * pitch).astype(np.uint8)
        Image.fromarray(np.where(common, exact, rounded)).save(path, optimize=True)
        if path.stat().st_size <= LARGEST:
            return


def pixels_of(widget: QWidget) -> np.ndarray:
    """Picture (rows, columns, 3) of a widget."""
    grabbed = widget.grab().toImage()
    buffer = grabbed.bits().asarray(grabbed.sizeInBytes())
    rows = np.asarray(buffer, np.uint8).reshape(grabbed.height(), grabbed.bytesPerLine())
    bgra = rows[:, : 4 * grabbed.width()].reshape(grabbed.height(), grabbed.width(), 4)
    return bgra[..., 2::-1].copy()  # the image goes with its memory


def rest(dock: AlignmentDock) -> None:
    """Wait until the dock has drawn everything."""
    settle(0.2)
    end = time.monotonic() + 30
    while dock.latest.busy and time.monotonic() < end:
        settle(0.1)
    settle(0.5)


def main(project: str, name: str = "map_1", refused: str = "map_4") -> None:
    """Open the window on a copy and take every picture."""
    copy = Path(tempfile.mkdtemp()) / "demo"
    shutil.copytree(Path(project).parent, copy, symlinks=True)
    folder = copy / Path(project).name
    viewer = napari.Viewer()
    viewer.window.resize(WIDTH, HEIGHT)
    workflow, _ = open_project(viewer, folder)
    for layer in viewer.layers:
        layer.visible = layer.name in (layers.CT_LAYER, layers.map_layer_name(name))
    workflow.show_page("Register")
    settle(1)
    dock = add_alignment_dock(viewer)
    dock.alignment.look_at(name)
    workflow.register_page._go()
    rest(dock)
    viewer.reset_view()

    def whole(picture: str) -> None:
        rest(dock)
        save(viewer.screenshot(canvas_only=False, flash=False), picture)

    def view(which: str, picture: str, *, cutouts: bool = False) -> None:
        dock.outlined.setChecked(cutouts)
        dock.show_view(which)
        rest(dock)
        save(pixels_of(dock), picture)

    view("side", "side_by_side")
    view("checkerboard", "checkerboard")
    view("swipe", "swipe")
    view("map edges", "edges")
    view("residual", "residual")
    # real steps, so that the states can be told apart
    dock.outlined.setChecked(True)
    dock.show_view("map edges")
    dock.alignment.choose((20,))
    dock.alignment.set_states("rejected")
    dock.alignment.choose((12,))
    dock.alignment.set_states("locked")
    dock.alignment.choose((7,))
    settle(1.0)
    whole("cutouts")
    dock.alignment.choose(())
    dock.switch_3d()
    whole("3d")
    dock.switch_3d()
    # searched where it does not lie, the map is refused
    opened = workflow.session.project
    right = opened.placed_map(refused)
    at, depth = float(np.median(right.surface.zyx[..., 0])), right.ct_shape[0]
    wrong = (0.0, depth / 4) if at > depth / 2 else (3 * depth / 4, depth - 1.0)
    nothing = place_map(opened.volume(), opened.mineral_map(refused), height_window=wrong)
    with opened.writing():
        opened.save_placed(nothing)
    for layer in viewer.layers:
        layer.visible = layer.name == layers.CT_LAYER
    dock.alignment.look_at(refused)
    dock.show_view("checkerboard")
    viewer.dims.set_current_step(0, round(at))
    workflow.register_page.help.height.click()
    whole("refused")
    placed = right
    dock.landmarks.at_third.setChecked(False)
    dock.begin_landmarks()
    rows, columns = placed.map_shape
    for share in ((0.25, 0.27), (0.78, 0.3), (0.5, 0.76), (0.6, 0.5)):
        pixel = (share[0] * rows, share[1] * columns)
        dock.click(*pixel)
        off = np.array([0, 14, 0]) if share == (0.6, 0.5) else np.array([0.0, 0.6, -0.5])
        voxel = placed.surface.at(np.array(pixel[0]), np.array(pixel[1])) + off
        dock.clicks.click_ct(tuple(voxel))
        rest(dock)
    whole("landmarks")
    workflow.close()
    viewer.close()
    badly(copy)
    shutil.rmtree(copy.parent, ignore_errors=True)


def broken_sample(folder: Path, other_map: Path) -> Path:
    """A placed project with a map that broke, and one of another sample."""
    phantom = make_phantom("sample", "easy", SEED)
    broken = cracked(
        phantom.truth, phantom.maps[0], LEVELS["easy"], STEP_VOXELS, "plane",
        np.random.default_rng(1),
    )  # fmt: skip
    io.write_volume(folder / "ct.tif", phantom.ct.data, phantom.ct.voxel_size_um)
    io.write_legend(phantom.table, folder / "legend.csv")
    io.write_false_colour(broken.mineral_map, folder / "broken.png")
    shutil.copyfile(other_map, folder / "other_sample.png")
    project = Project.create(
        folder / "project",
        ct=folder / "ct.tif",
        maps=[folder / "broken.png", folder / "other_sample.png"],
        legend=folder / "legend.csv",
        pixel_size_um=broken.mineral_map.pixel_size_um,
        target=phantom.table.target,
    )
    run_step(project, STEPS["register"])
    return project.folder


def badly(copy: Path) -> None:
    """Pictures of maps that lie badly; `copy` holds the demo's sample."""
    folder = broken_sample(copy / "broken", copy / "sample" / "map_2.png")
    viewer = napari.Viewer()
    viewer.window.resize(WIDTH, HEIGHT)
    workflow, _ = open_project(viewer, folder)
    workflow.show_page("Register")
    settle(1)
    dock = add_alignment_dock(viewer)
    rest(dock)
    for layer in viewer.layers:
        layer.visible = layer.name == layers.CT_LAYER
    viewer.reset_view()
    dock.alignment.look_at("broken")
    dock.show_view("map edges")
    rest(dock)
    save(pixels_of(dock), "crack")
    panels = []
    for grade in ("good", "doubtful", "bad"):
        found = [i for i, c in enumerate(dock.alignment.placed.cutouts) if c.grade == grade]
        dock.alignment.choose(found[len(found) // 2 : len(found) // 2 + 1])
        rest(dock)
        # down to the buttons that act on the cutout
        end = dock.cutouts.buttons["accepted"]
        height = end.mapTo(dock.column, QPoint(0, end.height() + 8)).y()
        panels.append(pixels_of(dock.column)[:height])
    save(np.concatenate(panels, axis=1), "grades")
    dock.alignment.choose(())
    dock.alignment.look_at("other_sample")
    dock.show_view("checkerboard")
    rest(dock)
    save(viewer.screenshot(canvas_only=False, flash=False), "other_sample")
    workflow.close()
    viewer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
