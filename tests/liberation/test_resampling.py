"""The bootstrap against formulas, against scipy, and by how often its intervals hold the truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from napari_slagseg.data import ParticleTable
from napari_slagseg.liberation import StatisticSettings, sample_of, sample_results
from napari_slagseg.liberation.estimates import estimate, share
from napari_slagseg.liberation.percentiles import weighted_percentiles
from napari_slagseg.liberation.quantities import convergence
from napari_slagseg.liberation.resampling import Contributions, resampled_weights, size_strata


def test_strata_are_classes_of_size_of_about_equal_number():
    sizes = np.random.default_rng(0).random(205)
    strata = size_strata(sizes, 10)
    assert set(np.bincount(strata)) == {20, 21}
    for k in range(9):
        assert sizes[strata == k].max() < sizes[strata == k + 1].min()
    # no stratum under ten
    assert size_strata(sizes[:25], 10).max() == 1
    assert size_strata(sizes[:9], 10).max() == 0


@pytest.mark.parametrize("strata", [1, 4])
def test_the_variance_of_a_sum_is_that_of_the_formula(strata):
    # small strata: the plain bootstrap would give (m - 1) / m = 0.9 of this
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, 40)
    of_stratum = np.repeat(np.arange(strata), 40 // strata)
    sums = np.concatenate([w @ values for w in resampled_weights(of_stratum, 40_000, 3)])
    formula = sum(
        (of_stratum == s).sum() * values[of_stratum == s].var(ddof=1) for s in range(strata)
    )
    assert sums.mean() == pytest.approx(values.sum(), rel=2e-3)
    assert sums.var() == pytest.approx(formula, rel=0.03)


def test_all_weights_of_a_resample_are_those_of_the_sample():
    strata = np.repeat([0, 1, 2], [30, 10, 1])
    for weights in resampled_weights(strata, 50, 0, chunk=500):
        assert weights.shape[1] == 41
        np.testing.assert_allclose(weights[:, strata == 0].sum(axis=1), 30)
        np.testing.assert_allclose(weights[:, strata == 1].sum(axis=1), 10)
        assert (weights[:, 40] == 1).all()


def test_intervals_are_those_of_scipy(by_chance):
    table = by_chance(600)
    table.frame["touches_border"] = False
    sample = sample_of(table)
    settings = StatisticSettings(resamples=4000, size_strata=1)
    sums = Contributions(sample)
    target, whole = sums.add(sample.target_amounts), sums.add(sample.amounts)
    found = sums.sums(settings)
    ours = share(found[target].divided_by(found[whole]))
    theirs = stats.bootstrap(
        (sample.target_amounts, sample.amounts),
        lambda t, v, axis: t.sum(axis=axis) / v.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        batch=200,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = theirs.high - theirs.low
    # ours reach a little further out: Student's t for some hundred effective particles
    assert ours.low[0] == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.high[0] == pytest.approx(theirs.high, abs=0.08 * width)


def test_weighted_percentiles_are_those_of_repeated_particles():
    rng = np.random.default_rng(2)
    sizes, counts = rng.random(50), rng.integers(0, 4, 50)
    found = weighted_percentiles(sizes, np.ones(50), (0.1, 0.5, 0.9))(counts[None].astype(float))
    repeated = np.repeat(sizes, counts)
    wanted = np.quantile(repeated, (0.1, 0.5, 0.9), method="inverted_cdf")
    assert found[0].tolist() == wanted.tolist()


def test_sections_of_one_particle_are_drawn_together():
    # 40 particles, each cut 25 times into equal sections: as sure as 40, not as 1000
    rng = np.random.default_rng(3)
    fraction = np.repeat(rng.random(40).round(2), 25)
    frame = pd.DataFrame(
        {
            "section": np.tile(np.arange(25), 40),
            "label": np.repeat(np.arange(1, 41), 25),
            "touches_border": False,
            "area_um2": 100.0,
            "equivalent_diameter_um": 11.3,
            "volume_liberation": fraction,
            "surface_liberation": fraction,
            "fraction_A": fraction,
            "fraction_B": 1 - fraction,
            "fraction_C": 0.0,
        }
    )
    from_phases = sample_of_frame(frame)
    settings = StatisticSettings(resamples=4000, size_strata=1)

    def spread(sample):
        sums = Contributions(sample)
        target, whole = sums.add(sample.target_amounts), sums.add(sample.amounts)
        found = sums.sums(settings)
        return found[target].divided_by(found[whole])

    together = spread(replace(from_phases, one_particle_many_sections=True))
    assert together.effective[0] == pytest.approx(40)
    wanted = fraction[::25].std(ddof=1) / np.sqrt(40)
    assert together.resampled.std() == pytest.approx(wanted, rel=0.05)
    alone = spread(from_phases)
    assert alone.resampled.std() == pytest.approx(wanted / 5, rel=0.06)


def sample_of_frame(frame):
    from napari_slagseg.data import phase_table_of

    phases = phase_table_of(["background", "A", "B", "C"], ["#000000"] * 4).with_target("A")
    return sample_of(ParticleTable(frame, {}, (1.0, 1.0, 1.0), phases, dimension=2))


def equal_particles(n, rng, share_of_a=0.5):
    """Particles of one size, each all A or all B."""
    a = (rng.random(n) < share_of_a).astype(float)
    frame = pd.DataFrame(
        {
            "section": 0,
            "label": np.arange(1, n + 1),
            "touches_border": False,
            "area_um2": 1.0,
            "equivalent_diameter_um": 1.0,
            "volume_liberation": a,
            "surface_liberation": a,
            "fraction_A": a,
            "fraction_B": 1 - a,
            "fraction_C": 0.0,
        }
    )
    return sample_of_frame(frame)


def test_needed_particles_are_those_of_the_binomial():
    sample = equal_particles(1000, np.random.default_rng(5))
    settings = StatisticSettings(resamples=4000, size_strata=1)
    table = sample_results(sample, settings=settings).frames()["needed_particles"]
    row = table[
        (table["quantity"] == "target share by area")
        & (table["of"] == "percentage points")
        & (table["precision"] == 0.05)
    ].iloc[0]
    wanted = (1.96 * 0.5 / 0.05) ** 2  # 384
    assert row["value"] == pytest.approx(wanted, rel=0.06)
    assert row["low"] < wanted < row["high"]


def test_convergence_ends_at_the_value(by_chance):
    sample = sample_of(by_chance(300))
    settings = StatisticSettings(resamples=100)
    frame = convergence(sample, settings)
    part = frame[frame["quantity"] == "mean volume liberation"]
    target = sample.target_amounts
    assert part["n_particles"].iat[-1] == len(sample)
    whole = (target * sample.column("volume_liberation")).sum() / target.sum()
    assert part["value"].iat[-1] == pytest.approx(whole)
    width = (part["high"] - part["low"]).to_numpy()
    assert width[-1] < width[1]


def test_a_share_of_nothing_is_not_certain():
    sample = equal_particles(100, np.random.default_rng(5), 0.0)
    sums = Contributions(sample)
    target, whole = sums.add(sample.target_amounts), sums.add(sample.amounts)
    found = sums.sums(StatisticSettings(resamples=50))
    band = share(found[target].divided_by(found[whole]))
    assert (band.value[0], band.low[0]) == (0, 0)
    # the rule of three: 3 / 100
    assert band.high[0] == pytest.approx(0.03, abs=0.001)


def test_an_interval_needs_resamples_that_have_a_value(by_chance):
    sums = Contributions(sample_of(by_chance(50)))
    values = np.zeros(len(sums.sample))
    values[0] = 1.0
    one, other = sums.add(values), sums.add(values * 2)
    found = sums.sums(StatisticSettings(resamples=200))
    band = estimate(found[one].divided_by(found[other]))
    assert band.value[0] == 0.5
    assert np.isnan(band.low[0])


def population(n, rng):
    """Lognormal sizes; the smaller, the more often pure."""
    diameter = np.exp(rng.normal(np.log(60), 0.4, n))
    pure = rng.random(n) < 1 / (1 + np.exp(np.log(diameter / 60) * 3))
    fractions = rng.dirichlet([0.8, 0.8, 0.4], n)
    fractions[pure] = np.eye(3)[rng.integers(0, 3, pure.sum())]
    return pd.DataFrame(
        {
            "section": 0,
            "label": np.arange(n),
            "touches_border": False,
            "area_um2": diameter**3,
            "equivalent_diameter_um": diameter,
            "volume_liberation": fractions[:, 0],
            "surface_liberation": fractions[:, 0],
            "fraction_A": fractions[:, 0],
            "fraction_B": fractions[:, 1],
            "fraction_C": fractions[:, 2],
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 500])
def test_intervals_hold_the_truth_as_often_as_they_say(n):
    rng = np.random.default_rng(7)
    everything = population(300_000, rng)
    whole = sample_of_frame(everything)
    settings = StatisticSettings(resamples=0)
    truth = _covered(sample_results_of(whole, settings))["value"].to_numpy()
    held = []
    for k in range(200):
        drawn = everything.iloc[rng.integers(0, len(everything), n)]
        sample = sample_of_frame(drawn.assign(label=np.arange(n)))
        found = _covered(sample_results_of(sample, StatisticSettings(resamples=500, seed=k)))
        held.append((found["low"] <= truth) & (truth <= found["high"]))
    # 200 samples tell a coverage of 0.95 to within 0.03 (two standard errors)
    coverage = np.mean(held, axis=0)
    assert coverage.mean() == pytest.approx(0.95, abs=0.02)
    assert coverage.min() > 0.87


def sample_results_of(sample, settings):
    """Curve, groups and modal shares alone, which is faster than all results."""
    from napari_slagseg.liberation import composition, degrees

    sums = Contributions(sample)
    finishing = [
        composition.modal(sums),
        degrees.curves(sums),
        degrees.classes(sums, settings),
    ]
    found = sums.sums(settings)
    return {name: table for finish in finishing for name, table in finish(found).items()}


def _covered(frames):
    modal = frames["modal"]
    curve = frames["liberation_curves"]
    curve = curve[(curve["by"] == "volume_liberation") & curve["threshold"].isin([0.3, 0.6, 0.9])]
    groups = frames["liberation_groups"]
    groups = groups[groups["by"] == "volume_liberation"]
    parts = [modal[modal["basis"] == "volume"], curve, groups]
    return pd.concat([part[["value", "low", "high"]] for part in parts], ignore_index=True)
