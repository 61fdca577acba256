"""The search over all shifts, on a volume that is a formula."""

import numpy as np
import pytest

from napari_slagseg.registration.pyramid import Block
from napari_slagseg.registration.rigid_cutouts import Window, local_surface
from napari_slagseg.registration.surface import MapPoints, flat_surface
from napari_slagseg.registration.translation_search import search_shifts

PIXEL, LEVEL = 0.5, 4
WHOLE = Window(0, 0, 200, 200)


@pytest.fixture(scope="module")
def searched(bare, texture):
    """A CT at level 4, and a map that truly lies `off` from the surface it begins on."""
    z, y, x = np.indices((24, 40, 40))
    centres = (np.stack([z, y, x], -1) + 0.5) * LEVEL
    block = Block(texture(centres).astype(np.float32), np.zeros(3), np.full(3, float(LEVEL)))
    ct = bare(np.zeros((96, 160, 160)))

    def search(off, noise=0.0, scale=1.0, where=(48.0, 80.0, 80.0)):
        surface = flat_surface((200, 200), PIXEL, np.array(where), 20.0, False, (0.05, 0.02))
        rows, columns = (a.ravel().astype(float) for a in np.mgrid[4:200:8, 4:200:8])
        seen = texture(surface.at(rows, columns) + np.asarray(off))
        seen = seen + noise * np.random.default_rng(0).standard_normal(len(seen))
        # one phase that is the grey value itself; slopes and a constant do not count
        fractions = (scale * seen + 0.01 * rows - 3.0)[:, None]
        points = MapPoints(rows, columns, fractions, np.ones(len(rows)), 64.0)
        piece = (WHOLE, local_surface(surface, WHOLE))
        return search_shifts(ct, block, points, [piece], np.array([1.0 / scale]))

    return search


@pytest.mark.parametrize("off", [(0, 0, 0), (8, -12, 4), (-16, 12, 12), (12, 0, -8)])
def test_a_shift_by_whole_voxels_is_found(searched, off):
    seen = searched(off)
    np.testing.assert_allclose(seen.off[0], off, atol=0.6)
    assert seen.best[0] > 0.97
    assert (seen.begun[0] < 0.8) == any(off)


def test_between_voxels_it_is_found_by_parabolas(searched):
    seen = searched((-6.0, 5.0, 1.5))
    assert np.linalg.norm(seen.off[0] - (-6.0, 5.0, 1.5)) < 1.2


def test_noise_and_the_scale_of_grey_values_do_not_matter(searched):
    seen = searched((8, -12, 4), noise=0.7, scale=300.0)
    np.testing.assert_allclose(seen.off[0], (8, -12, 4), atol=1.5)
    assert seen.best[0] > seen.begun[0] + 0.2


def test_shifts_out_of_the_ct_are_not_considered(searched):
    """Above the topmost slice there is nothing to be found."""
    seen = searched((-16, 0, 0), where=(6.0, 80.0, 80.0))
    assert seen.off[0, 0] > -10
