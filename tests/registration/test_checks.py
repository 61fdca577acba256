"""Maps that cannot be placed at all, and sizes that look exchanged."""

import numpy as np
import pytest

from napari_slagseg.data import GreyMap, MineralMap, Phase, PhaseTable, SlagsegError, Volume
from napari_slagseg.registration.checks import check_field_size, check_map, exchanged_sizes

TABLE = PhaseTable(
    (Phase(0, "background", "#000000"), Phase(1, "a", "#ff0000"), Phase(2, "b", "#00ff00")), "a"
)
CT = ((60, 100, 100), (2.0, 2.0, 2.0))


def blobs(n, shape=(150, 150)):
    phases = np.zeros(shape, np.int16)
    for k in range(n):
        r, c = divmod(k, 6)
        phases[10 + 22 * r : 20 + 22 * r, 10 + 22 * c : 20 + 22 * c] = 1
    return MineralMap(phases, 1.0, TABLE, "few")


def check(source):
    check_map(*CT, source, 0.25)


def test_ten_particles_are_enough_and_nine_are_not():
    check(blobs(10))
    with pytest.raises(SlagsegError, match=r"few holds 9 particles.*at least 10 are needed"):
        check(blobs(9))


def test_speckle_makes_no_particles():
    source = blobs(9)
    source.phases[1::10, 1::10] = 2
    with pytest.raises(SlagsegError, match="holds 9 particles"):
        check(source)


def test_a_dense_rock_of_many_grains_is_no_map_of_one_particle():
    phases = np.ones((150, 150), np.int16)
    phases[blobs(12).phases > 0] = 2
    check(MineralMap(phases, 1.0, TABLE, "rock"))
    with pytest.raises(SlagsegError, match="particles"):
        check(MineralMap(np.where(phases == 2, 1, phases) - (np.arange(150) < 9), 1.0, TABLE, "x"))


def test_a_grey_map_must_show_something():
    check(GreyMap(np.random.default_rng(0).random((150, 150), np.float32), 1.0, "bse"))
    for grey, words in ((np.ones((50, 50)), "every pixel is 1"),
                        (np.full((50, 50), np.nan), "no pixel is known")):  # fmt: skip
        with pytest.raises(SlagsegError, match=words):
            check(GreyMap(grey.astype(np.float32), 1.0, "bse"))


def test_exchanged_sizes_are_seen():
    """A map of 1 um pixels in a CT of 2.3 um voxels, the two sizes given the wrong way round."""
    ct = Volume(np.zeros((40, 200, 200), np.uint8), (1.0, 1.0, 1.0))
    rng = np.random.default_rng(0)
    whole = MineralMap(rng.integers(0, 2, (440, 440)).astype(np.int16), 2.3, TABLE, "m")
    with pytest.raises(SlagsegError, match=r"Were voxel size and pixel size exchanged\?"):
        check_map(ct.shape, ct.voxel_size_um, whole, 0.25)
    quarter = MineralMap(whole.phases[:240, :240], 2.3, TABLE, "m")
    assert "were the two sizes exchanged?" in exchanged_sizes(ct, quarter)
    right = Volume(ct.data, (2.3, 2.3, 2.3))
    assert exchanged_sizes(right, MineralMap(quarter.phases, 1.0, TABLE, "m")) == ""


@pytest.mark.parametrize("size", [(8, 40), (150, 150), (400, 400)])
def test_fields_that_cannot_be(size):
    with pytest.raises(SlagsegError, match="cannot make up map few"):
        check_field_size(blobs(12), size)
    check_field_size(blobs(12), None)
    check_field_size(blobs(12), (75, 150))
