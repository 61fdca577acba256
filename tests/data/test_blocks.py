import threading

import numpy as np
import pytest

from napari_slagseg.data import BlockGrid, CancelledError, SlagsegError, ThreadRun


@pytest.mark.parametrize("edges", [(4, 5, 6), (1, 1, 1), (100, 3, 2)])
def test_blocks_cover_every_voxel_once(edges):
    seen = np.zeros((7, 11, 13), dtype=int)
    grid = BlockGrid.of(seen.shape, edges)
    for number, block in enumerate(grid):
        seen[block.box] += 1
        assert grid.number(block) == number
        assert block.size == seen[block.box].size
    assert len(grid) == number + 1
    assert (seen == 1).all()


def test_a_halo_ends_at_the_volume():
    grid = BlockGrid.of((10, 10, 10), 5)
    outer, inner = grid.block((1, 0, 1)).around(3, grid.shape)
    assert outer == (slice(2, 10), slice(0, 8), slice(2, 10))
    assert inner == (slice(3, 8), slice(0, 5), slice(3, 8))


def test_neighbours_share_a_face():
    grid = BlockGrid.of((10, 10, 9), 4)
    block = grid.block((1, 1, 1))
    after = grid.neighbour(block, 2, +1)
    assert after.start == (4, 4, 8)
    assert grid.neighbour(after, 2, +1) is None
    assert grid.neighbour(after, 2, -1) == block


def test_a_block_of_nothing_is_refused():
    with pytest.raises(SlagsegError, match="cannot be cut"):
        BlockGrid.of((10, 0, 10), 4)


class _Doubled:
    def __init__(self, source, target):
        self.source, self.target = source, target

    def __call__(self, block, given):
        self.target[block.box] = 2 * self.source[block.box] + (given or 0)
        return {"sum": np.array(self.source[block.box].sum())}


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_call_a_task_on_every_block(threads):
    source = np.arange(7 * 8 * 9).reshape(7, 8, 9)
    told = []
    run = ThreadRun(BlockGrid.of(source.shape, 4), threads, told.append)
    target = run.scratch("target", np.int64)
    found = run.stage("double", _Doubled(source, target), given={(0, 0, 0): 5}, part=(0.5, 1.0))
    expected = 2 * source
    expected[:4, :4, :4] += 5
    np.testing.assert_array_equal(target, expected)
    assert list(found) == [b.index for b in run.grid]
    assert sum(int(f["sum"]) for f in found.values()) == source.sum()
    assert told[-1].fraction == 1.0


def test_a_token_stops_between_blocks():
    token = threading.Event()
    token.set()
    run = ThreadRun(BlockGrid.of((8, 8, 8), 4), 2, cancel=token)
    with pytest.raises(CancelledError):
        run.stage("double", _Doubled(np.ones((8, 8, 8)), run.scratch("t", float)))
