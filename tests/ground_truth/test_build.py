import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_slagseg.data import CancelledError, Cutout, PlacedMap, PlacementSurface, SlagsegError
from napari_slagseg.ground_truth import (
    TruthSettings,
    build_ground_truth,
    label_map_particles,
    weight_balance,
)
from napari_slagseg.phantom import make_phantom

SHAPE = (30, 60, 60)
VOXEL = (2.3, 2.3, 2.3)


@pytest.fixture
def flat(cuts):
    """A section at z = 10 with exactly one voxel a map pixel."""
    Cut, plane, _ = cuts
    return Cut(plane((10, 0, 0), (0, 1, 0), (0, 0, 1)), (60, 60), SHAPE, grid=60)


def phases_of_three_bars():
    phases = np.zeros((60, 60), dtype=np.int16)
    phases[10:50, 10:20] = 1
    phases[10:50, 21:30] = 2
    phases[10:50, 36:50] = 5
    return phases


def test_labels_and_weights_of_a_section_that_lies_on_the_grid(flat, table):
    phases = phases_of_three_bars()
    phases[30:34, 40:44] = -1  # inside the third bar
    phases[55, 55] = -1  # in the epoxy
    phases[2, 2] = 3  # speckle
    maps, placed = [flat.mineral_map(phases, table)], [flat.placed]
    of_paper = TruthSettings(lambda_foreground=0.04)
    truth = build_ground_truth(SHAPE, VOXEL, maps, placed, table, settings=of_paper)
    assert truth.table.names == ("background", "target", "eucryptite", "rest")
    assert truth.map_names == ("cut",)
    assert len(truth) == 3600
    known = truth.dense("phases")
    assert np.all(np.delete(known, 10, axis=0) == -1)
    classes = np.where(phases == 5, 3, phases)
    assert np.array_equal(known[10], classes)
    particles = truth.dense("particles")[10]
    assert np.array_equal(particles == 1, phases == 1)
    assert np.array_equal(particles == 2, phases == 2)
    expected = phases == 5
    expected[30:34, 40:44] = True  # known to be particle, though not of which phase
    assert np.array_equal(particles == 3, expected)
    assert particles[55, 55] == particles[2, 2] == -1
    assert np.array_equal(truth.dense("foreground")[10], np.sign(particles))
    weight = truth.dense("phase_weights", 0)[10]
    assert np.array_equal(weight, (phases >= 0).astype(np.float32))
    weight = truth.dense("particle_weights", 0)[10]
    assert np.all(weight[particles > 0] == np.float32(0.04))
    assert weight[55, 55] == weight[2, 2] == 0
    assert weight[30, 20] == pytest.approx(1.013)  # one voxel from both
    assert weight[30, 30] == pytest.approx(0.013)  # 1 and 6 from the next two bars
    assert weight[30, 31] == pytest.approx(np.exp((4 - 49) / 50) + 0.013)  # 2 and 5
    assert weight[5, 30] == pytest.approx(0.013)
    balance = weight_balance(truth)
    assert balance["foreground"] == pytest.approx(0.04 * np.sum(particles > 0), rel=1e-6)
    assert balance["background"] == pytest.approx(weight[particles == 0].sum(), rel=1e-6)
    # left out, it gives both the same total, as K's constants did for K's sample
    balanced = build_ground_truth(SHAPE, VOXEL, maps, placed, table)
    assert weight_balance(balanced)["foreground"] == pytest.approx(balance["background"], rel=1e-4)
    assert weight_balance(balanced)["background"] == balance["background"]


def test_particles_that_meet_after_downsampling_are_put_apart(cuts, table):
    Cut, plane, _ = cuts
    # three pixels a voxel: the one-pixel gap between the bars is lost
    cut = Cut(plane((10, 0, 0), (0, 1 / 3, 0), (0, 0, 1 / 3)), (120, 120), SHAPE, grid=120)
    phases = np.zeros((120, 120), dtype=np.int16)
    phases[30:90, 30:59] = 1
    phases[30:90, 60:90] = 3
    truth = build_ground_truth(SHAPE, VOXEL, [cut.mineral_map(phases, table)], [cut.placed], table)
    raw = phases[0:120:3, 0:120:3]  # pixel 3 i lies on voxel i
    particles = truth.dense("particles")[10, :40, :40]
    assert np.array_equal(truth.dense("phases")[10, :40, :40], np.where(raw == 3, 3, raw))
    assert np.all(raw[10:30, 19] == 1)
    assert np.all(raw[10:30, 20] == 3)
    assert np.all(particles[10:30, 19:21] == 0)  # both sides became background
    assert np.all(particles[10:30, 18] == 1)
    assert np.all(particles[10:30, 21] == 2)
    weight = truth.dense("particle_weights", 0)[10]
    assert weight[20, 19] == pytest.approx(np.exp((4 - 9) / 50) + 0.013)


def tilted_truth(cuts, table, follow="surface"):
    Cut, _, curved = cuts
    rng = np.random.default_rng(0)
    phases = ndimage.gaussian_filter(rng.standard_normal((150, 200)), 4) > 0
    cut = Cut(curved((14.0, 24.0, 2.0), (0.2, -0.15), 0.002), (150, 200), (40, 100, 100))
    truth = build_ground_truth(
        (40, 100, 100),
        VOXEL,
        [cut.mineral_map(phases.astype(np.int16), table)],
        [cut.placed],
        table,
        settings=TruthSettings(follow=follow),
    )
    return truth


@pytest.mark.parametrize("follow", ["surface", "cutouts"])
def test_no_two_particles_are_neighbours(cuts, table, follow):
    truth = tilted_truth(cuts, table, follow)
    particles = truth.dense("particles").astype(np.int64)
    assert particles.max() > 5
    low = np.where(particles > 0, particles, 10**9)
    nearest = ndimage.minimum_filter(low, 3, mode="nearest")
    highest = ndimage.maximum_filter(np.maximum(particles, 0), 3, mode="nearest")
    inside = particles > 0
    assert np.array_equal(nearest[inside], particles[inside])
    assert np.array_equal(highest[inside], particles[inside])
    # so connected components give the particles back (K 2.3.1), in pieces at most
    pieces, n = ndimage.label(inside, np.ones((3, 3, 3)))
    for piece, box in enumerate(ndimage.find_objects(pieces), 1):
        assert len(np.unique(particles[box][pieces[box] == piece])) == 1
    assert n >= len(np.unique(particles[inside]))


def test_maps_that_cross_the_better_score_wins_and_meeting_particles_are_unknown(cuts, table):
    Cut, plane, _ = cuts
    level = Cut(plane((10, 0, 0), (0, 1, 0), (0, 0, 1)), (60, 60), SHAPE, "level", grid=60)
    # stands upright, crosses the other one in the row y = 30
    upright = Cut(
        plane((0, 30, 0), (1, 0, 0), (0, 0, 1)), (30, 60), SHAPE, "upright", grid=30, scores=[1] * 3
    )
    maps = [
        level.mineral_map(np.full((60, 60), 1, np.int16), table),
        upright.mineral_map(np.full((30, 60), 3, np.int16), table),
    ]
    truth = build_ground_truth(SHAPE, VOXEL, maps, [level.placed, upright.placed], table)
    assert len(truth) == 60 * 60 + 30 * 60 - 60
    phases, of_map = truth.dense("phases"), truth.dense("map_index", -9)
    assert np.all(phases[10, 30] == 3)
    assert np.all(of_map[10, 30] == 1)
    assert np.all(of_map[10, :30] == 0)
    particles = truth.dense("particles")
    # within a voxel of the other map's particle nothing is known about particles
    assert np.all(particles[10, 29:32] == -1)
    assert np.all(particles[9:12, 30] == -1)
    assert np.all(particles[10, :29] == 1)
    assert np.all(particles[12:, 30] == 2)
    assert np.all(truth.dense("phase_weights", 0)[10, 29:32] == 1)
    assert np.all(truth.dense("particle_weights", 0)[10, 29:32] == 0)


def test_every_phase_alone_keeps_the_background_group(flat, table):
    phases = phases_of_three_bars()
    phases[52:58, 5:55] = 6
    mineral_map = flat.mineral_map(phases, table)
    truth = build_ground_truth(
        SHAPE, VOXEL, [mineral_map], [flat.placed], table, settings=TruthSettings(group=False)
    )
    assert truth.table.ids == (0, 1, 2, 3, 4)
    assert truth.table.names == ("background", "target", "eucryptite", "gehlenite", "spinel")
    plane = truth.dense("phases")[10]
    assert np.all(plane[52:58, 5:55] == 0)
    assert np.all(truth.dense("particles")[10, 52:58, 5:55] == 0)
    assert np.all(plane[10:50, 36:50] == 4)


def test_refused_maps_are_left_out_and_bad_input_named(flat, table):
    mineral_map = flat.mineral_map(phases_of_three_bars(), table)
    refused = replace(flat.placed, map_name="lost", placed=False, surface=None, cutouts=())
    lost = replace(mineral_map, name="lost")
    truth = build_ground_truth(SHAPE, VOXEL, [lost, mineral_map], [refused, flat.placed], table)
    assert truth.map_names == ("cut",)
    assert set(truth.map_index) == {0}
    with pytest.raises(SlagsegError, match="nothing is known"):
        build_ground_truth(SHAPE, VOXEL, [lost], [refused], table)
    with pytest.raises(SlagsegError, match="belong together"):
        build_ground_truth(SHAPE, VOXEL, [mineral_map], [refused], table)
    with pytest.raises(SlagsegError, match="Register it again"):
        build_ground_truth((9, 60, 60), VOXEL, [mineral_map], [flat.placed], table)
    small = replace(mineral_map, phases=mineral_map.phases[:50])
    with pytest.raises(SlagsegError, match=r"\(60, 60\).*\(50, 60\)"):
        build_ground_truth(SHAPE, VOXEL, [small], [flat.placed], table)
    strange = replace(mineral_map, phases=np.full((60, 60), 77, np.int16))
    with pytest.raises(SlagsegError, match="phase id 77"):
        build_ground_truth(SHAPE, VOXEL, [strange], [flat.placed], table)


def test_progress_and_cancel(flat, table):
    mineral_map = flat.mineral_map(phases_of_three_bars(), table)
    events = []
    build_ground_truth(SHAPE, VOXEL, [mineral_map], [flat.placed], table, progress=events.append)
    fractions = [e.fraction for e in events]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1
    token = threading.Event()
    token.set()
    with pytest.raises(CancelledError):
        build_ground_truth(SHAPE, VOXEL, [mineral_map], [flat.placed], table, cancel=token)


def true_placement(phantom_map, ct):
    """Placement of a phantom's map read off its true coordinates."""
    zyx = phantom_map.coordinates.astype(float)
    shape = zyx.shape[:2]
    rows, columns = (np.unique(np.linspace(0, n - 1, 24).round()).astype(int) for n in shape)
    surface = PlacementSurface(
        rows.astype(float), columns.astype(float), zyx[np.ix_(rows, columns)]
    )
    middle = zyx[shape[0] // 2, shape[1] // 2]
    whole = Cutout(
        0, 0, *shape, tuple(middle), tuple(zyx[1, 0] - zyx[0, 0]), tuple(zyx[0, 1] - zyx[0, 0]), 0.9
    )
    return PlacedMap(
        phantom_map.mineral_map.name,
        shape,
        phantom_map.mineral_map.pixel_size_um,
        ct.shape,
        ct.voxel_size_um,
        placed=True,
        score=0.9,
        mirrored=phantom_map.mirrored,
        surface=surface,
        cutouts=(whole,),
    )


def test_against_a_phantoms_truth():
    phantom = make_phantom("tiny")
    placed = [true_placement(m, phantom.ct) for m in phantom.maps]
    maps = [m.mineral_map for m in phantom.maps]
    truth = build_ground_truth(
        phantom.ct.shape, phantom.ct.voxel_size_um, maps, placed, phantom.table
    )
    classes, class_of = phantom.table.grouped()
    assert truth.table == classes
    exact = classes_in(phantom, class_of)[truth.voxels]
    known = truth.phases >= 0
    assert np.mean(truth.phases[known] == exact[known]) > 0.93  # speckle, rims, partial voxels
    # under a piece of the map that is one particle there, lies one particle in the volume
    label = phantom.particles.reshape(-1)[truth.voxels]
    shares, first = [], 0
    for phantom_map in phantom.maps:
        numbers = label_map_particles(phantom_map.mineral_map)
        for number in range(1, numbers.max() + 1):
            seen = phantom_map.particles[numbers == number]
            seen = np.bincount(seen[seen > 0])
            under = label[truth.particles == first + number]
            if len(under) >= 30 and seen.max() > 0.99 * seen.sum():
                shares.append(np.mean(under == seen.argmax()))
        first += int(numbers.max())
    assert len(shares) >= 4
    assert np.median(shares) > 0.93


def classes_in(phantom, class_of):
    lookup = phantom.table.lookup(class_of)
    return lookup[phantom.phases.reshape(-1).astype(int)]
