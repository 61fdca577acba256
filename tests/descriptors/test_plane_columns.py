"""What sections are measured beside K's columns: hulls, contacts, surfaces of phases, weights."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import ConvexHull

from napari_slagseg.data import (
    SECTION_COLUMNS,
    SECTION_CONTACT_COLUMNS,
    MineralMap,
    phase_table_of,
)
from napari_slagseg.descriptors import describe_map, describe_plane, describe_sections
from napari_slagseg.descriptors.plane_contacts import STEPS, step_lengths

PHASES = phase_table_of(
    ["background", "target", "rest", "minor"], ["#000000", "#d55e00", "#56b4e9", "#009e73"]
).with_target("target")


def one(mask, spacing=(1.0, 1.0), phases=None, **options):
    phases = mask.astype(np.uint8) if phases is None else phases
    return describe_plane(mask.astype(np.uint32), phases, spacing, PHASES, **options)


def blobs(seed, shape=(26, 31)):
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, 1, (5, 2)) * shape
    places = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    distance = np.linalg.norm(places - seeds, axis=-1) + rng.normal(0, 0.6, (*shape, 5))
    labels = np.where(distance.min(-1) < 8, distance.argmin(-1) + 1, 0).astype(np.uint32)
    return labels, np.where(labels > 0, rng.integers(-1, 4, shape), 0).astype(np.int16)


def plain_length(mask, spacing, inside=None):
    """Crofton's formula by shifting; of the part of the boundary that looks into `inside`."""
    padded = np.pad(mask, 1)
    beyond = ~padded if inside is None else np.pad(inside, 1)
    total = 0.0
    for step, length in zip(STEPS, step_lengths(spacing)):
        for sign in (1, -1):
            moved = np.roll(beyond, (sign * step[0], sign * step[1]), axis=(0, 1))
            total += length * np.count_nonzero(padded & moved)
    return total


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    density=st.floats(0.05, 1),
    spacing=st.sampled_from([(1.0, 1.0), (2.5, 0.4)]),
)
def test_hulls_of_any_sections(seed, shape, density, spacing):
    mask = np.random.default_rng(seed).random(shape) < density
    assume(mask.any())
    row = one(mask, spacing).frame.iloc[0]
    offsets = np.indices((2, 2)).reshape(2, -1).T
    points = np.unique((np.argwhere(mask)[:, None] + offsets).reshape(-1, 2), axis=0) * spacing
    hull = ConvexHull(points)
    corners = points[hull.vertices]
    assert row["convex_area_um2"] == pytest.approx(hull.volume)
    assert row["convex_perimeter_um"] == pytest.approx(hull.area)
    farthest = np.linalg.norm(corners[:, None] - corners, axis=-1).max()
    assert row["feret_max_um"] == pytest.approx(farthest)
    width = np.ptp(corners @ hull.equations[:, :2].T, axis=0).min()
    assert row["feret_min_um"] == pytest.approx(width)
    assert row["solidity"] == pytest.approx(mask.sum() * np.prod(spacing) / hull.volume)


def test_a_turned_square():
    r, c = np.indices((121, 121)) - 60
    a = np.deg2rad(25)
    u, v = np.cos(a) * r + np.sin(a) * c, -np.sin(a) * r + np.cos(a) * c
    row = one((np.abs(u) <= 40) & (np.abs(v) <= 25)).frame.iloc[0]
    assert row["feret_max_um"] == pytest.approx(2 * np.hypot(40, 25), abs=1.5)
    assert row["feret_min_um"] == pytest.approx(50, abs=1.5)
    assert row["solidity"] == pytest.approx(1, abs=0.04)


def test_step_lengths_of_square_pixels_are_croftons():
    straight, slant = np.pi / 8, np.pi / 8 / 2**0.5
    np.testing.assert_allclose(step_lengths((1, 1)), [straight, slant] * 2)
    np.testing.assert_allclose(step_lengths((3, 3)), 3 * step_lengths((1, 1)))


@pytest.mark.parametrize(("spacing", "error"), [((1, 1), 0.004), ((2, 1), 0.01), ((1, 3), 0.02)])
def test_boundaries_of_discs(spacing, error):
    half = [int(45 / edge) + 3 for edge in spacing]
    r, c = (
        (np.arange(2 * n + 1) - n).reshape(shape) * edge
        for n, edge, shape in zip(half, spacing, ((-1, 1), (1, -1)))
    )
    contacts = one((r - 0.2) ** 2 + (c + 0.3) ** 2 <= 40**2, spacing).contacts
    assert contacts[["phase_id", "partner_id"]].to_numpy().tolist() == [[1, 0]]
    assert contacts["length_um"].iat[0] == pytest.approx(2 * np.pi * 40, rel=error)


def test_boundaries_are_isotropic_on_average():
    """A chord through a disc at any angle: long by 2.6 % and short by 5.2 % at the worst."""
    r, c = np.indices((131, 131)) - 65
    disc = r**2 + c**2 <= 60**2
    lengths = []
    for angle in np.deg2rad(np.arange(0, 180, 7.5)):
        side = np.cos(angle) * (r + 0.3) + np.sin(angle) * (c - 0.2) > 0
        contacts = one(disc, phases=np.where(disc, 1 + side, 0)).contacts
        between = contacts[(contacts["phase_id"] == 1) & (contacts["partner_id"] == 2)]
        lengths.append(between["length_um"].iat[0] / 120)
    assert np.mean(lengths) == pytest.approx(1, abs=0.01)
    assert min(lengths) > 0.93
    assert max(lengths) < 1.045


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.5, 0.7)])
@pytest.mark.parametrize("seed", range(3))
def test_contacts_beside_plain_code(seed, spacing):
    labels, phases = blobs(seed)
    table = describe_plane(labels, phases, spacing, PHASES, section=7)
    contacts = table.contacts
    assert tuple(contacts.columns) == SECTION_CONTACT_COLUMNS
    assert set(contacts["section"]) == {7}
    assert set(contacts["phase_id"]) == {-1, 1, 2, 3}
    for row in contacts.itertuples():
        mask = labels == row.label
        kind = mask & (np.where(phases == 0, -1, phases) == row.phase_id)
        beyond = ~np.pad(mask, 0) if row.partner_id == 0 else mask & (
            np.where(phases == 0, -1, phases) == row.partner_id
        )  # fmt: skip
        if row.partner_id == 0:
            # the plane ends, and so do particles
            kind, beyond = np.pad(kind, 1), np.pad(beyond, 1, constant_values=True)
        assert row.length_um == pytest.approx(plain_length(kind, spacing, beyond))
    # a phase's partners share its whole boundary, and both sides are equally long
    whole = contacts.groupby(["label", "phase_id"])["length_um"].sum()
    for (label, phase), length in whole.items():
        kind = (labels == label) & (np.where(phases == 0, -1, phases) == phase)
        assert length == pytest.approx(plain_length(kind, spacing))
    inner = contacts[contacts["partner_id"] != 0]
    there = inner.set_index(["label", "phase_id", "partner_id"])["length_um"]
    back = inner.set_index(["label", "partner_id", "phase_id"])["length_um"]
    assert there.to_dict() == back.to_dict()


@pytest.mark.parametrize("erosion", [0, 2])
def test_surface_shares_beside_plain_code(erosion):
    labels, phases = blobs(4)
    frame = describe_plane(labels, phases, (1, 1), PHASES, erosion_pixels=erosion).frame
    cross = ndimage.generate_binary_structure(2, 1)
    compared = 0
    for row in frame.itertuples():
        mask = labels == row.label
        for kind, layers in (("surface_fraction", 0), ("surface_fraction_eroded", erosion)):
            if kind == "surface_fraction_eroded" and not erosion:
                assert not hasattr(row, "surface_fraction_eroded_target")
                continue
            left = ndimage.binary_erosion(mask, cross, iterations=layers) if layers else mask
            rim = left & ~ndimage.binary_erosion(left, cross)
            for phase in (1, 2, 3):
                share = (phases[rim] == phase).mean() if rim.any() else np.nan
                found = getattr(row, f"{kind}_{PHASES.by_id(phase).name}")
                assert found == pytest.approx(share, nan_ok=True)
                compared += 1
    assert compared == len(frame) * 3 * (1 + (erosion > 0))


def test_weights_and_extents():
    labels = np.zeros((20, 30), np.uint32)
    labels[5:10, 4:14] = 1
    labels[0:3, 20:22] = 2
    frame = describe_plane(labels, (labels > 0).astype(np.uint8), (2.0, 0.5), PHASES).frame
    # 20 / (20 - 5 - 1) and 30 / (30 - 10 - 1)
    assert frame["border_weight"].tolist() == pytest.approx([20 / 14 * 30 / 19, 0])
    assert frame["extent_row_um"].tolist() == [10, 6]
    assert frame["extent_column_um"].tolist() == [5, 1]


@pytest.mark.parametrize("radius", [3, 12])
def test_border_weights_give_the_number_of_discs_back(radius):
    """A disc at every height of a plane 120 high: as many as its height, weighted."""
    r, c = np.indices((120, 41)) - np.array([0, 20])[:, None, None]
    total = 0.0
    for centre in range(-radius - 1, 120 + radius + 2):
        mask = (r - centre) ** 2 + c**2 <= radius**2
        if mask.any():
            total += one(mask).frame["border_weight"].iat[0]
    width = 2 * radius + 1
    assert total / (41 / (41 - width - 1)) == pytest.approx(120, rel=1e-12)


def test_maps_and_sections_have_the_same_columns():
    labels, phases = blobs(2)
    plane = describe_plane(labels, phases, (1, 1), PHASES, section=3)
    as_map = describe_map(MineralMap(phases, 1.0, PHASES), PHASES, labels, section=3)
    volume = [np.repeat(a[None], 5, axis=0) for a in (labels, phases)]
    sections = describe_sections(*volume, 1.0, PHASES, indices=[3])
    for other in (as_map, sections):
        assert other.frame.equals(plane.frame)
        assert other.contacts.equals(plane.contacts)
    assert tuple(plane.frame.columns[: len(SECTION_COLUMNS)]) == SECTION_COLUMNS
    nothing = describe_plane(labels * 0, phases, (1, 1), PHASES)
    assert len(nothing) == len(nothing.contacts) == 0
    assert nothing.contacts.dtypes.equals(plane.contacts.dtypes)
