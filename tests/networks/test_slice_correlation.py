"""The search on a torch device, against the one with scipy."""

from functools import partial

import numpy as np
import pytest

from napari_slagseg.networks import TorchSliceCorrelator
from napari_slagseg.phantom import make_phantom
from napari_slagseg.registration import RegistrationSettings, place_map, prepare_ct
from napari_slagseg.registration.pyramid import Block
from napari_slagseg.registration.slice_correlator import SliceCorrelator


def test_correlations_are_those_of_the_cpu_search():
    rng = np.random.default_rng(0)
    block = Block(rng.normal(size=(7, 41, 53)).astype(np.float32), np.zeros(3), np.full(3, 4.0))
    plain = SliceCorrelator(block, 6.0, 1)
    other = TorchSliceCorrelator(block, 6.0, 1, device="cpu")
    template = rng.normal(size=plain.disc.shape).astype(np.float32) * plain.disc
    template -= plain.disc * template.sum() / plain.disc.sum()
    found = [np.empty((7, *plain.padded), np.float32) for _ in range(2)]
    peaks = [c.correlate([template], out[None]) for c, out in zip((plain, other), found)]
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(peaks[1], peaks[0], atol=1e-5)


def test_a_map_is_placed_with_it():
    phantom = make_phantom("tiny", "easy", 0)
    cut = phantom.maps[1]
    ct = prepare_ct(phantom.ct, RegistrationSettings(candidates=4, finalists=1))
    middle = cut.coordinates[cut.coordinates.shape[0] // 2, cut.coordinates.shape[1] // 2]
    known = {
        "height_window": (float(middle[0]) - 6, float(middle[0]) + 6),
        "mirror": "yes" if cut.mirrored else "no",
    }
    on_torch = place_map(
        ct, cut.mineral_map, **known, correlator=partial(TorchSliceCorrelator, device="cpu")
    )
    plain = place_map(ct, cut.mineral_map, **known)
    assert on_torch.placed
    assert on_torch.surface.zyx == pytest.approx(plain.surface.zyx, abs=0.05)
