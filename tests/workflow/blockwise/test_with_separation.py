"""A real piece of work: particles separated on disk, by processes, are those in memory."""

import numpy as np
import pytest

from napari_slagseg.data import BlockGrid, CancelledError
from napari_slagseg.segmentation import separate_particles
from napari_slagseg.segmentation.separation import separate_blocks
from napari_slagseg.workflow.blockwise import DiskRun
from napari_slagseg.workflow.blockwise.processes import ProcessBackend
from napari_slagseg.workflow.blockwise.threads import ThreadBackend

SHAPE = (40, 44, 48)


def balls():
    """Overlapping balls: their union, and a probability that falls towards their rims."""
    rng = np.random.default_rng(4)
    probability = np.zeros(SHAPE)
    at = np.stack(np.indices(SHAPE), axis=-1)
    for _ in range(60):
        centre, radius = rng.uniform(0, SHAPE), rng.uniform(4, 8)
        away = np.linalg.norm(at - centre, axis=-1)
        probability = np.maximum(probability, 1 - away / radius)
    phases = (probability > 0).astype(np.uint8)
    return phases, np.round(255 * np.clip(probability * 1.6, 0, 1)).astype(np.uint8)


class StopAfter:
    """A cancel token that is set after so many looks at it."""

    def __init__(self, looks):
        self.looks = looks

    def is_set(self):
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_interrupted_again_and_again_it_gives_what_one_piece_gives(tmp_path, backend):
    phases, probability = balls()
    expected = separate_particles(phases, probability, minimum_voxels=20).particles
    assert expected.max() > 10
    grid = BlockGrid.of(SHAPE, (16, 20, 16))
    made = ThreadBackend(2) if backend == "threads" else ProcessBackend(2, tmp_path / "logs")
    interruptions, looks = 0, 20
    while True:
        run = DiskRun(tmp_path / "work", grid, made, cancel=StopAfter(looks))
        out = run.scratch("out", np.uint32)
        try:
            separate_blocks(phases, probability, out, run, minimum_voxels=20)
        except CancelledError:
            interruptions, looks = interruptions + 1, looks + 12
        else:
            break
    run.close()
    assert interruptions >= 3
    np.testing.assert_array_equal(out[...], expected)
