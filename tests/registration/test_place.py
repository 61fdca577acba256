"""Whole placements of tiny maps, against the phantom's exact truth."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_slagseg.data import CancelledError, Landmarks, Volume
from napari_slagseg.phantom import make_phantom
from napari_slagseg.registration import (
    RegistrationSettings,
    place_map,
    placement_error,
    prepare_ct,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(scope="module")
def quick_ct(easy):
    """Fewer candidates: enough where hints leave little to search."""
    return prepare_ct(easy.ct, RegistrationSettings(candidates=4, finalists=1))


def flipped(cut):
    """The map as if looked at from behind."""
    phases = np.ascontiguousarray(cut.mineral_map.phases[:, ::-1])
    return replace(
        cut,
        mineral_map=replace(cut.mineral_map, phases=phases),
        coordinates=cut.coordinates[:, ::-1],
        mirrored=not cut.mirrored,
    )


def assert_right(placed, cut, median=0.5, worst=2.0):
    error = placement_error(placed, cut.coordinates)
    assert placed.placed, placed.reason
    assert placed.mirrored is cut.mirrored
    assert error["median"] < median
    assert error["worst"] < worst
    assert error["share_placed"] > 0.9


def test_a_map_is_placed_with_nothing_known(easy, placed_blindly):
    cut = easy.maps[1]
    assert_right(placed_blindly, cut)
    assert placement_error(placed_blindly, cut.coordinates)["share_within_1"] > 0.95


def test_what_a_placement_says_of_itself(easy, placed_blindly):
    placed, cut = placed_blindly, easy.maps[1]
    assert placed.map_name == cut.mineral_map.name
    assert placed.map_shape == cut.mineral_map.shape
    assert placed.details["tilt_deg"] == pytest.approx(cut.tilt_deg, abs=1.5)
    assert 0.5 < placed.score <= 1
    json.dumps(dict(placed.details))
    good = [c for c in placed.cutouts if c.accepted]
    assert len(good) > 0.8 * len(placed.cutouts)
    for c in good:  # each cutout's own pose is right, too
        r, k = c.row + c.height // 2, c.column + c.width // 2
        at = c.at(np.array(float(r)), np.array(float(k)))
        assert np.linalg.norm(at - cut.coordinates[r, k]) < 2
        assert np.linalg.norm(c.row_step_zyx) == pytest.approx(1 / 2.3, rel=0.02)


def test_a_map_of_another_sample_is_refused_with_the_numbers(easy_ct):
    foreign = make_phantom("tiny", "easy", 5).maps[0].mineral_map
    placed = place_map(easy_ct, foreign)
    assert not placed.placed
    assert "no place in the CT fits this map" in placed.reason
    numbers = (f"{placed.score:.2f}", f"{placed.details['ratio_to_second_place']:.2f}")
    assert any(n in placed.reason for n in numbers)
    assert not placed.placed_mask().any()
    assert np.isnan(placed.coordinates()).all()


@pytest.mark.parametrize("flip", [False, True])
def test_mirror_state_is_found(easy, quick_ct, hints, flip):
    cut = flipped(easy.maps[0]) if flip else easy.maps[0]
    known = hints(cut) | {"mirror": "auto"}
    assert_right(place_map(quick_ct, cut.mineral_map, **known), cut)


def test_wrong_mirror_state_is_refused(easy, quick_ct, hints):
    cut = easy.maps[0]
    known = hints(cut) | {"mirror": "no" if cut.mirrored else "yes"}
    placed = place_map(quick_ct, cut.mineral_map, **known)
    assert not placed.placed
    assert "mirror state" in placed.reason


def test_wrong_height_window_is_refused(easy, quick_ct, hints):
    cut = easy.maps[0]
    low, _ = hints(cut)["height_window"]
    known = hints(cut) | {"height_window": (low + 25, low + 35)}
    assert not place_map(quick_ct, cut.mineral_map, **known).placed


def test_wrong_angle_is_refused(easy, quick_ct, hints):
    cut = easy.maps[0]
    known = hints(cut) | {"angle_deg": hints(cut)["angle_deg"] + 90}
    assert not place_map(quick_ct, cut.mineral_map, **known).placed


def test_rough_landmarks_are_enough(easy, quick_ct):
    cut = easy.maps[1]
    rows, columns = cut.mineral_map.shape
    pixels = np.array([[0.2, 0.25], [0.25, 0.8], [0.8, 0.7], [0.75, 0.2], [0.5, 0.5]])
    pixels = np.rint(pixels * (rows - 1, columns - 1))
    rng = np.random.default_rng(0)
    voxels = cut.coordinates[tuple(pixels.astype(int).T)] + rng.normal(0, 3, (5, 3))
    voxels[3] += (0, 35, -30)  # one click on the wrong particle
    placed = place_map(quick_ct, cut.mineral_map, landmarks=Landmarks(pixels, voxels))
    assert_right(placed, cut)


def test_the_same_seed_gives_the_same_bits(easy, quick_ct, hints):
    cut = easy.maps[0]
    first, again = (place_map(quick_ct, cut.mineral_map, **hints(cut), seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.surface.zyx, again.surface.zyx)
    assert first.cutouts == again.cutouts
    assert first.score == again.score


def test_progress_rises_to_the_end(easy, quick_ct, hints):
    cut = easy.maps[0]
    events = []
    place_map(quick_ct, cut.mineral_map, **hints(cut), progress=events.append)
    shares = [e.fraction for e in events if e.fraction is not None]
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] > 0.9
    assert shares[-1] <= 1
    assert all(e.stage for e in events)


@pytest.mark.parametrize(
    "stage", ["searching all poses", "fitting the surface", "registering cutouts", "looking closer"]
)
def test_cancel_stops_every_stage_at_once(easy, quick_ct, hints, stage):
    cut, token, heard = easy.maps[0], threading.Event(), []

    def listen(event):
        if token.is_set():
            heard.append(event)
        elif event.stage == stage:
            token.set()

    with pytest.raises(CancelledError):
        place_map(quick_ct, cut.mineral_map, **hints(cut), progress=listen, cancel=token)
    assert token.is_set()
    assert heard == []


def test_cancel_stops_the_preparation(easy):
    token = threading.Event()
    token.set()
    with pytest.raises(CancelledError):
        prepare_ct(easy.ct, cancel=token)


def test_slices_twice_as_thick(easy, hints):
    """The same CT with pairs of slices averaged: voxels of 4.6 x 2.3 x 2.3 um."""
    cut = easy.maps[0]
    z, y, x = easy.ct.shape
    data = easy.ct.data.reshape(z // 2, 2, y, x).mean(axis=1).astype(np.float32)
    ct = prepare_ct(Volume(data, (4.6, 2.3, 2.3)), RegistrationSettings(candidates=4, finalists=1))
    known = hints(cut)
    low, high = known["height_window"]
    known["height_window"] = (low / 2, high / 2)
    placed = place_map(ct, cut.mineral_map, **known)
    true = (cut.coordinates.astype(float) + 0.5) / (2, 1, 1) - 0.5
    assert placed.placed, placed.reason
    error = placement_error(placed, true)
    assert error["median"] < 0.5
    assert error["worst"] < 2
    assert placed.voxel_size_um == (4.6, 2.3, 2.3)


def test_a_ct_that_is_not_prepared_is_prepared_on_the_way(easy, hints):
    cut = easy.maps[1]
    settings = RegistrationSettings(candidates=4, finalists=1)
    assert_right(place_map(easy.ct, cut.mineral_map, settings=settings, **hints(cut)), cut)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["medium", "hard", "extreme"])
def test_no_map_is_lost_at_any_level(level):
    phantom = make_phantom("sample", level, 0, n_maps=2)
    other = make_phantom("sample", level, 1000, n_maps=1)
    ct = prepare_ct(phantom.ct)
    for cut in phantom.maps:
        assert_right(place_map(ct, cut.mineral_map), cut, median=1.0, worst=6.0)
    assert not place_map(ct, other.maps[0].mineral_map).placed
