"""Take the pictures of docs/how-to/proofread.md from a copy of a measured project.

The edits are made as a user makes them, with the dock's tools; the project itself is left alone.

Run (under a display, or with xvfb-run): python scripts/proofread_pictures.py demo/project
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import napari
import numpy as np
from skimage.measure import regionprops

from napari_slagseg.widgets import layers
from napari_slagseg.widgets.launch import (
    MEASURE_TITLE,
    add_proofread_dock,
    add_workflow_dock,
    settle,
    view_project,
)
from napari_slagseg.widgets.measure_dock import MeasureDock
from napari_slagseg.widgets.proofreading.dock import ProofreadDock
from napari_slagseg.workflow import STEPS, make_config, run_step

SIZE = (1600, 1000)
SPLITS = 4


def wait(dock: ProofreadDock) -> None:
    """Until all edits are done and drawn."""
    settle(0.5)
    while dock.desk.proofreader is None or dock.desk.is_busy:
        settle(0.1)
    settle(0.5)


def waisted(dock: ProofreadDock) -> tuple[int, np.ndarray, np.ndarray]:
    """A large particle that looks most like two, and a voxel in each of its halves."""
    reader = dock.desk.proofreader
    assert reader is not None
    found = regionprops(np.asarray(reader.particles))
    enough = np.quantile([p.area for p in found], 0.9)
    inside = [p for p in found if p.area > enough and min(p.bbox[:3]) > 0]
    particle = min(inside, key=lambda p: p.solidity)
    voxels = particle.coords
    centred = voxels - voxels.mean(axis=0)
    axis = np.linalg.svd(centred[:: max(1, len(centred) // 5000)], full_matrices=False)[2][0]
    along = centred @ axis
    ends = [
        voxels[np.argmin(abs(along - np.quantile(along, share)) + 0.3 * np.abs(centred[:, 0]))]
        for share in (0.15, 0.85)
    ]
    return particle.label, ends[0], ends[1]


def look_at(viewer: napari.Viewer, names: set[str]) -> None:
    """Show these layers and hide the others."""
    for layer in viewer.layers:
        layer.visible = layer.name in names


def choosing(viewer: napari.Viewer, dock: ProofreadDock) -> None:
    """A particle that looks like two, chosen; the others dimmed."""
    label, first, _ = waisted(dock)
    dock.desk.go_to(first, label=label)


def points(viewer: napari.Viewer, dock: ProofreadDock) -> None:
    """A point in each of its halves."""
    label, first, second = waisted(dock)
    dock.desk.go_to(first, label=label)
    dock.act("split")
    for end in (first, second):
        dock.hand._add_point(tuple(int(v) for v in end), label)
    dock.act("frame")


def halves(viewer: napari.Viewer, dock: ProofreadDock) -> None:
    """What comes of it, in 3D."""
    points(viewer, dock)
    dock.act("apply")
    wait(dock)
    viewer.dims.ndisplay = 3
    dock.act("frame")


def brush(viewer: napari.Viewer, dock: ProofreadDock) -> None:
    """Napari's brush in its region."""
    label, first, _ = waisted(dock)
    dock.desk.go_to(first, label=label)
    dock.act("brush")
    wait(dock)


def suspects(viewer: napari.Viewer, dock: ProofreadDock) -> None:
    """The queue, and the first suspect framed."""
    project = dock.session.project
    assert project is not None
    run_step(project, STEPS["suspects"])
    dock.session.results_changed.emit("suspects")
    while dock.panels.suspects.queue is None:
        settle(0.1)
    dock.act("next")


def teach(viewer: napari.Viewer, dock: ProofreadDock) -> None:
    """What came of a short training on a few splits."""
    project, reader = dock.session.project, dock.desk.proofreader
    assert project is not None
    assert reader is not None
    for _ in range(SPLITS):
        label, *ends = waisted(dock)
        dock.desk.do("split", partial(reader.split, label, ends))
        wait(dock)
    config = make_config(STEPS["teach"], {"epochs": 1})
    run_step(project, STEPS["teach"], config)
    dock.session.results_changed.emit("teach")
    dock.tabs.setCurrentIndex(dock.tabs.count() - 1)


PICTURES: dict[str, Callable[[napari.Viewer, ProofreadDock], None]] = {
    "choose": choosing,
    "points": points,
    "halves": halves,
    "brush": brush,
    "suspects": suspects,
    "teach": teach,
}


def take(folder: Path, name: str, path: Path) -> None:
    """One picture, from a copy of the project."""
    # beside the project: it may name its CT by the way from its folder
    copy = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        viewer = view_project(copy, block=False)
        viewer.window.resize(*SIZE)
        add_workflow_dock(viewer).show_page("Correct")
        dock = add_proofread_dock(viewer)
        wait(dock)
        look_at(viewer, {layers.CT_LAYER, layers.PARTICLES_LAYER})
        PICTURES[name](viewer, dock)
        settle(1.5)
        measure = viewer.window.dock_widgets.get(MEASURE_TITLE)
        while isinstance(measure, MeasureDock) and measure.busy_now:
            settle(0.1)
        viewer.screenshot(path=str(path), canvas_only=False, flash=False)
        dock.shut()
        dock.desk.close()
        dock.session.close()
        viewer.close()
    finally:
        shutil.rmtree(copy)


def main() -> None:
    """All pictures, or those asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--pictures", nargs="*", default=list(PICTURES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.pictures:
        take(arguments.project.resolve(), name, arguments.out / f"proofread_{name}.png")


if __name__ == "__main__":
    main()
