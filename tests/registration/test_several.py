"""Several maps of one sample, of which one is doubtful alone."""

from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import PlacedMap, PlacementSurface
from napari_slagseg.registration import Hints, several


@pytest.fixture
def calls(monkeypatch):
    """What `place_map` is called with; a map called doubtful is refused unless it is expected."""
    seen = []
    axis = np.linspace(0, 99, 5)
    r, c = np.meshgrid(axis, axis, indexing="ij")

    def place_map(prepared, source, **values):
        seen.append((source.name, values))
        z = {"map_1": 10.0, "doubtful": 20.0, "map_3": 30.0, "foreign": 5.0}[source.name]
        sure = source.name.startswith("map")
        found = sure or (source.name == "doubtful" and values["expected"] is not None)
        zyx = np.stack([z + 0.02 * r, 0.4 * r, 0.4 * c], axis=-1)
        return PlacedMap(
            source.name, (100, 100), 1.0, (40, 50, 50), (2.5,) * 3, found, 0.7,
            surface=PlacementSurface(axis, axis, zyx), probability=0.999 if found else 0.4,
        )  # fmt: skip

    monkeypatch.setattr(several, "place_map", place_map)
    return seen


def maps(easy, *names):
    return [replace(easy.maps[0].mineral_map, name=name) for name in names]


def test_a_refused_map_is_searched_for_again_with_what_the_others_say(easy, easy_ct, calls):
    stored = []
    found = several.place_maps(
        easy_ct, maps(easy, "map_1", "doubtful", "map_3"), on_placed=stored.append
    )
    assert [name for name, _ in calls] == ["map_1", "doubtful", "map_3", "doubtful"]
    assert all(values["expected"] is None for _, values in calls[:3])
    expected = calls[3][1]["expected"]
    # between the heights of its neighbours, tilted like them: 0.02 voxels a pixel of 0.4 voxels
    assert expected.heights == pytest.approx((12.0, 32.0), abs=0.6)
    assert np.hypot(*expected.slopes) == pytest.approx(0.05, abs=1e-3)
    assert found["doubtful"].placed
    assert [(p.map_name, p.placed) for p in stored] == [
        ("map_1", True), ("doubtful", False), ("map_3", True), ("doubtful", True),
    ]  # fmt: skip


def test_a_map_that_stays_refused_is_told_of_once(easy, easy_ct, calls):
    stored = []
    found = several.place_maps(easy_ct, maps(easy, "map_1", "foreign"), on_placed=stored.append)
    assert [p.map_name for p in stored] == ["map_1", "foreign"]
    assert not found["foreign"].placed


def test_maps_placed_before_help(easy, easy_ct, calls):
    (known,) = several.place_maps(easy_ct, maps(easy, "map_1")).values()
    found = several.place_maps(easy_ct, maps(easy, "doubtful"), known={"map_1": known})
    assert found["doubtful"].placed
    assert set(found) == {"doubtful"}


def test_nobody_second_guesses_a_map_that_was_set_by_hand(easy, easy_ct, calls):
    (known,) = several.place_maps(easy_ct, maps(easy, "map_1")).values()
    calls.clear()
    several.place_maps(
        easy_ct, maps(easy, "doubtful"), known={"map_1": known},
        hints={"doubtful": Hints(start=known)},
    )  # fmt: skip
    assert len(calls) == 1
    assert calls[0][1]["start"] is known
