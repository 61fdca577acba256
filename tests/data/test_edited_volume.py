import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slagseg.data import EditedVolume, SlagsegError, VolumeLike, delta_between
from napari_slagseg.data.picking import picked_places

SHAPE = (70, 131, 200)


def random_edit(rng, volume, label):
    """A delta on a random box of a volume, and the box after it."""
    start = [int(rng.integers(0, n)) for n in volume.shape]
    stop = [int(rng.integers(a + 1, min(a + 90, n) + 1)) for a, n in zip(start, volume.shape)]
    box = tuple(slice(a, b) for a, b in zip(start, stop))
    before = np.array(volume[box])
    after = before.copy()
    after[rng.random(before.shape) < rng.choice([0.01, 0.5, 1.0])] = label
    return delta_between("particles", tuple(start), before, after)


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_edits_are_those_of_a_plain_array(seed, count):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 5, SHAPE).astype(np.uint32)
    kept, plain = base.copy(), base.copy()
    volume = EditedVolume(base)
    stored = base[np.ix_(*picked_places(SHAPE, 2))]
    for label in range(count):
        delta = random_edit(rng, volume, label)
        volume.write(delta)
        delta.apply(plain[delta.box])
    assert np.array_equal(volume[...], plain)
    assert np.array_equal(np.asarray(volume), plain)
    assert np.array_equal(base, kept)
    assert np.array_equal(volume[5:60:3, 100, ::-1], plain[5:60:3, 100, ::-1])
    for level in range(5):
        wanted = plain[np.ix_(*picked_places(SHAPE, level))]
        for view in (volume.coarse(level), volume.coarse(2, stored) if level == 2 else None):
            if view is not None:
                assert np.array_equal(view[...], wanted)
                assert np.array_equal(view[-1, 1:9, ::-2], wanted[-1, 1:9, ::-2])


def test_it_is_a_volume_that_other_rooms_read():
    volume = EditedVolume(np.zeros(SHAPE, np.uint8), "phases")
    assert isinstance(volume, VolumeLike)
    assert isinstance(volume.coarse(1), VolumeLike)
    assert volume.coarse(1).shape == (35, 66, 100)
    assert volume[3:3].shape == (0, 131, 200)


def test_only_edited_chunks_are_in_memory():
    volume = EditedVolume(np.zeros((256, 256, 200), np.uint32))
    assert volume.overlay_bytes == 0
    before = np.zeros((2, 2, 2), np.uint32)
    volume.write(delta_between("particles", (63, 127, 10), before, before + 1))
    assert sorted(volume.overlay) == [(0, 1, 0), (0, 2, 0), (1, 1, 0), (1, 2, 0)]
    assert volume.overlay_bytes == 4 * 64**3 * 4
    assert int(volume[...].sum()) == 8


def test_a_refused_edit_changes_nothing():
    volume = EditedVolume(np.zeros(SHAPE, np.uint32))
    ones = np.ones((4, 4, 4), np.uint32)
    fits = delta_between("particles", (0, 0, 0), ones * 0, ones)
    with pytest.raises(SlagsegError, match="holds 0, where the edit found 1"):
        volume.stage([fits, delta_between("particles", (64, 0, 0), ones, ones * 2)])
    with pytest.raises(SlagsegError, match="lies outside"):
        volume.write(delta_between("particles", (68, 0, 0), ones * 0, ones))
    with pytest.raises(SlagsegError, match="does not go into"):
        volume.write(delta_between("phases", (0, 0, 0), ones * 0, ones))
    assert not volume.overlay


@pytest.mark.parametrize("density", [1.0, 0.01])
def test_the_first_voxel_that_does_not_fit_is_named(density):
    volume = EditedVolume(np.zeros(SHAPE, np.uint32))
    before = np.zeros((40, 50, 60), np.uint32)
    after = (np.random.default_rng(0).random(before.shape) < density).astype(np.uint32)
    after[30, 40, 50] = after[0, 0, 0] = 1
    delta = delta_between("particles", (20, 30, 40), before, after)
    one = before[:1, :1, :1]
    volume.write(delta_between("particles", (50, 70, 90), one, one + 8))
    with pytest.raises(SlagsegError, match=r"voxel \(50, 70, 90\) .* holds 8, .* found 0; 1 "):
        volume.write(delta)
    assert int(volume[...].sum()) == 8


def test_staged_edits_are_shown_at_commit_and_once_only():
    volume = EditedVolume(np.zeros(SHAPE, np.uint32))
    ones = np.ones((4, 4, 4), np.uint32)
    delta = delta_between("particles", (62, 62, 62), ones * 0, ones)
    staged = volume.stage([delta, delta.inverse(), delta])
    assert not volume[...].any()
    volume.commit(staged)
    assert int(volume[...].sum()) == 64
    with pytest.raises(RuntimeError, match="written to between"):
        volume.commit(staged)


def test_coarse_boxes_that_an_edit_changes():
    volume = EditedVolume(np.zeros((16, 16, 16), np.uint32))
    box = np.zeros((3, 1, 4), np.uint32)
    delta = delta_between("particles", (3, 3, 4), box, box + 1)  # levels pick 0, 2, 4, ...
    assert volume.coarse(1).box_of(delta) == (slice(2, 3), slice(2, 2), slice(2, 4))


def test_a_level_of_another_shape_is_refused():
    volume = EditedVolume(np.zeros((16, 16, 16), np.uint32))
    with pytest.raises(SlagsegError, match=r"Level 1 .* has the shape"):
        volume.coarse(1, np.zeros((8, 8, 9), np.uint32))


def test_it_says_how_to_send_it():
    with pytest.raises(SlagsegError, match=r"Project\.segmentation_volume"):
        pickle.dumps(EditedVolume(np.zeros((4, 4, 4), np.uint8)))


def test_readers_see_whole_edits():
    """Edits set one value in a box over eight chunks: no reader ever sees two."""
    volume = EditedVolume(np.zeros((128, 128, 128), np.uint32))
    start, edge = (44, 44, 44), 40
    box = tuple(slice(a, a + edge) for a in start)
    seen, torn, stop = set(), [], threading.Event()

    def read():
        coarse = volume.coarse(1)
        while not stop.is_set():
            for found in (volume[box], coarse[22:42, 22:42, 22:42]):
                values = np.unique(found)
                seen.update(values.tolist())
                if len(values) != 1:
                    torn.append(values)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    before = np.zeros((edge,) * 3, np.uint32)
    for _ in range(100):
        volume.write(delta_between("particles", start, before, before + 1))
        before += 1
    stop.set()
    for thread in readers:
        thread.join()
    assert not torn
    assert len(seen) > 1
