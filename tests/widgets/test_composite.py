"""Pictures of known arrays."""

import numpy as np
import pytest

from napari_slagseg.widgets import composite
from napari_slagseg.widgets.composite import NOTHING

RED = np.full((8, 12, 3), (200, 0, 0), np.uint8)
BLUE = np.full((8, 12, 3), (0, 0, 100), np.uint8)


def test_grey_values_are_stretched_between_the_limits_and_the_unknown_is_told_apart():
    image = np.array([[10.0, 60.0, 110.0, 500.0, -3.0, np.nan]])
    out = composite.grey_picture(image, (10, 110))
    assert out[0, :5, 0].tolist() == [0, 127, 255, 255, 0]
    assert (out[0, :5] == out[0, :5, :1]).all()
    assert tuple(out[0, 5]) == NOTHING


def test_classes_take_their_colours():
    out = composite.class_picture(np.array([[0, 2, 7]]), {0: (1, 2, 3), 2: (9, 8, 7)})
    assert out[0].tolist() == [[1, 2, 3], [9, 8, 7], list(NOTHING)]


def test_side_by_side_keeps_both_whole():
    out = composite.side_by_side(RED, BLUE, 5)
    assert out.shape == (8, 29, 3)
    assert (out[:, :12] == RED).all()
    assert (out[:, 17:] == BLUE).all()
    assert (out[:, 12:17] == NOTHING).all()


def test_checkerboard_takes_tiles_in_turn():
    out = composite.checkerboard(RED, BLUE, 4)
    red = out[..., 0] == 200
    assert red[:4, :4].all()
    assert not red[:4, 4:8].any()
    assert red[:4, 8:].all()
    assert not red[4:, :4].any()
    assert red.sum() == 48


@pytest.mark.parametrize(("share", "columns"), [(0, 0), (0.25, 3), (1, 12), (7, 12)])
def test_swipe_shows_the_left_picture_up_to_its_share(share, columns):
    red = composite.swipe(RED, BLUE, share)[..., 0] == 200
    assert red[:, :columns].all()
    assert not red[:, columns:].any()


def test_blend_weighs_both():
    assert (composite.blend(RED, BLUE, 0) == RED).all()
    assert (composite.blend(RED, BLUE, 1) == BLUE).all()
    assert composite.blend(RED, BLUE, 0.25)[0, 0].tolist() == [150, 0, 25]


def test_class_edges_lie_on_one_side_of_each_boundary():
    classes = np.zeros((6, 6), int)
    classes[2:4, 2:4] = 1
    edges = composite.class_edges(classes)
    assert np.argwhere(edges).tolist() == [
        [1, 2], [1, 3], [2, 1], [2, 3], [3, 1], [3, 2], [3, 3],
    ]  # fmt: skip


def test_grey_edges_follow_a_disc_and_not_the_rim_of_the_known():
    rows, columns = np.indices((101, 101)) - 50
    radius = np.hypot(rows, columns)
    image = np.where(radius <= 20, 100.0, 20.0)
    image[:, :8] = np.nan
    edges = composite.grey_edges(image, share=0.05)
    assert edges.sum() > 100
    assert np.abs(radius[edges] - 20.5).max() <= 1.5
    # thin: about as many pixels as the disc's rim is long, not a band
    assert edges.sum() < 2 * 2 * np.pi * 20


def test_no_edges_where_nothing_is_known():
    assert not composite.grey_edges(np.full((9, 9), np.nan)).any()


def test_edges_are_drawn_and_the_rest_is_kept():
    edges = np.zeros((8, 12), bool)
    edges[3, 4] = True
    out = composite.draw_edges(RED, edges, (1, 2, 3))
    assert tuple(out[3, 4]) == (1, 2, 3)
    assert (out != RED).any(axis=-1).sum() == 1
    assert (RED == (200, 0, 0)).all()


def test_residual_is_white_at_zero_and_coloured_by_its_sign():
    image = np.array([[50.0, 60.0, 40.0, 90.0, np.nan]])
    out = composite.residual_picture(image, np.full((1, 5), 50.0), 20.0)
    assert out[0, 0].tolist() == [247, 247, 247]
    assert out[0, 1].tolist() == [230, 170, 124]  # half way to vermilion
    assert out[0, 2].tolist() == [124, 180, 212]  # half way to blue
    assert out[0, 3].tolist() == [213, 94, 0]
    assert tuple(out[0, 4]) == NOTHING
