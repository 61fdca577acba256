"""How fast a large project opens and scrolls in napari.

    python -m benchmarks.viewing [--shape 512 512 512] [--dtype uint16] [--folder DIR]
        [--in-memory] [--slices 96] [--picture FILE]

Makes a project without training (a lattice of balls with noise, its CT memory-mapped,
its segmentation in chunked Zarr with coarse levels, one map of 1000 x 1000 pixels),
reads planes of it, opens it in a window of 1600 x 1000 (after a small project, as the
first one of a session pays for much else) and steps through slices along z, y and x.
Printed are the seconds until the window is there and drawn, the time of a slice (median,
95th per cent and longest, in milliseconds: reading and preparing alone, then with
drawing), the memory that opening and scrolling added, and what was read through files.
``--in-memory`` scrolls through the same arrays as plain numpy layers for comparison.

It needs a display; ``xvfb-run -a -s "-screen 0 1920x1200x24"`` gives one in software.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from napari_slagseg import io
from napari_slagseg.data import (
    Cutout,
    MineralMap,
    Phase,
    PhaseTable,
    PlacedMap,
    PlacementSurface,
)
from napari_slagseg.project import Project

PITCH = 25
"""Distance of the balls' centres in voxels; their radius is 11."""

TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "ore", "#d55e00"),
        Phase(2, "gangue", "#56b4e9"),
    ),
    "ore",
)


def lattice(shape: tuple[int, int, int], box: tuple[slice, slice]) -> tuple[Any, Any]:
    """Particle labels and phases of the voxels in a range of z and one of y."""
    counts = [n // PITCH for n in shape]
    grids = [np.arange(n)[part] for n, part in zip(shape, (*box, slice(None)))]
    size = [len(g) for g in grids]
    inside = np.zeros(size, dtype=np.float32)
    label = np.ones(size, dtype=np.uint32)
    for axis, (grid, count) in enumerate(zip(grids, counts)):
        along: list[Any] = [None, None, None]
        along[axis] = slice(None)
        cell, off = grid // PITCH, grid % PITCH - PITCH / 2 + 0.5
        # cells that the volume's end cuts off hold no ball
        far = np.where(cell < count, off**2, 1e6).astype(np.float32)
        inside += far[tuple(along)]
        label += (cell * int(np.prod(counts[axis + 1 :]))).astype(np.uint32)[tuple(along)]
    particles = np.where(inside <= 121, label, 0).astype(np.uint32)
    ore = np.arange(shape[2]) % PITCH < PITCH // 2
    phases = np.where(particles > 0, np.where(ore, 1, 2), 0).astype(np.uint8)
    return particles, phases


def make(folder: Path, shape: tuple[int, int, int], dtype: str = "uint16") -> Project:
    """A project with a CT, a segmentation and a map, as the steps would leave it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 900, (64, *shape[1:])).astype(np.float32)
    ct = np.lib.format.open_memmap(folder / "ct.npy", "w+", np.dtype(dtype), shape)
    made = Path(folder, "segmentation")
    arrays = io.create_result_arrays(
        made,
        {"phases": np.uint8, "particles": np.uint32, "particle_probability": np.uint8},
        shape,
        (2.0, 2.0, 2.0),
        {"phase_table": {"target": "ore", "phases": [dict(vars(p)) for p in TABLE]}},
    )
    steps = [range(0, n, 256) for n in shape[:2]]
    for first, row in itertools.product(*steps):
        box = (slice(first, min(first + 256, shape[0])), slice(row, min(row + 256, shape[1])))
        particles, phases = lattice(shape, box)
        parts = {
            "particles": particles,
            "phases": phases,
            "particle_probability": np.where(particles > 0, 250, 3).astype(np.uint8),
        }
        for z in range(*box[0].indices(shape[0])):
            grey = 12000 + np.float32(9000) * phases[z - first] + noise[z % 64, box[1]]
            ct[z, box[1]] = (grey if dtype == "uint16" else grey / 256).astype(dtype)
        for name, volume in arrays.items():
            volume[box] = parts[name]
    for name in arrays:
        io.add_levels(made, name, "grey" if name == "particle_probability" else "labels")
    at = shape[0] // 2
    middle = lattice(shape, (slice(at, at + 1), slice(None)))[1][0].astype(np.int16)
    ct.flush()
    side = min(500, *shape[1:])
    cut = middle[:side, :side].repeat(2, 0).repeat(2, 1)
    io.write_legend(TABLE, folder / "legend.csv")
    io.write_false_colour(MineralMap(cut, 1.0, TABLE, "cut"), folder / "cut.png")
    project = Project.create(
        folder / "project",
        ct=folder / "ct.npy",
        maps=[folder / "cut.png"],
        legend=folder / "legend.csv",
        pixel_size_um=1.0,
        target="ore",
        voxel_size_um=2.0,
    )
    shutil.move(made, project.segmentation_path)
    n = 2 * side
    rows = np.linspace(0, n - 1, 9)
    along = (rows + 0.5) / 2 - 0.5
    zyx = np.stack(np.broadcast_arrays(float(shape[0] // 2), along[:, None], along[None]), axis=-1)
    half = n // 4
    cutouts = (Cutout(0, 0, n, n, (shape[0] / 2, half, half), (0, 0.5, 0), (0, 0, 0.5), 0.9),)
    placed = PlacedMap(
        "cut", (n, n), 1.0, shape, (2.0, 2.0, 2.0), True, 0.9,
        surface=PlacementSurface(rows, rows, zyx), cutouts=cutouts,
    )  # fmt: skip
    with project.writing():
        project.save_placed(placed)
    return project


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


def scroll(viewer: Any, size: float, slices: int) -> None:
    """Step through slices along each axis and print what they cost."""
    from qtpy.QtWidgets import QApplication

    shape = [round(float(r.stop / r.step)) for r in viewer.dims.range]
    for axis, name in enumerate("zyx"):
        viewer.dims.order = (axis, *(i for i in range(3) if i != axis))
        viewer.reset_view()
        start = max(0, shape[axis] // 2 - slices // 2)
        viewer.dims.set_point(axis, start * size)
        began = time.perf_counter()
        QApplication.processEvents()
        turned = time.perf_counter() - began
        read, drawn = [], []
        for i in range(start + 1, min(start + slices, shape[axis] - 1)):
            began = time.perf_counter()
            viewer.dims.set_point(axis, i * size)
            read.append(time.perf_counter() - began)
            QApplication.processEvents()
            drawn.append(time.perf_counter() - began)
        print(f"  along {name}: first slice {turned:.2f} s")
        say("slice", read)
        say("slice and drawing", drawn)


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
            made = time.perf_counter()
            open_project(viewer, tiny.folder)
            opened = time.perf_counter() - made
            settle(0.5)
            print(f"  a project of 64 x 64 x 64, opened first: {opened:.2f} s")
            add_workflow_dock(viewer).session.close()
            viewer.layers.clear()
    before = process.memory_info().rss
    read_before = process.io_counters().read_chars
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
        workflow, _ = open_project(viewer, project.folder)
    opened = time.perf_counter() - began
    QApplication.processEvents()
    print(f"  open {opened:.2f} s, drawn {time.perf_counter() - began:.2f} s")
    read = process.io_counters().read_chars - read_before
    print(f"  read from files {read / 1e6:.0f} MB")
    size = project.voxel_size_um[0]
    scroll(viewer, size, slices)
    if not in_memory:
        print(" with particles")
        viewer.layers[layers.PARTICLES_LAYER].visible = True
        scroll(viewer, size, slices)
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 512))
    parser.add_argument("--folder", type=Path, help="kept, and used again if it is there")
    parser.add_argument("--dtype", choices=("uint8", "uint16"), default="uint16", help="of the CT")
    parser.add_argument("--slices", type=int, default=96)
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args(argv)
    folder = given.folder or Path(tempfile.mkdtemp())
    shape = tuple(given.shape)
    try:
        found = (folder / "project" / "project.json").is_file()
        project = Project(folder / "project") if found else make(folder, shape, given.dtype)
        shape = project.description.ct.shape
        print(f"{' x '.join(map(str, shape))} voxels" + (", in memory" * given.in_memory))
        if not given.in_memory:
            print(" planes alone")
            read_planes(project, given.slices)
        run(project, given.slices, given.in_memory, given.picture)
    finally:
        if given.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
