"""Blocks and workers that fit a bound of memory, and whether work keeps to it."""

import math

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slagseg.data import SlagsegError
from napari_slagseg.workflow.blockwise import Resources, choose_blocks, parse_memory
from napari_slagseg.workflow.blockwise.memory import BASE_BYTES, free_memory


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8GB", 8_000_000_000),
        ("8g", 8_000_000_000),
        ("500 MB", 500_000_000),
        ("1.5GiB", 1_610_612_736),
        (" 2 TiB ", 2_199_023_255_552),
        ("1024", 1024),
        ("64kib", 65_536),
    ],
)
def test_amounts_of_memory(text, expected):
    assert parse_memory(text) == expected
    assert Resources(memory=text).memory == expected


@pytest.mark.parametrize("text", ["", "GB", "8 apples", "-3GB", "1e400GB", "0", "nan", "8GBB"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(SlagsegError, match="such as 8GB"):
        parse_memory(text)


def test_a_small_volume_is_one_block():
    plan = choose_blocks((100, 200, 256), 20, 8_000_000_000, 4)
    assert plan.grid.edges == (100, 200, 256)
    assert (len(plan.grid), plan.workers) == (1, 1)
    assert plan.bytes_in_all == BASE_BYTES + 20 * 100 * 200 * 256


def test_workers_come_first_then_larger_blocks():
    shape = (1024, 1024, 1024)
    # 256^3 at 20 bytes: 0.34 GB, 0.69 with the process; four and the driver: 3.1 GB
    assert choose_blocks(shape, 20, 3_300_000_000, 4).workers == 4
    assert choose_blocks(shape, 20, 3_300_000_000, 4).grid.edges == (256, 256, 256)
    assert choose_blocks(shape, 20, 2_900_000_000, 4).workers == 3
    # with much memory still three blocks a worker
    plan = choose_blocks(shape, 20, 50_000_000_000, 4)
    assert (plan.workers, len(plan.grid), plan.grid.edges) == (4, 16, (256, 512, 512))
    assert choose_blocks(shape, 20, 50_000_000_000, 1).grid.edges == (512, 512, 512)


def test_too_little_memory_is_refused_with_the_least_that_is_enough():
    with pytest.raises(SlagsegError, match=r"at least --memory (\d+\.?\d*)GB") as error:
        choose_blocks((1024, 1024, 1024), 100, 1_000_000_000, 4, halo=16)
    least = parse_memory(str(error.value).split("--memory ")[1].rstrip("."))
    assert choose_blocks((1024, 1024, 1024), 100, least, 4, halo=16).workers == 1
    assert least - 100_000_000 <= BASE_BYTES + 100 * (256 + 32) ** 3 <= least


def test_workers_of_a_cluster_have_their_own_memory():
    plan = choose_blocks((2048,) * 3, 20, 400_000_000_000, 100, each=4_000_000_000)
    assert plan.workers == 100
    assert plan.bytes_per_worker <= 4_000_000_000
    with pytest.raises(SlagsegError, match="fewer threads or more memory"):
        choose_blocks((2048,) * 3, 20, 400_000_000_000, 100, each=500_000_000)


@given(
    shape=st.tuples(*[st.integers(1, 3000)] * 3),
    voxel=st.floats(1, 60),
    memory=st.integers(500_000_000, 64_000_000_000),
    workers=st.integers(1, 64),
    halo=st.integers(0, 64),
    own=st.booleans(),
)
def test_a_plan_keeps_to_the_memory(shape, voxel, memory, workers, halo, own):
    try:
        plan = choose_blocks(shape, voxel, memory, workers, halo=halo, own_processes=own)
    except SlagsegError:
        smallest = math.prod(min(n, 256 + 2 * halo) for n in shape)
        assert BASE_BYTES + voxel * smallest > memory
        return
    assert 1 <= plan.workers <= min(workers, len(plan.grid))
    voxels = math.prod(min(n, e + 2 * halo) for n, e in zip(shape, plan.grid.edges))
    alone = own and plan.workers > 1
    need = BASE_BYTES + plan.workers * (voxel * voxels + alone * BASE_BYTES)
    assert need <= plan.bytes_in_all + plan.workers <= memory + 2 * plan.workers
    assert all(e % 256 == 0 or e == n for e, n in zip(plan.grid.edges, shape))
    assert all(e <= 512 for e in plan.grid.edges)


def test_free_memory_is_no_more_than_the_machine_has():
    assert 0 < free_memory() <= psutil.virtual_memory().total
