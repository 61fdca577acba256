"""How fast a large project opens and scrolls in napari.

    python -m benchmarks.viewing [--shape 512 512 512] [--ct npy|zarr] [--folder DIR]
        [--cell 40] [--of-full-run DIR] [--in-memory] [--slices 48] [--picture FILE]

Makes a project without training (`benchmarks.viewing_project`: rough particles, their table,
one map), reads planes of it, opens it in a window of 1600 x 1000 (after a small project, as
the first one of a session pays for much else) and steps through slices along z, y and x: the
whole slice in sight, then a pixel of the screen a voxel, then four.

Printed are the seconds until the window is there, drawn and sharp; the time of a slice (median,
95th per cent and longest, in milliseconds: reading and preparing alone, then with drawing); the
time until a click has chosen a particle, and until a row of the table has taken the viewer to
one; the memory that all of it added, and what was read through files while opening.

2000 x 2000 x 2000 voxels with ``--ct zarr`` take 7 GB of disk and some minutes to make.
``--of-full-run`` takes the files that `benchmarks.full_run` left, without changing them.
``--in-memory`` scrolls through the same arrays as plain numpy layers for comparison.

It needs a display; ``xvfb-run -a -s "-screen 0 1920x1200x24"`` gives one in software.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from benchmarks.viewing_project import make, of_full_run

from napari_slagseg.project import Project

ZOOMS = (("whole", None), ("a pixel a voxel", 1.0), ("four pixels a voxel", 4.0))

QUIET_S = 0.4
"""A picture that has not changed for so long is sharp."""

CLICKS = 12


def say(what: str, seconds: list[float]) -> None:
    """Print the spread of some times in milliseconds."""
    ms = 1000 * np.array(seconds)
    print(
        f"  {what:28s} median {np.median(ms):7.1f}  95 % {np.percentile(ms, 95):7.1f}  "
        f"longest {ms.max():7.1f} ms"
    )


def read_planes(project: Project, slices: int) -> None:
    """Print what planes cost to read, without a window."""
    from napari_slagseg.widgets.levels import levels_of, stored_levels

    for name in ("CT", "phases", "particles"):
        if name == "CT":
            source = [project.volume().data]
        else:
            source = stored_levels(project.segmentation_path, name)
        for axis, letter in enumerate("zyx"):
            array = levels_of(source)[0]
            key: list[Any] = [slice(None)] * 3
            start = array.shape[axis] // 3 // 64 * 64
            seconds = []
            for i in range(start, min(start + slices, array.shape[axis])):
                key[axis] = i
                began = time.perf_counter()
                array[tuple(key)]
                seconds.append(time.perf_counter() - began)
                time.sleep(0.02)  # somebody looks at it, and the next slab is read meanwhile
            say(f"{name} along {letter}, first {1000 * seconds[0]:.0f} ms", seconds[1:])


class Changes:
    """When a layer's picture was last made anew."""

    def __init__(self, viewer: Any) -> None:
        self.last = time.perf_counter()
        for layer in viewer.layers:
            layer.events.set_data.connect(self._note)

    def _note(self, event: Any = None) -> None:
        self.last = time.perf_counter()

    def wait(self) -> float:
        """Let the window draw until nothing changes; when the last change was."""
        from qtpy.QtWidgets import QApplication

        self.last = time.perf_counter()
        while time.perf_counter() - self.last < QUIET_S:
            QApplication.processEvents()
            time.sleep(0.005)
        return self.last


def scroll(viewer: Any, size: float, slices: int) -> None:
    """Step through slices along each axis at several zooms, and print what they cost."""
    from qtpy.QtWidgets import QApplication

    shape = [round(float(r.stop / r.step)) for r in viewer.dims.range]
    changes = Changes(viewer)
    for axis, name in enumerate("zyx"):
        viewer.dims.order = (axis, *(i for i in range(3) if i != axis))
        viewer.reset_view()
        for words, zoom in ZOOMS:
            if zoom is not None:
                viewer.scene.camera.zoom = zoom / size
            changes.wait()
            # slices that no other zoom has read
            start = shape[axis] // 2 - slices // 2 + ZOOMS.index((words, zoom)) * slices
            start = max(0, min(start, shape[axis] - slices))
            began = time.perf_counter()
            viewer.dims.set_point(axis, start * size)
            QApplication.processEvents()
            turned = time.perf_counter() - began
            sharp = changes.wait() - began
            read, drawn = [], []
            for i in range(start + 1, min(start + slices, shape[axis] - 1)):
                began = time.perf_counter()
                viewer.dims.set_point(axis, i * size)
                read.append(time.perf_counter() - began)
                QApplication.processEvents()
                drawn.append(time.perf_counter() - began)
            print(f"  along {name}, {words}: far slice {turned:.2f} s, sharp {sharp:.2f} s")
            say("slice", read)
            say("slice and drawing", drawn)


def click(viewer: Any, measure: Any) -> None:
    """Choose particles by their rows and by clicks in the middle of the canvas."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    viewer.dims.order = (0, 1, 2)
    changes = Changes(viewer)
    canvas = viewer.window._qt_viewer.canvas.native
    rows = np.random.default_rng(0).integers(0, len(measure.table.frame), CLICKS)
    going, chosen, drawn, told = [], [], [], []

    def choose(label: int, go: bool) -> None:
        if not go:
            told.append(time.perf_counter())

    measure.session.particle_chosen.connect(choose)
    for row in rows:
        label = int(measure.table.frame["label"].iat[int(row)])
        began = time.perf_counter()
        measure.go_to(label)
        QApplication.processEvents()
        going.append(time.perf_counter() - began)
        changes.wait()
        told.clear()
        began = time.perf_counter()
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
        QApplication.processEvents()
        if told:
            chosen.append(told[0] - began)
            drawn.append(time.perf_counter() - began)
    measure.session.particle_chosen.disconnect(choose)
    print(f"  {len(measure.table.frame):,} particles; {len(chosen)} of {CLICKS} clicks met one")
    say("row to particle, drawn", going)
    if chosen:
        say("click to particle", chosen)
        say("click, drawn", drawn)


def run(project: Project, slices: int, in_memory: bool, picture: Path | None) -> None:
    """Open a project and scroll through it."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_slagseg.widgets import layers
    from napari_slagseg.widgets.launch import add_workflow_dock, open_project, settle

    process = psutil.Process()
    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    QApplication.processEvents()
    if not in_memory:
        # what the first project of a session costs whatever its size
        with tempfile.TemporaryDirectory() as small:
            tiny = make(Path(small), (64, 64, 64))
            # the table's dock is to be made for the large one, as if that were opened first
            shutil.rmtree(tiny.tables)
            made = time.perf_counter()
            open_project(viewer, tiny.folder)
            opened = time.perf_counter() - made
            settle(0.5)
            print(f"  a project of 64 x 64 x 64, opened first: {opened:.2f} s")
            add_workflow_dock(viewer).session.close()
            viewer.layers.clear()
    before = process.memory_info().rss
    read_before = process.io_counters().read_chars
    measure = None
    began = time.perf_counter()
    if in_memory:
        volume = project.volume()
        for name in ("CT", layers.PHASES_LAYER):
            data = (
                np.array(volume.data)
                if name == "CT"
                else np.asarray(project.segmentation_volume(name)[:])
            )
            add = viewer.add_image if name == "CT" else viewer.add_labels
            add(data, name=name, **layers.placement(project.voxel_size_um))
    else:
        workflow, measure = open_project(viewer, project.folder)
    opened = time.perf_counter() - began
    QApplication.processEvents()
    drawn = time.perf_counter() - began
    sharp = Changes(viewer).wait() - began
    print(f"  open {opened:.2f} s, drawn {drawn:.2f} s, sharp {sharp:.2f} s")
    read = process.io_counters().read_chars - read_before
    print(f"  read from files {read / 1e6:.0f} MB")
    size = project.voxel_size_um[0]
    scroll(viewer, size, slices)
    if not in_memory:
        print(" with particles")
        viewer.layers[layers.PARTICLES_LAYER].visible = True
        scroll(viewer, size, slices)
        if measure is not None:
            while measure.table is None:
                settle(0.1)
            print(" choosing particles")
            click(viewer, measure)
    print(f"  memory added {(process.memory_info().rss - before) / 1e6:.0f} MB")
    viewer.dims.order = (0, 1, 2)
    viewer.reset_view()
    if picture:
        settle(1.0)
        viewer.screenshot(str(picture.with_suffix(".2d.png")), canvas_only=False, flash=False)
        viewer.dims.ndisplay = 3
        viewer.scene.camera.angles = (10, 30, 140)
        settle(1.0)
        viewer.screenshot(str(picture.with_suffix(".3d.png")), canvas_only=False, flash=False)
    if not in_memory:
        workflow.session.close()
    viewer.close()


def main(argv: list[str] | None = None) -> None:
    """Make the project and look at it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 512))
    parser.add_argument("--folder", type=Path, help="kept, and used again if it is there")
    parser.add_argument("--ct", choices=("npy", "zarr"), default="npy", help="how it is stored")
    parser.add_argument("--cell", type=int, default=40, help="voxels from particle to particle")
    parser.add_argument("--of-full-run", type=Path, help="folder of benchmarks.full_run")
    parser.add_argument("--slices", type=int, default=48)
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args(argv)
    folder = given.folder or Path(tempfile.mkdtemp())
    try:
        began = time.perf_counter()
        if (folder / "project" / "project.json").is_file():
            project = Project(folder / "project")
        elif given.of_full_run is not None:
            project = of_full_run(folder, given.of_full_run)
        else:
            project = make(folder, tuple(given.shape), given.ct, given.cell)
        shape = project.description.ct.shape
        print(f"{' x '.join(map(str, shape))} voxels" + (", in memory" * given.in_memory))
        print(f"  made in {time.perf_counter() - began:.0f} s", flush=True)
        if not given.in_memory:
            print(" planes alone")
            read_planes(project, given.slices)
        run(project, given.slices, given.in_memory, given.picture)
    finally:
        if given.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
