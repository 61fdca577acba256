import numpy as np
import pytest

from napari_slagseg.data import BlockGrid, SlagsegError, ThreadRun
from napari_slagseg.segmentation.label_boxes import boxes_of_volume, label_boxes


def test_boxes_of_known_boxes():
    labels = np.zeros((20, 30, 40), np.uint32)
    labels[2:5, 3:7, 4:9] = 4
    labels[19, 29, 39] = 4_000_000_000
    labels[0, 0, 0], labels[10, 20, 30] = 9, 9  # apart
    present, boxes = label_boxes(labels)
    assert present.tolist() == [4, 9, 4_000_000_000]
    assert boxes.tolist() == [[2, 3, 4, 5, 7, 9], [0, 0, 0, 11, 21, 31], [19, 29, 39, 20, 30, 40]]


def test_of_nothing():
    present, boxes = label_boxes(np.zeros((3, 4, 5), np.uint32))
    assert present.shape == (0,)
    assert boxes.shape == (0, 6)


@pytest.mark.parametrize("edge", [7, 16, 100])
def test_blocks_give_the_same(edge):
    rng = np.random.default_rng(edge)
    labels = rng.integers(0, 60, (33, 21, 40)).astype(np.uint32)
    labels[labels > 40] = 0
    labels[:, :10] = 0
    run = ThreadRun(BlockGrid.of(labels.shape, edge), 2)
    present, boxes = boxes_of_volume(labels, run)
    assert present.tolist() == list(range(1, 41))
    for label, box in zip(present, boxes):
        places = np.argwhere(labels == label)
        assert box.tolist() == [*places.min(axis=0), *(places.max(axis=0) + 1)]


def test_what_is_no_label():
    with pytest.raises(SlagsegError):
        label_boxes(np.full((2, 2, 2), -3, np.int32))
