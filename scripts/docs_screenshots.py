"""Take the pictures of the docs from a finished demo project, clicking as a user would.

Run (under a display, or with xvfb-run): python scripts/docs_screenshots.py demo/project
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari
import numpy as np
from skimage.measure import regionprops
from skimage.segmentation import find_boundaries

from napari_slagseg.segmentation import distance_watershed
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.launch import add_workflow_dock, settle, view_project
from napari_slagseg.widgets.workflow_dock import WorkflowDock


def show_only(viewer: napari.Viewer, names: set[str]) -> None:
    """Make these layers visible and hide the others."""
    for layer in viewer.layers:
        layer.visible = layer.name in names


def register(viewer: napari.Viewer, dock: WorkflowDock) -> None:
    """The first map on its cut, with its cutouts."""
    name = dock.register_page.maps.currentText()
    show_only(viewer, {layers.CT_LAYER})
    dock.register_page.thickness.setValue(9)
    dock.register_page._go()
    viewer.layers.selection.active = viewer.layers[layers.map_layer_name(name)]


def correct(viewer: napari.Viewer, dock: WorkflowDock) -> None:
    """Particles, and a stroke across the neck of the large one that looks most like two."""
    show_only(viewer, {layers.CT_LAYER, layers.PARTICLES_LAYER})
    dock.correct_page.paint()
    errors = viewer.layers[layers.ERRORS_LAYER]
    errors.brush_size = 2
    z = viewer.dims.current_step[0]
    particles = regionprops(np.asarray(viewer.layers[layers.PARTICLES_LAYER].data[z]))
    enough = np.quantile([p.area for p in particles], 0.8)
    waisted = min((p for p in particles if p.area > enough), key=lambda p: p.solidity)
    halves = distance_watershed(np.pad(waisted.image, 1)[None], h=1.0, minimum_voxels=20)[0]
    meeting = find_boundaries(halves, mode="inner") & ~find_boundaries(halves > 0, mode="inner")
    for y, x in np.argwhere(meeting) - 1 + waisted.bbox[:2]:
        errors.paint((z, y, x), 1)
    viewer.scene.camera.zoom *= 2
    viewer.scene.camera.center = [c * s for c, s in zip((z, *waisted.centroid), errors.scale)]


PAGES = {"Register": register, "Correct": correct, "Train": None, "Measure": None}


def main() -> None:
    """One picture for each page of the workflow dock."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for page in arguments.pages:
        viewer = view_project(arguments.project, block=False)
        viewer.window.resize(1600, 1000)
        dock = add_workflow_dock(viewer)
        dock.show_page(page)
        settle(2.0)
        viewer.reset_view()
        act = PAGES[page]
        if act is not None:
            act(viewer, dock)
        settle(1.0)
        path = arguments.out / f"{page.lower()}.png"
        viewer.screenshot(path=str(path), canvas_only=False, flash=False)
        dock.session.close()
        viewer.close()


if __name__ == "__main__":
    main()
