"""The few numbers that sum a sample up: in one table, and against the number of particles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from napari_slagseg.liberation.composition import Finish, Frames, labelled, phase_masses
from napari_slagseg.liberation.degrees import liberations
from napari_slagseg.liberation.distributions import PERCENTILES, SHARES
from napari_slagseg.liberation.estimates import Estimate, estimate, share
from napari_slagseg.liberation.percentiles import weighted_percentiles
from napari_slagseg.liberation.recovery import target_masses
from napari_slagseg.liberation.resampling import Contributions
from napari_slagseg.liberation.samples import Sample, sample_of
from napari_slagseg.liberation.settings import BorderRule, StatisticSettings
from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]
Ratio = tuple[str, Array, Array]

PRECISIONS = (0.01, 0.02, 0.05, 0.1)


def ratios(sample: Sample, settings: StatisticSettings) -> list[Ratio]:
    """Shares that sum the sample up: name, and what each particle adds above and below."""
    target, known = sample.target_amounts, sample.amounts * sample.fractions().sum(axis=1)
    found = [
        (f"target share by {sample.measure}", target, known),
        ("target share by mass", target_masses(sample), phase_masses(sample).sum(axis=1)),
    ]
    for by in liberations(sample):
        liberation = sample.column(by)
        weight = np.where(np.isfinite(liberation), target, 0.0)
        found.append((f"mean {by.replace('_', ' ')}", weight * np.nan_to_num(liberation), weight))
    for by in liberations(sample)[:2]:
        liberation = sample.column(by)
        weight = np.where(np.isfinite(liberation), target, 0.0)
        freed = np.nan_to_num(liberation) >= settings.group_edges[1]
        what = "composition" if by == "volume_liberation" else "free surface"
        found.append((f"target liberated by {what}", weight * freed, weight))
    return found


def key_numbers(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Table ``summary`` without its sizes: numbers of particles, and the shares of `ratios`."""
    sample = sums.sample
    target = sample.target_amounts
    parts = [(name, sums.add(a), sums.add(b)) for name, a, b in ratios(sample, settings)]
    held = sums.add(target)

    def finish(found: Sums) -> Frames:
        counts = [
            ("particles" if sample.dimension == 3 else "particle sections", float(len(sample))),
            ("with target", float((target > 0).sum())),
            ("effective number with target", float(found[held].effective[0])),
        ]
        rows = [
            pd.DataFrame({"quantity": [n], "unit": "", "value": v, "low": np.nan, "high": np.nan})
            for n, v in counts
        ]
        for name, a, b in parts:
            ratio = share(found[a].divided_by(found[b]))
            rows.append(labelled(ratio, quantity=[name], unit="share"))
        return {"summary": pd.concat(rows, ignore_index=True)}

    return finish


def key_sizes(sums: Contributions) -> Finish:
    """Rows of the table ``summary`` with sizes: all volume, and percentiles by volume."""
    sample = sums.sample
    sizes = sample.column("equivalent_diameter_um")
    amount = sums.add(sample.amounts)
    percentiles = weighted_percentiles(sizes, sample.amounts, SHARES)
    at = sums.add_function(percentiles, len(SHARES), of=amount)
    unit = "um^3" if sample.dimension == 3 else "um^2"

    def finish(found: Sums) -> Frames:
        total = labelled(estimate(found[amount]), quantity=[sample.measure], unit=unit)
        names = [f"{name} by {sample.measure}" for name in PERCENTILES]
        points = labelled(estimate(found[at]), quantity=names, unit="um")
        return {"key_sizes": pd.concat([total, points], ignore_index=True)}

    return finish


def summary_of(frames: Frames) -> pd.DataFrame:
    """Table ``summary`` of the rows of `key_numbers` and of `key_sizes`."""
    return pd.concat([frames["summary"], frames["key_sizes"]], ignore_index=True)


def convergence(sample: Sample, settings: StatisticSettings) -> pd.DataFrame:
    """Shares of `ratios` of the first so many particles, taken in random order.

    Each with the interval that these particles give it. Where the line still drifts at its
    end, or the band is wider than the question allows, there are too few particles.
    """
    columns = ("quantity", "n_particles", "value", "low", "high")
    units = sample.units()
    n = int(units.max()) + 1 if len(sample) else 0
    if n == 0:
        return pd.DataFrame(columns=list(columns))
    order = np.random.default_rng(settings.seed).permutation(n)
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    frames = []
    for k in _numbers(n):
        sub = subset(sample, rank[units] < k)
        sums = Contributions(sub)
        parts = [(name, sums.add(a), sums.add(b)) for name, a, b in ratios(sub, settings)]
        found = sums.sums(settings)
        for name, a, b in parts:
            ratio = share(found[a].divided_by(found[b]))
            frames.append(labelled(ratio, quantity=[name], n_particles=k))
    frame = pd.concat(frames, ignore_index=True)
    return frame.sort_values(["quantity", "n_particles"], kind="stable", ignore_index=True)


def _numbers(n: int) -> list[int]:
    """Numbers of particles from ten on, each twice the one before, up to all."""
    found = []
    k = 10.0
    while k < n / 1.4:
        found.append(round(k))
        k *= 2
    return [*found, n]


def subset(sample: Sample, rows: NDArray[np.bool_]) -> Sample:
    """Some of the rows of a sample; its contacts and grains are left behind."""
    table = sample.table
    kept = replace(
        table,
        frame=table.frame[rows].reset_index(drop=True),
        contacts=table.contacts.iloc[:0],
        grains=table.grains.iloc[:0],
    )
    return replace(sample, table=kept, weights=sample.weights[rows])


def needed_particles(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Particles that would be needed for an interval of +/- x.

    The standard error s of N particles falls with the root of their number, so
    ``N_x = N (z s / x)^2`` with z = 1.96 at 95 %. ``of`` says whether x is a part of the value
    or percentage points. The interval comes from that of s: ``(N_e - 1) s^2`` over chi-squared
    with N_e - 1 degrees of freedom, N_e being the effective number.
    """
    sample = sums.sample
    parts = [(name, sums.add(a), sums.add(b)) for name, a, b in ratios(sample, settings)]
    units = sample.units()
    n = int(units.max()) + 1 if len(sample) else 0
    z = float(stats.norm.ppf((1 + settings.level) / 2))

    def finish(found: Sums) -> Frames:
        frames = []
        for name, a, b in parts:
            ratio = found[a].divided_by(found[b])
            spread = _spread(ratio.resampled[:, 0])
            value, effective = float(ratio.value[0]), float(ratio.effective[0])
            for of, unit in (("the value", value), ("percentage points", 1.0)):
                reach = np.array(PRECISIONS) * unit
                with np.errstate(divide="ignore", invalid="ignore"):
                    needed = np.where(reach > 0, n * (z * spread / reach) ** 2, np.nan)
                needed = np.where(spread > 0, needed, np.nan)
                frames.append(
                    labelled(
                        _of_spread(needed, effective, settings.level),
                        quantity=name,
                        of=of,
                        precision=PRECISIONS,
                        n_particles=n,
                    )
                )
        return {"needed_particles": pd.concat(frames, ignore_index=True)}

    return finish


def _spread(resampled: Array) -> float:
    values = resampled[np.isfinite(resampled)]
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _of_spread(needed: Array, effective: float, level: float) -> Estimate:
    if not effective > 1:
        nothing = np.full(len(needed), np.nan)
        return Estimate(needed, nothing, nothing)
    freedom = effective - 1
    low = needed * freedom / stats.chi2.ppf((1 + level) / 2, freedom)
    high = needed * freedom / stats.chi2.ppf((1 - level) / 2, freedom)
    return Estimate(np.ceil(needed), np.floor(low), np.ceil(high))


def border_handling(
    sample: Sample, settings: StatisticSettings, summary: pd.DataFrame
) -> pd.DataFrame:
    """`summary` with each way to treat particles that touch the border, side by side."""
    columns = ["border", "quantity", "unit", "value", "low", "high"]
    whole = sample.whole
    if whole is None:
        return pd.DataFrame(columns=columns)
    rules: tuple[BorderRule, ...] = ("exclude", "weighted", "include")
    frames = []
    for rule in rules:
        if rule == "weighted" and "border_weight" not in whole.frame:
            continue
        if rule == sample.filters.border:
            frames.append(summary.assign(border=rule)[columns])
            continue
        other = sample_of(
            whole,
            filters=replace(sample.filters, border=rule),
            one_particle_many_sections=sample.one_particle_many_sections,
        )
        sums, sizes = Contributions(other), Contributions(other)
        numbers, points = key_numbers(sums, settings), key_sizes(sizes)
        found = {**numbers(sums.sums(settings)), **points(sizes.sums(settings, strata=1))}
        frames.append(summary_of(found).assign(border=rule)[columns])
    return pd.concat(frames, ignore_index=True)


__all__ = [
    "PRECISIONS",
    "border_handling",
    "convergence",
    "key_numbers",
    "key_sizes",
    "needed_particles",
    "ratios",
    "summary_of",
]
