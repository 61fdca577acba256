"""Particles on disk are those in memory, also after work that was cut off."""

import threading

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import CancelledError, SlagsegError, no_progress
from napari_slagseg.segmentation import separate_particles
from napari_slagseg.workflow.blockwise import BlockCosts, Resources, open_run
from napari_slagseg.workflow.plain import describe_files, separate_files
from napari_slagseg.workflow.segment_blocks import _check_tile, count_phases, store_of

SHAPE = (24, 30, 300)  # three blocks of threads along x
THREADS = Resources(workers=2, backend="threads")


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """Balls that touch, across all blocks, as arrays and as files."""
    z, y, x = np.indices(SHAPE)
    away = np.sqrt((z - 12) ** 2 + (y - 15) ** 2 + ((x % 22) - 11) ** 2)
    phases = ((away < 12) * (1 + (y > 15))).astype(np.uint8)
    rng = np.random.default_rng(0)
    probability = np.clip(255 - 14 * away + rng.normal(0, 3, SHAPE), 0, 255).astype(np.uint8)
    folder = tmp_path_factory.mktemp("predicted")
    io.write_zarr_arrays(
        folder / "p.zarr", {"phases": phases, "probability": probability}, (2.0, 2.0, 2.0)
    )
    io.write_volume(folder / "phases.tif", phases, (2.0, 2.0, 2.0))
    np.save(folder / "probability.npy", probability)
    return folder, phases, probability


@pytest.mark.parametrize(
    ("phases", "probability"),
    [("p.zarr/phases", "p.zarr/probability"), ("phases.tif", "probability.npy")],
)
def test_files_give_what_arrays_give(predicted, tmp_path, phases, probability):
    folder, *arrays = predicted
    out = tmp_path / "out.zarr"
    found = separate_files(
        folder / phases, folder / probability, out=out, minimum_voxels=50, resources=THREADS
    )
    expected = separate_particles(*arrays, minimum_voxels=50)
    assert found["particles"] == expected.particles.max() == 14
    np.testing.assert_array_equal(io.read_zarr_array(out, "particles"), expected.particles)
    assert io.stored_voxel_size(out / "particles") == (2.0, 2.0, 2.0)
    assert not (tmp_path / ".work").exists()
    table = describe_files(
        out / "particles", folder / phases, target="1", out=tmp_path / "t.csv", resources=THREADS
    )
    np.testing.assert_array_equal(
        table.frame["n_voxels"], np.bincount(expected.particles.reshape(-1))[1:]
    )


def test_cancelled_at_every_stage_it_ends_the_same(predicted, tmp_path):
    folder, *arrays = predicted
    token, seen = threading.Event(), set()

    def stop_at_new_stages(event):
        if event.stage not in seen:
            seen.add(event.stage)
            token.set()

    out, stops = tmp_path / "out.zarr", 0
    while not out.exists():
        token.clear()
        try:
            separate_files(
                folder / "p.zarr/phases", folder / "p.zarr/probability", out=out,
                minimum_voxels=50, resources=THREADS, progress=stop_at_new_stages, cancel=token,
            )  # fmt: skip
        except CancelledError:
            stops += 1
    assert stops >= 4
    expected = separate_particles(*arrays, minimum_voxels=50).particles
    np.testing.assert_array_equal(io.read_zarr_array(out, "particles"), expected)


def test_a_store_that_is_gone_is_made_anew_with_all_its_blocks(predicted, tmp_path):
    """As after a kill between the store's move to its place and the end of the work."""
    _, phases, _ = predicted
    costs = BlockCosts(bytes_per_voxel=4)

    def begun():
        return open_run(tmp_path, "count", {}, SHAPE, costs, THREADS, no_progress)

    with pytest.raises(CancelledError), begun() as run:  # noqa: PT012
        store, number = store_of(run, {"a": "uint8"}, SHAPE, None)
        count_phases(phases, run)
        assert store_of(run, {"a": "uint8"}, SHAPE, None) == (store, number)
        assert list((run.folder / "done").iterdir())
        store.rename(tmp_path / "moved.zarr")
        raise CancelledError
    with begun() as run:
        again, other = store_of(run, {"a": "uint8"}, SHAPE, None)
        assert again == store
        assert other != number
        assert not list((run.folder / "done").iterdir())
        counts = np.bincount(phases.reshape(-1))
        assert count_phases(phases, run) == dict(enumerate(counts.tolist()))


def test_tiles_must_make_up_blocks():
    _check_tile(96, (256, 256, 256))
    _check_tile(64, (256, 256, 257))
    with pytest.raises(SlagsegError, match=r"--tile 96.*Use 16, 32, 64, 128 or 256"):
        _check_tile(96, (256, 256, 257))


@pytest.mark.parametrize(
    ("phases", "probability", "words"),
    [
        ("p.zarr/phases", "other.npy", "has the shape .* and .*other.npy .*the same shape"),
        ("wide.npy", "p.zarr/probability", "wide.npy holds uint16"),
        ("p.zarr/nothing", "p.zarr/probability", "nothing"),
    ],
)
def test_inputs_that_do_not_fit(predicted, tmp_path, phases, probability, words):
    folder, array, _ = predicted
    np.save(folder / "other.npy", array[:5])
    np.save(folder / "wide.npy", array.astype(np.uint16))
    with pytest.raises(SlagsegError, match=words):
        separate_files(folder / phases, folder / probability, out=tmp_path / "out.zarr")
    assert not list(tmp_path.iterdir())
