"""Take the docs' pictures of the Alignment dock.

    python scripts/alignment_pictures.py PROJECT [MAP] [REFUSED_MAP]

works on a copy of a finished project (`slagseg demo`) and writes docs/images/alignment_*.png.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import napari
import numpy as np
from PIL import Image

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.alignment_dock import AlignmentDock
from napari_slagseg.widgets.launch import (
    add_alignment_dock,
    add_workflow_dock,
    open_project,
    settle,
)

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH = 1400


def save(picture: np.ndarray, name: str) -> None:
    """Write a picture at the docs' width with few colours, for its size."""
    image = Image.fromarray(picture[..., :3])
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.LANCZOS)
    image = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    image.save(IMAGES / f"alignment_{name}.png", optimize=True)


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
    viewer.window.resize(1500, 940)
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
        grabbed = dock.grab().toImage()
        buffer = grabbed.bits().asarray(grabbed.sizeInBytes())
        rows = np.asarray(buffer, np.uint8).reshape(grabbed.height(), grabbed.bytesPerLine())
        bgra = rows[:, : 4 * grabbed.width()].reshape(grabbed.height(), grabbed.width(), 4)
        save(bgra[..., 2::-1], picture)

    view("side", "side_by_side")
    view("checkerboard", "checkerboard")
    view("swipe", "swipe")
    view("map edges", "edges")
    view("residual", "residual")
    dock.outlined.setChecked(True)
    dock.show_view("map edges")
    dock.alignment.choose((7,))
    whole("cutouts")
    dock.alignment.choose(())
    dock.switch_3d()
    whole("3d")
    dock.switch_3d()
    add_workflow_dock(viewer)
    placed = workflow.session.project.placed_map(refused)
    if placed.placed:
        # none is refused in the sample: show what a refusal looks like
        with workflow.session.project.writing():
            workflow.session.project.save_placed(
                replace(
                    placed,
                    placed=False,
                    reason="shown as refused for this picture",
                    details={
                        **placed.details,
                        "refused_because": [{"kind": "correlation", "text": ""}],
                    },
                )
            )
    viewer.layers[layers.map_layer_name(name)].visible = False
    dock.alignment.look_at(refused)
    dock.alignment.reload()
    viewer.dims.set_current_step(0, int(np.median(placed.surface.zyx[..., 0])))
    workflow.register_page.help.height.click()
    whole("refused")
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
    shutil.rmtree(copy.parent, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
