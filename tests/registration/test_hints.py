"""What is refused before any search, in words that say what to do."""

import numpy as np
import pytest

from napari_slagseg.data import Landmarks, MineralMap, Phase, PhaseTable, SlagsegError, Volume
from napari_slagseg.registration import RegistrationSettings, place_map, prepare_ct
from napari_slagseg.registration.hints import search_space

TABLE = PhaseTable((Phase(0, "background", "#000000"), Phase(1, "a", "#ff0000")), "a")


@pytest.fixture(scope="module")
def noise_ct():
    data = np.random.default_rng(0).normal(500, 50, (32, 48, 64)).astype(np.float32)
    return prepare_ct(Volume(data, (4.0, 2.0, 2.0)))


def mapped(phases, pixel=1.0):
    return MineralMap(np.asarray(phases, np.int16), pixel, TABLE, name="cut 7")


def checkered(rows, columns):
    i, j = np.indices((rows, columns)) // 8
    return (i + j) % 2


def test_a_map_larger_than_the_ct(noise_ct):
    with pytest.raises(
        SlagsegError, match="Map cut 7 is larger than the CT: it measures 100 x 400"
    ):
        place_map(noise_ct, mapped(checkered(100, 400)))


def test_exchanged_sizes_are_guessed(noise_ct):
    with pytest.raises(SlagsegError, match="Were voxel size and pixel size exchanged"):
        place_map(noise_ct, mapped(checkered(100, 100), pixel=5.0))


@pytest.mark.parametrize("value", [0, 1, -1])
def test_a_map_of_a_single_phase(noise_ct, value):
    if value == 1:  # unknown pixels do not make it two
        phases = checkered(60, 60) * 2 - 1
    else:
        phases = np.full((60, 60), value)
    with pytest.raises(SlagsegError, match="Map cut 7 holds a single phase"):
        place_map(noise_ct, mapped(phases))


def test_a_height_window_outside_of_the_ct(noise_ct):
    with pytest.raises(SlagsegError, match=r"window 40 to 50 lies outside the CT.*0 to 31"):
        place_map(noise_ct, mapped(checkered(60, 60)), height_window=(40, 50))


def test_an_unknown_mirror_state(noise_ct):
    with pytest.raises(SlagsegError, match="mirror is 'maybe'; it must be auto, yes or no"):
        place_map(noise_ct, mapped(checkered(60, 60)), mirror="maybe")


@pytest.mark.parametrize(
    ("pixels", "words"),
    [([[0, 0], [50, 0]], "at least three pairs; there are 2"),
     ([[0, 0], [10, 10], [50, 50]], "in one line")],
)  # fmt: skip
def test_landmarks_that_fix_no_pose(noise_ct, pixels, words):
    pixels = np.array(pixels, float)
    voxels = np.column_stack([np.full(len(pixels), 10.0), pixels / 2])
    with pytest.raises(SlagsegError, match=words):
        place_map(noise_ct, mapped(checkered(60, 60)), landmarks=Landmarks(pixels, voxels))


def test_settings_that_make_no_sense():
    with pytest.raises(SlagsegError, match="coarsest level is 5"):
        RegistrationSettings(coarsest_level=5)
    with pytest.raises(SlagsegError, match="angle_step_deg is 0"):
        RegistrationSettings(angle_step_deg=0)


def test_hints_narrow_the_search(noise_ct):
    """In lengths: units of 2 um, so that slices of 4 um count twice; half a voxel on top."""
    space = search_space(noise_ct, (29.5, 29.5), (20, 4), -30.0, "yes", None, 2)
    assert space.heights == (9.0, 41.0)
    assert space.angles_deg == (-45.0, -15.0)
    assert space.mirrors == (True,)
    assert space.centre is None
    nothing = search_space(noise_ct, (29.5, 29.5), None, None, "auto", None, 2)
    assert nothing.heights is None
    assert nothing.angles_deg is None
    assert nothing.mirrors == (False, True)


def test_landmarks_narrow_everything(noise_ct):
    pixels = np.array([[10.0, 10.0], [50.0, 10.0], [10.0, 50.0]])
    # rows run along y, columns against x: mirrored, at 180 degrees
    voxels = np.column_stack([[10, 12, 14], 4 + pixels[:, 0] / 2, 40 - pixels[:, 1] / 2])
    space = search_space(noise_ct, (29.5, 29.5), None, None, "auto", Landmarks(pixels, voxels), 4)
    assert space.mirrors == (True,)
    low, high = space.angles_deg
    assert high - low == pytest.approx(30.0)
    assert 0.5 * (low + high) % 360 == pytest.approx(180.0)
    assert space.heights == pytest.approx((25.0 - 60, 25.0 + 60))  # slice 12
    y, x, radius = space.centre
    assert (y, x) == pytest.approx((4 + 14.75 + 0.5, 40 - 14.75 + 0.5))
    assert radius == 32.0
