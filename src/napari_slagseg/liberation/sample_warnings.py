"""What to be careful about with the results of a sample."""

from __future__ import annotations

from collections.abc import Mapping

from napari_slagseg.liberation.composition import (
    present_phases,
    without_composition,
    without_density,
)
from napari_slagseg.liberation.resampling import Contributions
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings

FEW = 30
"""Fewer particles with target than this, and the intervals are rough."""


def effective_number(sample: Sample) -> float:
    """Effective number of particles with target, ``(sum w T)^2 / sum (w T)^2`` (Kish 1965)."""
    sums = Contributions(sample)
    whole = sums.add(sample.target_amounts)
    return float(sums.sums(StatisticSettings(resamples=0))[whole].effective[0])


def warnings_of(
    sample: Sample, element_fractions: Mapping[str, Mapping[str, float]] | None = None
) -> list[str]:
    """Sentences, each a reason for care or for a value that is missing."""
    name = sample.label
    if not len(sample):
        return [f"{name}: no particle passed the filter; there are no results."]
    found = []
    what = "particles" if sample.dimension == 3 else "particle sections"
    if len(sample) == 1:
        found.append(f"{name}: there is one particle only, so there are no intervals.")
    if not sample.table.targets:
        found.append(f"{name}: no target phase is chosen, so nothing is known of liberation.")
    else:
        held = int((sample.target_amounts > 0).sum())
        effective = effective_number(sample)
        if held == 0:
            found.append(
                f"{name}: no particle holds the target {sample.target_name}, so there is no "
                "liberation, association or recovery."
            )
        elif held < FEW:
            found.append(f"{name}: only {held} {what} hold target; the intervals are rough.")
        elif effective < FEW:
            found.append(
                f"{name}: {held:,} {what} hold target, but a few large ones so much of it that "
                f"they count as {effective:.0f}; the intervals are rough."
            )
    missing = without_density(sample)
    if missing:
        found.append(
            f"{name}: {_names(missing)} without density, so nothing is known by mass; "
            "give the densities in the legend."
        )
    unknown = without_composition(sample, element_fractions)
    if unknown:
        found.append(
            f"{name}: {_names(unknown)} without formula, so there is no assay; "
            "give the formulae in the legend."
        )
    if not present_phases(sample):
        found.append(f"{name}: no particle holds any phase of the legend.")
    volumes = sample.amounts * sample.weights
    rest = float((volumes * (1 - sample.fractions().sum(axis=1))).sum() / volumes.sum())
    if rest > 1e-3:
        found.append(
            f"{name}: {rest:.1%} of the {sample.measure} of the particles has no phase; modal "
            "mineralogy and masses leave it out."
        )
    return found


def _names(names: list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


__all__ = ["FEW", "effective_number", "warnings_of"]
