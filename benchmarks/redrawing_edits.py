"""Time from asking for an edit until the canvas shows it, in slices and in 3D.

Run (under a display, or with xvfb-run): python benchmarks/redrawing_edits.py PROJECT

The project is copied first. Each particle is deleted and brought back; what is timed is the
edit itself (with the wait for the disk), dropping and drawing the touched chunks in the
window's thread, and all of it until the canvas has been painted.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QApplication

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.launch import settle, view_project
from napari_slagseg.widgets.proofreading import desk as desk_module
from napari_slagseg.widgets.proofreading.desk import desk_of
from napari_slagseg.widgets.proofreading.redrawing import redraw


def main() -> None:
    """Print medians and 95 % in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--edits", type=int, default=20)
    arguments = parser.parse_args()
    folder = arguments.project.resolve()
    copy = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        measure(copy, arguments.edits)
    finally:
        shutil.rmtree(copy)


def measure(folder: Path, edits: int) -> None:
    """All times of one project."""
    viewer = view_project(folder, block=False)
    viewer.window.resize(1400, 900)
    desk = desk_of(viewer)
    desk.open()
    while desk.proofreader is None or desk.is_busy:
        settle(0.1)
    drawing, inside = [], []

    def timed(*values: object) -> None:
        began = time.perf_counter()
        redraw(*values)
        drawing.append(time.perf_counter() - began)

    desk_module.redraw = timed
    desk.outcome.connect(lambda outcome: inside.append(outcome.seconds))
    particles = np.asarray(desk.proofreader.particles)
    labels = np.random.default_rng(0).permutation(np.unique(particles)[1:])[:edits].tolist()
    for layer in viewer.layers:
        layer.visible = layer.name in (layers.CT_LAYER, layers.PARTICLES_LAYER)
    print(f"{particles.shape} voxels, {edits} deletions and {edits} undone ones")
    for ndisplay in (2, 3):
        viewer.dims.ndisplay = ndisplay
        settle(1.0)
        drawing.clear()
        inside.clear()
        whole = []
        for label in labels:
            box = desk.proofreader.box_of(label)
            desk.go_to([(b.start + b.stop) // 2 for b in box])
            settle(0.1)
            delete = partial(desk.proofreader.delete, [label])
            for ask in (partial(desk.do, "delete", delete), desk.undo):
                began, count = time.perf_counter(), len(drawing)
                ask()
                while len(drawing) == count:
                    QApplication.processEvents()
                viewer.window._qt_viewer.canvas.native.repaint()
                QApplication.processEvents()
                whole.append(time.perf_counter() - began)
        for name, times in (("edit", inside), ("drop and draw", drawing), ("in all", whole)):
            middle = 1000 * float(np.median(times))
            late = 1000 * float(np.quantile(times, 0.95))
            print(f"{ndisplay}D {name:14s} median {middle:6.1f} ms, 95 % {late:6.1f} ms")
    desk.close()
    desk.session.close()
    viewer.close()


if __name__ == "__main__":
    main()
