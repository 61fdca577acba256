"""After an edit the layers show it, at all levels, and only touched chunks are read again."""

import threading

import numpy as np
import pytest

from napari_slagseg.data import EditedVolume, delta_between
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.chunk_cache import ChunkCache, ChunkReader
from napari_slagseg.widgets.levels import levels_of
from napari_slagseg.widgets.proofreading.desk import desk_of
from napari_slagseg.widgets.proofreading.redrawing import part_of_level
from napari_slagseg.widgets.quick_reader import Arrivals, quickened
from napari_slagseg.widgets.session import session_of

pytestmark = pytest.mark.gui


class Counted:
    """A volume in chunks of 64 that notes what is read of it."""

    chunks = (64, 64, 64)

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.read = data, data.shape, data.dtype, []

    def __getitem__(self, box):
        self.read.append(box)
        return self.data[box]


def test_only_chunks_of_the_part_are_read_again():
    source = Counted(np.zeros((128, 128, 192), np.uint32))
    reader = ChunkReader(source, source.chunks, ChunkCache(1 << 30))
    whole = tuple(range(n) for n in source.shape)
    reader.read(whole)
    source.read.clear()
    source.data[70, 3, 65] = 9
    reader.forget((range(70, 71), range(3, 4), range(65, 66)))
    assert reader.read(whole)[70, 3, 65] == 9
    assert source.read == [(slice(64, 128), slice(0, 64), slice(64, 128))]


def test_what_changes_while_it_is_read_is_read_again():
    started, go_on = threading.Event(), threading.Event()

    class Slow(Counted):
        def __getitem__(self, box):
            found = super().__getitem__(box).copy()
            started.set()
            go_on.wait(10)
            return found

    source = Slow(np.zeros((64, 64, 64), np.uint32))
    reader = ChunkReader(source, source.chunks, ChunkCache(1 << 30))
    whole = tuple(range(n) for n in source.shape)
    found = []
    other = threading.Thread(target=lambda: found.append(reader.read(whole)))
    other.start()
    started.wait(10)
    source.data[:] = 5
    reader.forget(whole)
    go_on.set()
    other.join()
    assert (found[0] == 5).all()
    assert (reader.read(whole) == 5).all()


@pytest.mark.parametrize("stored", [1, 2, 3])
def test_every_level_shows_an_edit(stored):
    shape = (130, 300, 1100)
    rng = np.random.default_rng(0)
    base = rng.integers(0, 50, shape).astype(np.uint32)
    live = EditedVolume(base)
    sources = [live] + [live.coarse(n, np.array(live.coarse(n)[:])) for n in range(1, stored)]
    levels = quickened(levels_of(sources), Arrivals())
    assert len(levels) == 4
    for level in levels:
        np.asarray(level)
    box = (slice(40, 71), slice(100, 140), slice(500, 800))
    before = live[box]
    live.write(delta_between("particles", (40, 100, 500), before, before + 100))
    for level in levels:
        level.forget(part_of_level(box, shape, level.shape))
    want = np.asarray(live)
    np.testing.assert_array_equal(np.asarray(levels[0]), want)
    for n, level in enumerate(levels):
        fresh = np.asarray(levels_of(sources)[n])
        np.testing.assert_array_equal(np.asarray(level), fresh)
        assert (fresh >= 100).any()


def test_the_canvas_shows_an_edit(make_napari_viewer, project, qtbot):
    viewer = make_napari_viewer(show=True)
    session = session_of(viewer)
    session.open(project.folder)
    layers.show_project(viewer, session)
    desk = desk_of(viewer)
    desk.open()
    qtbot.waitUntil(lambda: desk.proofreader is not None, timeout=60_000)
    for layer in viewer.layers:
        layer.visible = layer.name == layers.PARTICLES_LAYER
    desk.go_to((9, 28, 34), label=2)
    size = viewer.canvas.size

    def middle():
        picture = viewer.screenshot(canvas_only=True, flash=False)
        return picture[picture.shape[0] // 2, picture.shape[1] // 2, :3].astype(int)

    assert min(size) > 100
    assert middle().sum() > 30
    desk.do("delete", lambda: desk.proofreader.delete([2]))
    qtbot.waitUntil(lambda: not desk.is_busy)
    assert middle().sum() < 30
    viewer.dims.ndisplay = 3
    assert middle().sum() < 30
    desk.undo()
    qtbot.waitUntil(lambda: not desk.is_busy)
    qtbot.waitUntil(lambda: middle().sum() > 30)
    viewer.dims.ndisplay = 2
    assert middle().sum() > 30
    phases = viewer.layers[layers.PHASES_LAYER]
    assert set(np.unique(np.asarray(phases.data)[:, 20:])) == {0, 1, 2}
    desk.close()
    session.close()
