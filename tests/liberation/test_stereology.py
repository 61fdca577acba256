"""Sections of balls with caps of target, whose grades are known by integration.

The ball of radius 1 is target where z < t. A plane at the distance d from the middle, whose
normal makes the angle a with z, cuts a disc of radius (1 - d^2)^(1/2), and the cap's face
cuts this disc at (t - d cos a) / sin a from its middle.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from napari_slagseg.data import ParticleTable, SlagsegError, phase_table_of
from napari_slagseg.descriptors import describe_particles, describe_planes, random_planes
from napari_slagseg.liberation import StatisticSettings, liberation_curve, sample_of
from napari_slagseg.liberation.degrees import GRID
from napari_slagseg.liberation.stereology import (
    GradeClasses,
    correct_sections,
    section_kernel,
    stereology_bias,
    stereology_curves,
    stereology_results,
)
from napari_slagseg.liberation.stereology.unfolding import chosen_steps, em_steps

PHASES = phase_table_of(["background", "target", "rest"], ["#000000", "#d55e00", "#56b4e9"])
PHASES = PHASES.with_target("target")


def grade_of_ball(t):
    """Share of the ball's volume below z = t."""
    return (2 + 3 * t - t**3) / 4


def height_of_grade(grade):
    """The other way round, by bisection."""
    low, high = np.full_like(grade, -1.0), np.full_like(grade, 1.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = grade_of_ball(middle) > grade
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def grade_of_section(t, d, cosine):
    """Share of the section's area below z = t."""
    sine = np.sqrt(np.maximum(1 - cosine**2, 1e-30))
    u = (t - d * cosine) / sine / np.sqrt(np.maximum(1 - d**2, 1e-30))
    u = np.clip(u, -1, 1)
    return 1 - (np.arccos(u) - u * np.sqrt(1 - u**2)) / np.pi


def section_shares(t, classes, steps=801):
    """Share of the area of all sections of a ball in each class, by integration."""
    middles = (np.arange(steps) + 0.5) / steps * 2 - 1
    d, cosine = np.meshgrid(middles, middles, indexing="ij")
    grades = grade_of_section(t, d, cosine).ravel()
    area = (1 - d**2).ravel()
    shares = np.bincount(classes.of(grades, np.ones_like(grades)), area, len(classes))
    return shares / shares.sum()


def _table(columns, grade, dimension):
    frame = pd.DataFrame(columns)
    frame["touches_border"] = False
    frame["volume_liberation"] = grade
    frame["fraction_target"], frame["fraction_rest"] = grade, 1 - grade
    return ParticleTable(frame, {}, (1.0, 1.0, 1.0), PHASES, dimension)


def capped_balls(grades, cuts, seed, radius=30.0, label="sections"):
    """Samples of balls of these grades, and of random sections of them.

    A ball of 30 um radius is cut `cuts` times, others in proportion to their radius, as
    random planes would.
    """
    grades = np.asarray(grades, dtype=float)
    n, rng = len(grades), np.random.default_rng(seed)
    radii = np.broadcast_to(radius, n).astype(float)
    labels = np.arange(1, n + 1)
    balls = {
        "label": labels,
        "volume_um3": 4 / 3 * np.pi * radii**3,
        "equivalent_diameter_um": 2 * radii,
    }
    each = np.round(cuts * radii / 30).astype(int)
    row = np.repeat(np.arange(n), each)
    d, cosine = rng.uniform(-1, 1, (2, len(row)))
    r = radii[row] * np.sqrt(1 - d**2)
    sections = {
        "section": np.arange(len(row)),
        "label": labels[row],
        "area_um2": np.pi * r**2,
        "equivalent_diameter_um": 2 * r,
    }
    t = height_of_grade(grades)[row]
    of_sections = np.where(
        grades[row] <= 0, 0, np.where(grades[row] >= 1, 1, grade_of_section(t, d, cosine))
    )
    return (
        sample_of(_table(balls, grades, 3)),
        sample_of(_table(sections, of_sections, 2), label=label, one_particle_many_sections=True),
    )


CLASSES = GradeClasses()
FEW = StatisticSettings(resamples=200)


def shares_of(frame, measure, quantity, by="volume_liberation"):
    rows = frame[
        (frame["measure"] == measure)
        & frame["quantity"].str.contains(quantity)
        & (frame["by"] == by)
    ]
    return rows[["value", "low", "high"]].to_numpy()[0]


def test_classes_hold_their_upper_edge_and_pure_grades_are_apart():
    names = CLASSES.names()
    of = CLASSES.of(np.array([0, 1e-6, 0.1, 0.1001, 0.3, 0.95, 0.9999, 1]), np.ones(8))
    assert [names[c] for c in of] == [
        "0", "(0-10]", "(0-10]", "(10-20]", "(20-30]", "(90-100)", "(90-100)", "100",
    ]  # fmt: skip
    loose = GradeClasses(pure=0.01)
    assert loose.of(np.array([0.005, 0.02, 0.995]), np.ones(3)).tolist() == [0, 1, 11]
    sized = GradeClasses((0.0, 0.5, 1.0), size_edges_um=(20.0,))
    assert sized.of(np.array([0.2, 0.2, 1.0]), np.array([19.0, 20.0, 5.0])).tolist() == [1, 5, 3]
    with pytest.raises(SlagsegError, match="rise from 0 to 1"):
        GradeClasses((0.1, 1.0))
    with pytest.raises(SlagsegError, match="size classes"):
        GradeClasses(size_edges_um=(20.0, 10.0))
    with pytest.raises(SlagsegError, match="pure"):
        GradeClasses(pure=0.2)


@pytest.mark.parametrize("t", [-0.6, 0.0, 0.35])
def test_the_kernel_of_capped_balls_is_that_of_the_integral(t):
    grade = grade_of_ball(t)
    particles, sections = capped_balls(np.full(400, grade), 40, seed=1)
    kernel = section_kernel(particles, sections)
    (c,) = np.unique(kernel.column)
    expected = section_shares(t, CLASSES)
    assert np.abs(kernel.matrix[:, c] - expected).max() < 0.01
    # areas are in proportion to volumes: the mean grade by area is that of the ball
    weight = sections.amounts / sections.amounts.sum()
    assert weight @ sections.column("volume_liberation") == pytest.approx(grade, abs=0.01)
    frame = kernel.frame(FEW)
    of_class = frame[frame["grade_percent_3d"] == CLASSES.names()[c]]
    inside = (of_class["low"] <= expected) & (expected <= of_class["high"])
    assert inside.sum() >= len(CLASSES) - 2
    assert kernel.matrix[:, 0].tolist() == [1] + [0] * 11  # of nothing there is nothing to see
    assert np.isnan(kernel.matrix[:, 9 if c != 9 else 8]).all()


def test_the_kernel_of_voxels_is_that_of_the_integral():
    """27 balls, each half target with a face in a direction of its own, and random planes."""
    rng = np.random.default_rng(0)
    edge, radius = 22, 9.0
    labels = np.zeros((3 * edge,) * 3, np.uint32)
    phases = np.zeros(labels.shape, np.uint8)
    at = np.indices((edge,) * 3) - (edge - 1) / 2
    ball = (at**2).sum(0) <= radius**2
    for n, (i, j, k) in enumerate(np.ndindex(3, 3, 3)):
        box = tuple(slice(m * edge, (m + 1) * edge) for m in (i, j, k))
        direction = rng.standard_normal(3)
        labels[box] = np.where(ball, n + 1, 0)
        half = np.tensordot(direction, at, 1) < 0
        phases[box] = np.where(ball, np.where(half, 1, 2), 0)
    particles = sample_of(describe_particles(labels, phases, 1.0, PHASES, threads=1))
    planes = random_planes(150, labels.shape, 1.0, seed=2)
    sections = sample_of(describe_planes(labels, phases, 1.0, PHASES, planes))
    halves = GradeClasses((0.0, 0.25, 0.75, 1.0), pure=0.01)
    kernel = section_kernel(particles, sections, halves)
    assert kernel.n_particles.tolist() == [0, 0, 27, 0, 0]
    found, expected = kernel.matrix[:, 2], section_shares(0.0, halves)
    assert kernel.n_sections[2] > 500
    assert np.abs(found - expected).max() < 0.05
    assert np.abs(np.cumsum(found) - np.cumsum(expected)).max() < 0.05


def test_the_bias_of_half_balls_is_that_of_the_integral():
    particles, sections = capped_balls(np.full(300, 0.5), 40, seed=3)
    frame = stereology_bias(particles, sections, settings=FEW)
    assert shares_of(frame, "3D", "liberated")[0] == 0
    fine = GradeClasses(tuple(np.linspace(0, 1, 201)))
    shares = section_shares(0.0, fine)
    grades = np.r_[0, (np.arange(200) + 0.5) / 200, 1]
    liberated = (shares * grades)[grades >= 0.9].sum() / (shares * grades).sum()
    value, low, high = shares_of(frame, "2D", "liberated")
    assert value == pytest.approx(liberated, abs=0.01)
    assert low < liberated < high
    assert np.isnan(shares_of(frame, "ratio", "liberated")[0])  # nothing to divide by
    value, low, high = shares_of(frame, "difference", "in all")
    assert abs(value) < 0.01  # Delesse: areas are in proportion to volumes
    assert 0.005 < high - low < 0.02


def test_paired_intervals_are_narrower_than_those_of_strangers():
    grades = np.random.default_rng(5).beta(0.8, 1.2, 300)
    particles, sections = capped_balls(grades, 30, seed=5, label="own")
    strangers = replace(sections, label="maps", one_particle_many_sections=False)
    frame = stereology_bias(particles, sections, strangers, FEW)
    own, other = (
        frame[(frame["sections"] == s) & (frame["measure"] == "ratio")] for s in ("own", "maps")
    )
    width = [(f["high"] - f["low"]).to_numpy()[2] for f in (own, other)]
    assert width[0] < 0.7 * width[1]
    assert own["value"].to_numpy() == pytest.approx(other["value"].to_numpy())


def test_curves_are_the_exact_ones_and_sections_of_other_particles_are_left_out():
    particles, sections = capped_balls([0.0, 0.25, 0.5, 1.0], 5, seed=0)
    fewer = sample_of(replace(particles.table, frame=particles.table.frame[:3]))
    frame = stereology_curves(fewer, sections, settings=FEW)
    three = frame[frame["sample"] == "3D particles"]
    assert three["value"].to_numpy() == pytest.approx(liberation_curve(fewer.table.frame).at(GRID))
    two = frame[frame["sample"] == "sections"]
    kept = sections.table.frame[sections.table.frame["label"] < 4]
    assert two["value"].to_numpy() == pytest.approx(liberation_curve(kept).at(GRID))
    assert (frame["low"] <= frame["value"] + 1e-12).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("richness", [(0.8, 0.8), (2.0, 0.7), (0.6, 2.5)])
def test_sections_corrected_by_the_kernel_of_other_particles_give_the_3d_curve(seed, richness):
    """The kernel is of a feed; what is corrected may be richer or poorer in target."""
    rng = np.random.default_rng(seed)
    feed = np.r_[np.zeros(40), np.ones(40), rng.beta(0.8, 0.8, 520)]
    kernel = section_kernel(*capped_balls(feed, 20, seed=10 + seed))
    grades = np.r_[np.zeros(60), np.ones(90), rng.beta(*richness, 1500)]
    particles, sections = capped_balls(grades, 4, seed=20 + seed)
    true = liberation_curve(particles.table.frame).at(GRID)
    apparent = liberation_curve(sections.table.frame).at(GRID)
    found = correct_sections(kernel, sections, FEW)
    frame = found.liberation_curve()
    before, after = np.abs(apparent - true), np.abs(frame["value"].to_numpy() - true)
    assert after.mean() < before.mean() / 2.5
    assert after.max() < before.max() / 2
    held = (frame["low"] - 1e-9 <= true) & (true <= frame["high"] + 1e-9)
    assert held.mean() > 0.75
    assert found.corrected.value.sum() == pytest.approx(1)
    # the mean grade needs no correction, and does not get one
    grade = found.curve.value  # tails of the target; its mean over volumes is in the shares
    assert grade[0] == 1
    assert found.distribution()["curve"].unique().tolist() == ["2D apparent", "corrected"]


def test_size_classes_unfold_size_and_grade_together():
    """Large balls cut near their poles look small: with size classes this is undone, too."""
    rng = np.random.default_rng(0)
    classes = GradeClasses((0.0, 0.25, 0.5, 0.75, 1.0), size_edges_um=(40.0,))
    grades = np.r_[np.zeros(100), np.ones(100), rng.beta(0.8, 0.8, 1200)]
    radius = np.where(rng.random(1400) < 0.5, 12.0, 30.0)
    particles, sections = capped_balls(grades, 20, seed=1, radius=radius)
    kernel = section_kernel(particles, sections, classes)
    assert kernel.matrix[: classes.n_grades, classes.n_grades :].sum() > 0.1  # 60 um look < 40
    radius = np.where(rng.random(1400) < 0.85, 12.0, 30.0)
    particles, sections = capped_balls(grades, 5, seed=2, radius=radius)
    found = correct_sections(kernel, sections, FEW)
    volume = particles.amounts
    coarse = volume[radius == 30].sum() / volume.sum()
    n = classes.n_grades
    assert found.apparent.value[n:].sum() < coarse - 0.05
    assert found.corrected.value[n:].sum() == pytest.approx(coarse, abs=0.03)


def test_weights_follow_volume_by_area_and_not_by_number():
    radius = np.r_[np.full(200, 10.0), np.full(200, 30.0)]
    grades = np.r_[np.full(200, 0.25), np.full(200, 0.65)]
    particles, sections = capped_balls(grades, 30, seed=0, radius=radius)
    weights = section_kernel(particles, sections).sectioning_weights()
    weights = weights[weights["particles"] > 0]
    assert weights["particles"].tolist() == [0.5, 0.5]
    assert weights["sections"].tolist() == pytest.approx([0.25, 0.75])
    assert weights["volume"].tolist() == pytest.approx([1 / 28, 27 / 28])
    assert weights["area"].tolist() == pytest.approx([1 / 28, 27 / 28], rel=0.05)


def test_em_finds_what_a_kernel_without_scatter_hides():
    kernel = np.array([[0.8, 0.2, 0.0], [0.2, 0.6, 0.2], [0.0, 0.2, 0.8]])
    true = np.array([0.1, 0.7, 0.2])
    seen = kernel @ true
    found = em_steps(kernel[None], seen[None], np.full((1, 3), 1 / 3), 2000)[0]
    assert found == pytest.approx(true, abs=1e-6)
    steps, _, left = chosen_steps(kernel, seen, np.full(3, 1 / 3), np.full(3, 1e-4))
    assert 2 <= steps < 50
    assert left <= 1
    many, _, _ = chosen_steps(kernel, seen, np.full(3, 1 / 3), np.full(3, 1e-6))
    assert many > steps  # surer data are corrected further
    # what no distribution can give is not run after
    odd = np.array([0.0, 1.0, 0.0])
    steps, _, left = chosen_steps(kernel, odd, np.full(3, 1 / 3), np.full(3, 1e-4))
    assert left > 1
    assert steps < 50


def test_what_cannot_be_done_says_why():
    particles, sections = capped_balls(np.full(5, 0.5), 1, seed=0)
    with pytest.raises(SlagsegError, match="more planes"):
        section_kernel(particles, sections)
    kernel = section_kernel(*capped_balls(np.full(50, 0.5), 10, seed=0))
    barren = capped_balls(np.zeros(9), 3, seed=0)[1]
    with pytest.raises(SlagsegError, match="hold no target"):
        correct_sections(kernel, barren)
    with pytest.raises(SlagsegError, match="only sections"):
        correct_sections(kernel, particles)
    with pytest.raises(SlagsegError, match="2D are needed"):
        stereology_curves(particles, particles)
    found = correct_sections(kernel, capped_balls(np.full(900, 0.85), 5, seed=1)[1], FEW)
    assert any("too few sections" in w for w in found.warnings)
    assert any("does not explain" in w for w in found.warnings)
    none = stereology_results(*capped_balls(np.zeros(9), 30, seed=0), settings=FEW)
    assert any("nothing is compared" in w for w in none.warnings)
    assert np.isnan(none.frames()["stereology_bias"]["value"].iloc[0])


def test_results_have_tables_and_plots_that_draw():
    rng = np.random.default_rng(0)
    particles, sections = capped_balls(rng.beta(0.8, 0.8, 300), 20, seed=0)
    _, maps = capped_balls(rng.beta(0.8, 0.8, 300), 2, seed=1, label="maps")
    results = stereology_results(particles, sections, maps, settings=FEW)
    frames = results.frames()
    assert list(frames) == [
        "stereology_curves", "stereology_bias", "stereology_kernel", "stereology_weights",
        "stereology_distribution",
    ]  # fmt: skip
    assert "maps, corrected" in set(frames["stereology_curves"]["sample"])
    plots = results.plots()["stereology"]
    assert list(plots) == ["stereology_volume_liberation", "stereology_bias", "stereology_kernel"]
    for draw in plots.values():
        axes = Figure().add_subplot()
        draw(axes)
        assert axes.has_data()
    again = stereology_results(particles, sections, maps, settings=FEW)
    for name, frame in frames.items():
        assert frame.equals(again.frames()[name]), name
