"""Separation in blocks: the one right answer, whatever the blocks, the order and the accidents."""

import pickle

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import watershed

from napari_slagseg.data import BlockGrid, MemoryStore, SlagsegError, ThreadRun
from napari_slagseg.segmentation import separate_blocks, separate_particles

STEPS = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))


def smooth_noise(shape, seed, sigma):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)
    return (field - field.min()) / (field.max() - field.min())


def in_blocks(phases, probability, edge, threads=1, run=None, **settings):
    particles = np.zeros(phases.shape, np.uint32)
    run = run or ThreadRun(BlockGrid.of(phases.shape, edge), threads)
    return separate_blocks(phases, probability, particles, run, **settings), particles


def by_hand(phases, probability, threshold):
    """The equations of the flood, repeated over all voxels until nothing changes."""
    inside = phases > 0
    height = 255 - probability.astype(int)
    markers, n = cc3d.connected_components(
        (probability > threshold * 255) & inside, connectivity=6, return_N=True
    )
    voxels = [tuple(v) for v in np.argwhere(inside)]
    unreached = ((256, 0), 0)
    now = {v: ((height[v], 0), int(markers[v])) if markers[v] else unreached for v in voxels}
    while True:
        following = {}
        for v in voxels:
            offers = []
            for step in STEPS:
                (level, steps), label = now.get(tuple(np.add(v, step)), unreached)
                if level < 256:
                    risen = height[v] > level
                    cost = (height[v], 1) if risen else (level, steps + 1)
                    offers.append((cost, (level, steps), label))
            if markers[v] or not offers:
                following[v] = now[v]
            else:
                cost, _, label = min(offers)
                following[v] = (cost, label)
        if following == now:
            break
        now = following
    labels = np.zeros(phases.shape, np.uint32)
    for v in voxels:
        labels[v] = now[v][1]
    rest, _ = cc3d.connected_components(inside & (labels == 0), connectivity=6, return_N=True)
    labels[rest > 0] = rest[rest > 0] + n
    return labels


@st.composite
def small_volumes(draw):
    shape = draw(st.tuples(*[st.integers(1, 7)] * 3))
    edges = draw(st.tuples(*[st.integers(1, 4)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.integers(1, 12))
    probability = rng.integers(0, levels + 1, shape).astype(np.uint8)
    probability *= np.uint8(draw(st.sampled_from([1, 3, 20])))
    phases = (rng.random(shape) < draw(st.sampled_from([0.3, 0.7, 0.9, 1.0]))).astype(np.uint8)
    threshold = float(np.clip(np.quantile(probability, 0.9) / 255, 0.001, 0.99))
    return phases, probability, edges, threshold


@settings(max_examples=150, deadline=None)
@given(small_volumes())
def test_blocks_give_what_the_equations_say(case):
    phases, probability, edges, threshold = case
    _, particles = in_blocks(phases, probability, edges, threshold=threshold, minimum_voxels=0)
    assert np.array_equal(particles, by_hand(phases, probability, threshold))


def test_block_shapes_and_threads_change_nothing():
    rng = np.random.default_rng(1)
    phases = (smooth_noise((64, 64, 64), 2, 2) > 0.4).astype(np.uint8)
    probability = (200 * smooth_noise((64, 64, 64), 3, 2)).astype(np.uint8)
    probability += rng.integers(0, 5, probability.shape).astype(np.uint8)
    whole = separate_particles(phases, probability, minimum_voxels=20)
    assert whole.n_markers > 30
    assert whole.n_removed > 5
    assert whole.n_without_marker > 0
    for edge, threads in [(64, 1), (32, 4), ((7, 64, 33), 1), ((64, 5, 64), 2), (17, 3)]:
        counts, particles = in_blocks(phases, probability, edge, threads, minimum_voxels=20)
        assert np.array_equal(particles, whole.particles)
        assert counts.n_particles == particles.max()
        assert (counts.n_markers, counts.n_without_marker, counts.n_removed) == (
            whole.n_markers,
            whole.n_without_marker,
            whole.n_removed,
        )


class ClumsyRun(ThreadRun):
    """Does every block two or three times, in another order each time, from pickled tasks.

    Between two tries a worker "dies" while it writes: part of what the block has in the
    scratch volumes goes back to what it was before.
    """

    def __init__(self, grid, seed):
        super().__init__(grid)
        self.rng = np.random.default_rng(seed)
        self.torn = 0

    def stage(self, name, task, *, given=None, blocks=None, says="", part=(0.0, 1.0)):
        blocks = list(self.grid if blocks is None else blocks)
        results = {}
        for _ in range(2):
            for k in self.rng.permutation(len(blocks)):
                block = blocks[k]
                before = {n: v[block.box].copy() for n, v in self._scratch.items()}
                argument = pickle.loads(pickle.dumps((given or {}).get(block.index)))
                result = task(block, argument) or {}
                if name.startswith("flood") and self.rng.random() < 0.7:
                    for n, old in before.items():
                        lost = self.rng.random(old.shape) < 0.5
                        self._scratch[n][block.box][lost] = old[lost]
                    self.torn += 1
                    result = task(block, argument) or {}
                again = results.setdefault(block.index, result)
                assert result.keys() == again.keys()
                assert all(np.array_equal(result[key], again[key]) for key in result)
        return results


@pytest.mark.parametrize("seed", range(6))
def test_blocks_done_again_after_an_accident_change_nothing(seed):
    shape = (14, 15, 13)
    rng = np.random.default_rng(seed)
    phases = (rng.random(shape) < 0.8).astype(np.uint8)
    probability = (160 * smooth_noise(shape, seed, 1)).astype(np.uint8)
    _, expected = in_blocks(phases, probability, 15, minimum_voxels=2)
    run = ClumsyRun(BlockGrid.of(shape, (5, 4, 6)), seed)
    _, particles = in_blocks(phases, probability, 0, run=run, minimum_voxels=2)
    assert run.torn > 20
    assert np.array_equal(particles, expected)


class RestartedRun(ThreadRun):
    """Trusts only the first results of an earlier run, whose volumes went on beyond them."""

    def __init__(self, earlier=None, trusted=0, grid=None):
        super().__init__(grid or earlier.grid)
        self.known = {}
        if earlier is not None:
            self.store, self._scratch = earlier.store, earlier._scratch
            self.known = dict(list(earlier.known.items())[:trusted])

    def stage(self, name, task, *, given=None, blocks=None, says="", part=(0.0, 1.0)):
        results = {}
        for block in self.grid if blocks is None else blocks:
            if (name, block.index) not in self.known:
                argument = (given or {}).get(block.index)
                self.known[name, block.index] = task(block, argument) or {}
            results[block.index] = self.known[name, block.index]
        return results


@pytest.mark.parametrize("seed", range(4))
def test_work_taken_up_after_a_power_cut_changes_nothing(seed):
    """What the machine forgot is done again, though the volumes hold what came of it."""
    shape = (14, 15, 13)
    rng = np.random.default_rng(seed)
    phases = (rng.random(shape) < 0.8).astype(np.uint8)
    probability = (160 * smooth_noise(shape, seed, 1)).astype(np.uint8)
    first = RestartedRun(grid=BlockGrid.of(shape, (5, 4, 6)))
    _, expected = in_blocks(phases, probability, 0, run=first, minimum_voxels=2)
    rounds = {name for name, _ in first.known if name.startswith("flood")}
    assert len(rounds) > 3
    written = [name for name, _ in first.known].index("particles")
    for trusted in rng.integers(0, written + 1, 12):
        run = RestartedRun(first, trusted)
        _, particles = in_blocks(phases, probability, 0, run=run, minimum_voxels=2)
        assert np.array_equal(particles, expected)


def test_tasks_are_picklable():
    class PicklingRun(ThreadRun):
        def stage(self, name, task, **rest):
            assert pickle.loads(pickle.dumps(task)) is not None
            return super().stage(name, task, **rest)

    phases = np.ones((4, 4, 4), np.uint8)
    run = PicklingRun(BlockGrid.of(phases.shape, 2))
    assert isinstance(run.store, MemoryStore)
    counts, _ = in_blocks(phases, 200 * phases, 2, run=run, minimum_voxels=0)
    assert counts.n_particles == 1


def lowest_pass(inside, height, start):
    """Least greatest height on a way from any of the voxels `start`; 256 where there is none."""
    reached = np.where(start, height, 256)
    while True:
        near = reached.copy()
        for axis in range(3):
            for step in (-1, 1):
                moved = np.roll(reached, step, axis)
                edge = [slice(None)] * 3
                edge[axis] = 0 if step > 0 else -1
                moved[tuple(edge)] = 256
                near = np.minimum(near, moved)
        new = np.where(inside, np.minimum(reached, np.maximum(near, height)), 256)
        if np.array_equal(new, reached):
            return reached
        reached = new


@pytest.mark.parametrize("seed", range(5))
def test_voxels_that_scikit_image_gives_to_another_are_ties(seed):
    """Where the two floods differ, both markers come over passes of the same height."""
    shape = (12, 12, 12)
    phases = (np.random.default_rng(seed).random(shape) < 0.9).astype(np.uint8)
    probability = (250 * smooth_noise(shape, seed + 10, 0.7)).astype(np.uint8)
    _, particles = in_blocks(phases, probability, 5, threshold=0.65, minimum_voxels=0)
    markers, n = cc3d.connected_components(
        (probability > 0.65 * 255) & (phases > 0), connectivity=6, return_N=True
    )
    assert n > 10
    theirs = watershed(255 - probability, markers.astype(np.int32), mask=phases > 0)
    height = 255 - probability.astype(int)
    passes = {k: lowest_pass(phases > 0, height, markers == k) for k in range(1, n + 1)}
    reached = theirs > 0
    assert np.all(particles[~reached & (phases > 0)] > n)
    for v in zip(*np.nonzero(reached)):
        assert passes[int(particles[v])][v] == min(p[v] for p in passes.values())
        assert passes[int(theirs[v])][v] == passes[int(particles[v])][v]


def rough_balls(shape, cell, seed):
    """Touching rough balls and a probability that rises with the distance to the surface."""
    rng = np.random.default_rng(seed)
    places = np.moveaxis(np.indices(shape), 0, -1).astype(np.float32)
    deepest = np.full(shape, -np.inf, np.float32)
    for corner in np.ndindex(*(n // cell for n in shape)):
        centre = (np.array(corner) + 0.5) * cell + rng.uniform(-2, 2, 3)
        deep = rng.uniform(0.5, 0.6) * cell - np.linalg.norm(places - centre, axis=-1)
        deepest = np.maximum(deepest, deep)
    deepest += 0.6 * (smooth_noise(shape, seed, 1) - 0.5) * 3
    phases = (deepest > 0).astype(np.uint8)
    return phases, np.clip(40 + 25 * deepest, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("volume", "share"), [("balls", 1e-3), ("noise", 1e-2)])
def test_few_voxels_differ_from_the_plain_path(volume, share):
    """cc3d on the whole volume and scikit-image's watershed: all that differs are ties.

    Measured: 3e-4 of the foreground of balls; 7e-3 of noise, two thirds of which no marker
    covers, so that whole basins are reached over passes of the same height.
    """
    if volume == "balls":
        phases, probability = rough_balls((60, 60, 60), 20, 4)
    else:
        phases = (smooth_noise((60, 60, 60), 5, 4) > 0.45).astype(np.uint8)
        probability = (255 * smooth_noise((60, 60, 60), 6, 3)).astype(np.uint8)
    counts, particles = in_blocks(phases, probability, 25, minimum_voxels=0)
    seeds = (probability > 127) & (phases > 0)
    markers, n = cc3d.connected_components(seeds, connectivity=6, return_N=True)
    assert counts.n_markers == n > 20
    # the numbers of the markers are those of the volume in one piece
    assert np.array_equal(particles[seeds], markers[seeds])
    expected = watershed(255 - probability, markers.astype(np.int32), mask=phases > 0)
    rest, n_rest = cc3d.connected_components(
        (phases > 0) & (expected == 0), connectivity=6, return_N=True
    )
    assert counts.n_without_marker == n_rest
    assert np.array_equal(particles[rest > 0], rest[rest > 0] + n)
    expected = np.where(rest > 0, rest + n, expected)
    assert np.mean(particles[phases > 0] != expected[phases > 0]) < share


def snake(n):
    """A way one voxel wide through all of a cube of odd edge, and the steps along it."""
    steps = np.zeros((n, n, n), int)
    at, count = [0, 0, 0], 1
    steps[0, 0, 0] = count

    def go(axis, way, length):
        nonlocal count
        for _ in range(length):
            at[axis] += way
            count += 1
            steps[tuple(at)] = count

    way_y = way_x = 1
    for z in range(0, n, 2):
        for y in range(0, n, 2):
            go(2, way_x, n - 1)
            way_x = -way_x
            if y < n - 1:
                go(1, way_y, 2)
        way_y = -way_y
        if z < n - 1:
            go(0, 1, 2)
    return steps


@pytest.mark.parametrize("edge", [4, 5])
def test_a_snake_through_all_blocks(edge):
    steps = snake(11)
    length = steps.max()
    phases = (steps > 0).astype(np.uint8)
    probability = np.full(phases.shape, 10, np.uint8)
    probability[steps == 1] = 255
    counts, particles = in_blocks(phases, probability, edge)
    assert counts.n_particles == counts.n_markers == 1
    assert np.array_equal(particles, phases)
    # a marker at each end, as far from everywhere: each takes its half
    probability[steps == length] = 255
    counts, particles = in_blocks(phases, probability, edge)
    assert counts.n_markers == 2
    first, last = particles[steps == 1][0], particles[steps == length][0]
    near = np.where(steps - 1 < length - steps, first, last)
    tie = steps - 1 == length - steps
    near[tie] = min(first, last)
    assert np.array_equal(particles, np.where(steps > 0, near, 0))
    # no marker at all: one piece, numbered after none
    counts, particles = in_blocks(phases, probability // 3, edge)
    assert (counts.n_markers, counts.n_without_marker, counts.n_particles) == (0, 1, 1)
    assert np.array_equal(particles, phases)


def test_volumes_that_are_all_one_thing():
    shape = (9, 8, 10)
    nothing, all_of_it = np.zeros(shape, np.uint8), np.ones(shape, np.uint8)
    counts, particles = in_blocks(nothing, 255 * all_of_it, 4)
    assert (counts.n_particles, counts.n_markers, particles.max()) == (0, 0, 0)
    counts, particles = in_blocks(all_of_it, 255 * all_of_it, 4)
    assert (counts.n_particles, counts.n_markers, counts.n_removed) == (1, 1, 0)
    assert particles.min() == 1
    counts, particles = in_blocks(all_of_it, 255 * all_of_it, 4, minimum_voxels=721)
    assert (counts.n_particles, counts.n_removed, particles.max()) == (0, 1, 0)
    # every other voxel a marker of its own
    board = (np.indices(shape).sum(0) % 2).astype(np.uint8)
    counts, particles = in_blocks(board, 255 * board, 3, minimum_voxels=0)
    assert counts.n_markers == board.sum() == particles.max()
    assert np.array_equal(particles[board > 0], np.arange(1, board.sum() + 1))
    for thin in ((1, 30, 30), (30, 1, 30), (30, 30, 1), (1, 1, 1)):
        probability = (255 * np.random.default_rng(0).random(thin)).astype(np.uint8)
        _, a = in_blocks(np.ones(thin, np.uint8), probability, 7, minimum_voxels=0)
        _, b = in_blocks(np.ones(thin, np.uint8), probability, 30, minimum_voxels=0)
        assert np.array_equal(a, b)
        assert a.min() > 0
    empty = np.zeros((0, 4, 4), np.uint8)
    assert separate_particles(empty, empty).particles.shape == (0, 4, 4)


def test_volumes_that_do_not_fit_are_refused():
    phases = np.zeros((4, 5, 6), np.uint8)
    run = ThreadRun(BlockGrid.of((4, 5, 6), 3))
    with pytest.raises(SlagsegError, match=r"particles \(4, 5, 7\)"):
        separate_blocks(phases, phases, np.zeros((4, 5, 7), np.uint32), run)
    run = ThreadRun(BlockGrid.of((8, 5, 6), 3))
    with pytest.raises(SlagsegError, match=r"\(8, 5, 6\)"):
        separate_blocks(phases, phases, np.zeros((4, 5, 6), np.uint32), run)
    with pytest.raises(SlagsegError, match="float32"):
        separate_blocks(phases, phases.astype(np.float32), phases, run)


def test_a_queue_that_is_too_short_says_so():
    from napari_slagseg.segmentation import flooding

    rng = np.random.default_rng(0)
    shape = (6, 6, 6)
    probability = rng.integers(0, 255, shape).astype(np.uint8)
    markers = np.zeros(shape, np.uint32)
    markers[0, 0, 0] = 1
    state = np.zeros((8, 8, 8), np.int64)
    flooding._prepare(state, markers, probability, np.ones(shape, np.uint8))
    # one level has a chunk, the next one finds none
    pool = np.empty(flooding.CHUNK, np.int32)
    assert flooding._first_flood(state.reshape(-1), 8, 64, pool) == flooding._FULL
    with pytest.raises(RuntimeError, match="status"):
        flooding._complain(flooding._FULL)
    with pytest.raises(SlagsegError, match="winds more than 8388607"):
        flooding._complain(flooding._FAR)
