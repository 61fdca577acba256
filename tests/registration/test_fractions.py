import numpy as np
import pytest

from napari_slagseg.data import GreyMap, MineralMap, Phase, PhaseTable
from napari_slagseg.registration.fractions import (
    GREY_BANDS,
    fraction_images,
    grey_bands,
    phase_slots,
)

TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "light", "#ff0000", density_g_cm3=2.6),
        Phase(2, "heavy", "#00ff00", density_g_cm3=5.2),
        Phase(7, "no density", "#0000ff"),
    ),
    "light",
)


def mapped(phases):
    return MineralMap(np.asarray(phases, np.int16), 1.0, TABLE)


def of(phase, slots, images):
    return images.fractions[slots.ids.index((phase,))]


def test_fractions_are_shares_of_the_known_area():
    phases = np.zeros((4, 8))
    phases[:2, :4] = 1  # half of the left block
    phases[:, 4:6] = 2  # half of the right block,
    phases[:, 6] = -1  # a quarter unknown: two thirds of what is known
    m = mapped(phases)
    slots = phase_slots(m, 8)
    images = fraction_images(m, slots, unit_um=1.0, level=4, blur=0.0)
    np.testing.assert_allclose(of(1, slots, images), [[0.5, 0.0]])
    np.testing.assert_allclose(of(2, slots, images), [[0.0, 2 / 3]])
    np.testing.assert_allclose(images.known, [[1.0, 0.75]])


def test_pixels_lie_by_the_half_pixel_rule_and_the_pitch_is_the_true_one():
    m = mapped(np.ones((21, 30)))
    images = fraction_images(m, phase_slots(m, 8), unit_um=2.3, level=2, blur=0.0)
    assert images.block == 5  # 4.6 map pixels: the nearest whole number
    assert images.pitch == pytest.approx(5 / 2.3)
    np.testing.assert_allclose(images.map_rows(), [2, 7, 12, 17, 22])
    np.testing.assert_allclose(images.map_columns(), [2, 7, 12, 17, 22, 27])
    assert images.known[-1, 0] == pytest.approx(1 / 5)  # one row of five


def test_softening_widens_an_edge_and_keeps_the_area():
    phases = np.zeros((64, 64))
    phases[24:40, 24:40] = 1
    m = mapped(phases)
    image = fraction_images(m, phase_slots(m, 8), 1.0, 1, blur=2.0).fractions[0]
    assert image.sum() == pytest.approx(256, rel=1e-3)
    # an edge blurred by a Gaussian is half as high where the edge was
    assert image[32, 23:25].mean() == pytest.approx(0.5, abs=0.01)
    assert image[32, 22] == pytest.approx(0.2266, abs=0.02)  # 1.5 pixels off: Phi(-0.75)


def test_rare_phases_share_a_slot_and_densities_are_the_first_guess():
    phases = np.zeros((100, 100))
    phases[:50] = 1
    phases[50:80] = 2
    phases[99, :10] = 7  # 0.1 % of the particles
    slots = phase_slots(mapped(phases), 8)
    assert slots.ids == ((1,), (2,), (7,))
    np.testing.assert_allclose(slots.prior, [1.5, 4.1, 1.6])
    assert phase_slots(mapped(phases), 2).ids == ((1,), (2, 7))
    assert slots.slot_of[slots.offset] == 3  # background comes after the slots


def test_expected_grey_is_the_weighted_sum():
    phases = np.zeros((4, 4))
    phases[:2] = 1
    phases[2] = 2
    m = mapped(phases)
    slots = phase_slots(m, 8)
    grey = fraction_images(m, slots, 1.0, 4, 0.0).grey(np.array([2.0, 10.0]))
    assert grey[0, 0] == pytest.approx(0.5 * 2 + 0.25 * 10)


def test_bands_of_grey_hold_any_function_that_is_linear_between_them():
    """A CT that falls where the map rises, and rises again: a sum of bands and a constant."""
    rng = np.random.default_rng(0)
    grey = np.repeat(np.repeat(rng.random((10, 10)), 16, 0), 16, 1).astype(np.float32)
    images = grey_bands(GreyMap(grey, 1.0, "bse"), 1.0, 4, 0.0)
    assert images.fractions.shape == (GREY_BANDS, 40, 40)
    low, high = np.quantile(grey, (0.01, 0.99))
    knots = np.linspace(low, high, GREY_BANDS + 1)
    wanted = np.interp(grey, knots, (3.0, 1.0, 0.0, 2.0, 5.0))
    wanted = wanted.reshape(40, 4, 40, 4).mean(axis=(1, 3))
    # pixels in the middle of squares of one grey value, away from the softened edges
    inside = np.ix_(np.arange(40) % 4 % 3 > 0, np.arange(40) % 4 % 3 > 0)
    parts = [image[inside].ravel() for image in images.fractions]
    design = np.column_stack([*parts, np.ones(400)])
    wanted = wanted[inside].ravel()
    left = wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    assert np.sqrt(np.mean(left**2)) < 0.01 * wanted.std()


def test_unknown_pixels_of_a_grey_map_take_no_part():
    grey = np.random.default_rng(1).random((40, 40)).astype(np.float32)
    grey[:, :8] = np.nan
    images = grey_bands(GreyMap(grey, 1.0, "bse"), 1.0, 4, 0.0)
    assert np.all(images.known[:, :2] == 0)
    assert np.all(images.known[:, 2:] == 1)
    assert np.all(images.fractions.sum(axis=0)[:, 3:] <= 1 + 1e-5)
