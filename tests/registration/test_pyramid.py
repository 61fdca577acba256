import numpy as np
import pytest

from napari_slagseg.data import SlagsegError, Volume
from napari_slagseg.registration import prepare_ct
from napari_slagseg.registration.sampling import sample_block

SLOPE = np.array([0.7, -1.3, 2.1])


def ramp(shape):
    z, y, x = np.indices(shape)
    return SLOPE[0] * z + SLOPE[1] * y + SLOPE[2] * x


@pytest.mark.parametrize("level", [1, 2, 4, 8])
def test_half_pixel_rule_of_every_level(bare, level):
    """A coarse voxel's centre lies at (i + 1/2) * level - 1/2 fine voxels."""
    block = bare(ramp((16, 24, 32))).whole(level)
    i = np.moveaxis(np.indices(block.data.shape), 0, -1)
    np.testing.assert_allclose(block.data, ((i + 0.5) * level - 0.5) @ SLOPE, atol=1e-4)


@pytest.mark.parametrize("level", [1, 2, 4, 8])
@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (0.5, 1.0, 1.0)])
def test_samples_of_a_ramp_are_exact_at_every_level(bare, level, voxel):
    """One length means one place at every level, whatever the voxels' shape."""
    prepared = bare(ramp((32, 32, 48)), voxel)
    rng = np.random.default_rng(0)
    room = prepared.factors(level) * prepared.voxel
    positions = rng.uniform(room, prepared.extent - room, (200, 3))
    samples, inside = sample_block(prepared, prepared.whole(level), positions)
    assert inside.all()
    np.testing.assert_allclose(
        samples[:, 0], (positions / prepared.voxel - 0.5) @ SLOPE, rtol=0, atol=1e-3
    )
    np.testing.assert_allclose(samples[:, 1:] * prepared.voxel, np.tile(SLOPE, (200, 1)), atol=1e-3)


def test_samples_outside_the_volume_are_marked(bare):
    prepared = bare(ramp((16, 16, 16)))
    positions = np.array([[8, 8, 8], [-0.1, 8, 8], [8, 16.1, 8], [8, 8, 15.9]], dtype=float)
    _, inside = sample_block(prepared, prepared.whole(2), positions)
    assert inside.tolist() == [True, False, False, True]


def test_far_positions_are_sampled_alike_alone_and_in_a_crowd(bare):
    """Many positions take the path with threads."""
    prepared = bare(ramp((16, 24, 24)))
    positions = np.random.default_rng(1).uniform(-2, 26, (60_000, 3))
    many, inside = sample_block(prepared, prepared.whole(1), positions)
    few, inside_few = sample_block(prepared, prepared.whole(1), positions[:1000])
    np.testing.assert_array_equal(many[:1000], few)
    np.testing.assert_array_equal(inside[:1000], inside_few)


def test_a_slab_is_a_part_of_the_whole(bare):
    data = np.random.default_rng(2).normal(size=(40, 16, 16))
    prepared = bare(data)
    slab, whole = prepared.slab(4, 13.0, 22.0), prepared.whole(4)
    first = round(float(slab.origin[0] / slab.pitch[0]))
    assert slab.origin[0] <= 13.0
    assert slab.origin[0] + len(slab.data) * slab.pitch[0] >= 22.0
    assert len(slab.data) < len(whole.data)
    np.testing.assert_array_equal(slab.data, whole.data[first : first + len(slab.data)])


@pytest.mark.parametrize("kind", ["uint8", "uint16", ">u2", "int16", "float32", "float64", "int64"])
def test_any_grey_type_gives_the_same_levels(kind):
    data = np.random.default_rng(4).integers(0, 255, (24, 40, 40))
    wanted = prepare_ct(Volume(data.astype(np.uint8), (1.0,) * 3)).whole(4).data
    found = prepare_ct(Volume(data.astype(kind), (1.0,) * 3)).whole(4).data
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_grey_values_are_divided_by_their_spread():
    data = np.random.default_rng(5).normal(0, 1, (24, 40, 40))
    one = prepare_ct(Volume(data, (1.0,) * 3)).whole(4).data
    other = prepare_ct(Volume(900 + 250 * data, (1.0,) * 3)).whole(4).data
    assert one.std() == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(other, one, atol=2e-3)


def test_a_constant_volume_is_refused():
    with pytest.raises(SlagsegError, match=r"CT is constant \(every voxel is 7\)"):
        prepare_ct(Volume(np.full((16, 16, 16), 7, np.uint8), (1.0,) * 3))


def test_a_thin_volume_is_refused():
    with pytest.raises(SlagsegError, match=r"\(1, 64, 64\).*at least 8 voxels"):
        prepare_ct(Volume(np.zeros((1, 64, 64)), (1.0,) * 3))


def test_values_that_are_not_finite_are_named_with_their_slice():
    data = np.random.default_rng(6).normal(size=(16, 16, 16)).astype(np.float32)
    data[11, 3, 4:6] = np.nan
    with pytest.raises(SlagsegError, match="2 values in slice 11 that are not finite"):
        prepare_ct(Volume(data, (1.0,) * 3))


def test_complex_values_are_refused():
    with pytest.raises(SlagsegError, match="complex64"):
        prepare_ct(Volume(np.zeros((16, 16, 16), np.complex64), (1.0,) * 3))
