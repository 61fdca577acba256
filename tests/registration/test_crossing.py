"""Two cuts of one sample cannot cross."""

import numpy as np
import pytest

from napari_slagseg.data import PlacedMap, PlacementSurface
from napari_slagseg.registration.crossing import cross, with_crossings


def lying(name, height, slope=0.0, sag=0.0, y0=0.0, placed=True):
    axis = np.linspace(0, 199, 8)
    r, c = np.meshgrid(axis, axis, indexing="ij")
    y, x = 0.5 * r + y0, 0.5 * c
    z = height + slope * (x - 50) + sag * (((x - 50) / 50) ** 2 + ((y - 50) / 50) ** 2)
    surface = PlacementSurface(axis, axis, np.stack([z, y, x], axis=-1))
    return PlacedMap(
        name, (200, 200), 1.0, (80, 100, 100), (2.0,) * 3, placed, 0.9, surface=surface,
        reason="" if name != "doubtful" else "Look.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (lying("a", 30, 0.1), lying("b", 30, -0.1), True),
        (lying("a", 30, 0.1), lying("b", 50, -0.1), False),  # would cross outside of the CT
        (lying("a", 30, sag=8), lying("b", 34), True),  # a bowl through a plane
        (lying("a", 30, sag=8), lying("b", 28), False),
        (lying("a", 30), lying("b", 31, 0.02), False),  # not clearly
        (lying("a", 30, 0.1), lying("b", 30, -0.1, y0=150.0), False),  # beside each other
    ],
)
def test_surfaces_that_pass_through_each_other(a, b, expected):
    assert cross(a, b) is expected
    assert cross(b, a) is expected


def test_both_are_warned_of_and_keep_what_was_said_before():
    doubtful, other = lying("doubtful", 30, 0.1), lying("other", 30, -0.1)
    first, second = with_crossings([doubtful, other], [])
    assert first.reason.startswith("Look. Its surface crosses that of other")
    assert "crosses that of doubtful" in second.reason
    assert [p.map_name for p in with_crossings([doubtful], [other])] == ["doubtful"]


def test_refused_maps_cross_nothing():
    refused = lying("refused", 30, -0.1, placed=False)
    assert with_crossings([lying("a", 30, 0.1), refused], []) == []
