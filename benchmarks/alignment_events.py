"""How long the Alignment dock takes for what a user does, in a real window.

    xvfb-run -a -s "-screen 0 1600x1100x24" python -m benchmarks.alignment_events
        [--times 10] [--events 30] [--only WORD] [--project FOLDER]

makes a small phantom, repeats its CT and map `--times` along rows and columns (10: a map of
2140 x 2140 px in 960 x 960 x 168 voxels, with some 800 cutouts), puts the map where it lies,
and presses keys and buttons. Of each event it prints, in milliseconds,

- *held*: the longest time for which the window's thread did not listen, by the clock,
- *CPU*: processor time of the window's thread, all in all,
- *shown*: until everything that the event asks for is on the screen, by the clock,

each as median / 95 % / worst. A first event of each kind, which compiles and loads, is not
counted, except where a kind can happen only once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

DEEP = 3
"""Times that the phantom is repeated along z: slices to nudge through."""

LIMIT_MS = 100.0
"""A longer hold is felt; it is marked."""


def make_project(folder: Path, times: int) -> Path:
    """A project whose two maps lie where they are, in a CT of repeated phantoms."""
    from napari_slagseg import io
    from napari_slagseg.data import Landmarks, MineralMap
    from napari_slagseg.phantom import make_phantom
    from napari_slagseg.project import Project
    from napari_slagseg.registration.steering import similarity_from_landmarks

    phantom = make_phantom("tiny", "easy", 0)
    ct = np.tile(phantom.ct.data, (DEEP, times, times))
    io.write_volume(folder / "ct.tif", ct, phantom.ct.voxel_size_um)
    io.write_legend(phantom.table, folder / "legend.csv")
    paths = []
    for cut in phantom.maps:
        m = cut.mineral_map
        whole = MineralMap(np.tile(m.phases, (times, times)), m.pixel_size_um, m.table, m.name)
        paths.append(folder / f"{m.name}.png")
        io.write_false_colour(whole, paths[-1])
    project = Project.create(
        folder / "project",
        ct=folder / "ct.tif",
        maps=paths,
        legend=folder / "legend.csv",
        pixel_size_um=phantom.maps[0].mineral_map.pixel_size_um,
        target=phantom.table.target,
    )
    depth, height, width = ct.shape
    with project.writing():
        for entry in project.description.maps:
            rows, columns = entry.shape
            pixels = np.array([[0, 0], [rows - 1, 0], [0, columns - 1]], float)
            places = pixels / (rows - 1, columns - 1) * (height - 1, width - 1)
            lower = np.full((3, 1), depth / 2) + np.array([[0.0], [4.0], [-3.0]])
            landmarks = Landmarks(pixels, np.concatenate([lower, places], axis=1))
            placed = similarity_from_landmarks(landmarks, entry, ct.shape, project.voxel_size_um)
            project.save_placed(placed)
    return project.folder


class Watch:
    """Does things in the window and notes how long they take."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[tuple[float, float, float]]] = {}

    def once(self, kind: str, act: Callable[[], object], busy: Callable[[], bool]) -> None:
        """Do one thing, and let the window run until it is shown."""
        from qtpy.QtWidgets import QApplication

        began, cpu = time.perf_counter(), time.thread_time()
        act()
        longest = shown = time.perf_counter() - began
        quiet = 0
        while quiet < 3:  # what ended asks for more only in the next rounds
            at = time.perf_counter()
            QApplication.processEvents()
            took = time.perf_counter() - at
            longest = max(longest, took)
            if busy() or took > 0.002:
                quiet, shown = 0, time.perf_counter() - began
            else:
                quiet += 1
            time.sleep(0.001)
        figures = (longest, time.thread_time() - cpu, shown)
        self.kinds.setdefault(kind, []).append(tuple(1000 * v for v in figures))

    def table(self) -> str:
        """Every kind of event in a line."""
        lines = [f"{'event':34}{'n':>4}{'held':>20}{'CPU':>20}{'shown':>22}"]
        for kind, found in self.kinds.items():
            counted = np.array(found[1:] if len(found) > 1 else found)
            line = f"{kind:34}{len(counted):4d}"
            for values, width in zip(counted.T, (20, 20, 22)):
                middle, high = np.percentile(values, (50, 95))
                line += f"{f'{middle:.0f} / {high:.0f} / {values.max():.0f}':>{width}}"
            lines.append(line + ("  *" if np.percentile(counted[:, 0], 95) > LIMIT_MS else ""))
        return "\n".join([*lines, f"* held for more than {LIMIT_MS:.0f} ms in 5 % of the events"])


def run(folder: Path, events: int, only: str) -> Watch:
    """Open a window on a project and do everything in it."""
    import napari
    from qtpy.QtCore import QEvent, Qt
    from qtpy.QtGui import QKeyEvent
    from qtpy.QtWidgets import QApplication

    from napari_slagseg.widgets.launch import add_alignment_dock, open_project, settle

    watch = Watch()
    viewer = napari.Viewer()
    viewer.window.resize(1400, 1000)
    workflow, _ = open_project(viewer, folder)
    workflow.show_page("Register")
    settle(2.0)
    first, second = workflow.session.project.map_names()[:2]
    made = []
    watch.once(
        "open the dock", lambda: made.append(add_alignment_dock(viewer)),
        lambda: made[0].latest.busy,
    )  # fmt: skip
    dock = made[0]
    alignment, none = dock.alignment, Qt.KeyboardModifier.NoModifier

    def busy() -> bool:
        return bool(dock.latest.busy or workflow.latest.busy or workflow.register_page.latest.busy)

    def rest() -> None:
        end = time.monotonic() + 60
        settle(0.1)
        while (busy() or not dock.actions.resting) and time.monotonic() < end:
            settle(0.05)
        settle(0.6)  # the sheet in the main viewer is drawn anew a while after a step

    def send(kind: QEvent.Type, key: Qt.Key, held: bool = False, keys: object = none) -> None:
        QApplication.sendEvent(dock.view.native, QKeyEvent(kind, key, keys, "", held))

    down, up = QEvent.Type.KeyPress, QEvent.Type.KeyRelease

    def several(kind: str, act: Callable[[int], object], after: Callable[[], None] = rest) -> None:
        if only in kind:
            for k in range(events + 1):
                watch.once(kind, lambda k=k: act(k), busy)
                after()

    keys = (Qt.Key.Key_Right, Qt.Key.Key_Left)
    rest()
    count = len(alignment.placed.cutouts)
    several("look at another map", lambda k: alignment.look_at((second, first)[k % 2]))
    alignment.look_at(first)
    rest()
    several("choose a cutout", lambda k: alignment.choose((k * 7 % count,)))
    for kind, chosen in (("cutout", (count // 2,)), ("map", ())):
        alignment.choose(chosen)
        rest()
        # a second press stores the first: that is the usual case
        several(f"nudge the {kind}: press", lambda k: send(down, keys[k % 2]), lambda: None)
        several(
            f"nudge the {kind}: held key", lambda k: send(down, keys[k % 2], True), lambda: None
        )
        rest()
        if only in f"nudge the {kind}: let go, store":
            for k in range(events + 1):
                send(down, keys[k % 2])
                watch.once(
                    f"nudge the {kind}: let go, store", lambda k=k: send(up, keys[k % 2]), busy
                )
            rest()
        if only in f"nudge the {kind}: at rest":
            for k in range(events // 3 + 1):
                send(down, keys[k % 2])
                send(up, keys[k % 2])
                watch.once(
                    f"nudge the {kind}: at rest", lambda: None,
                    lambda: busy() or not dock.actions.resting,
                )  # fmt: skip
    alignment.choose((count // 2, count // 2 + 1))
    rest()
    states = (Qt.Key.Key_R, Qt.Key.Key_A)
    several("accept or reject: store", lambda k: send(down, states[k % 2]), lambda: None)
    rest()
    several("undo", lambda k: dock.actions.act("undo"), lambda: None)
    several("redo", lambda k: dock.actions.act("redo"), lambda: None)
    rest()
    views = ("side", "checkerboard", "swipe", "blend", "map edges", "CT edges", "residual")
    several("turn to a view", lambda k: dock.show_view(views[k % len(views)]), lambda: None)
    for view in ("checkerboard", "swipe", "blend"):
        dock.show_view(view)
        rest()
        several(f"{view}: slider", lambda k: dock.amount.setValue(20 + k % 60), lambda: None)
    several("landmarks: turn to, and back", lambda k: dock.tabs.setCurrentIndex(1 - k % 2))
    dock.landmarks.at_third.setChecked(False)
    dock.begin_landmarks()
    rest()
    surface, shape = alignment.placed.surface, alignment.placed.map_shape
    rng = np.random.default_rng(0)
    for _ in range(events // 3 + 1 if only in "landmark pair: store" else 0):
        pixel = rng.uniform(0.1, 0.9, 2) * shape
        voxel = surface.at(*(np.array([v]) for v in pixel))[0]
        watch.once("landmark: click in the map", lambda p=pixel: dock.click(*p), busy)
        watch.once(
            "landmark pair: store", lambda v=voxel: dock.clicks.click_ct(tuple(v)), busy
        )  # fmt: skip
    dock.tabs.setCurrentIndex(0)
    rest()
    several("3D and back", lambda k: dock.switch_3d())
    workflow.close()
    viewer.close()
    return watch


def main() -> None:
    """Make the project, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--times", type=int, default=10, help="repeats of the phantom (10)")
    parser.add_argument("--events", type=int, default=30, help="of each kind (30)")
    parser.add_argument("--only", default="", help="events whose name has this word")
    parser.add_argument("--project", type=Path, help="a finished project; it is copied")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="alignment-events-"))
    try:
        if chosen.project is None:
            project = make_project(folder, chosen.times)
        else:
            shutil.copytree(chosen.project.parent, folder / "copy", symlinks=True)
            project = folder / "copy" / chosen.project.name
        began = os.getloadavg()[0]
        watch = run(project, chosen.events, chosen.only)
        print(watch.table())
        print(f"load of the machine: {began:.1f} before, {os.getloadavg()[0]:.1f} after")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
