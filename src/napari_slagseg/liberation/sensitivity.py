"""How much the headline results depend on where exactly boundaries were drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from napari_slagseg.liberation.degrees import liberations
from napari_slagseg.liberation.percentiles import weighted_percentiles
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings


def headline(sample: Sample, settings: StatisticSettings | None = None) -> dict[str, float]:
    """Results that a sample is summed up by, without intervals.

    Returns
    -------
    dict
        ``share of <phase>`` of all particles by volume (area); ``target in liberated particles``
        (at least the upper of the group edges) and ``mean liberation of the target``, by
        composition and by surface; ``D50 (um)`` by volume (area); ``particles``. NaN where
        there are no particles, or no target.
    """
    settings = settings or StatisticSettings()
    amounts = sample.amounts * sample.weights
    target = sample.target_amounts * sample.weights
    found: dict[str, float] = {"particles": float(len(sample))}
    shares = sample.fractions()
    for k, phase in enumerate(sample.phases):
        found[f"share of {phase.name}"] = _ratio((shares[:, k] * amounts).sum(), amounts.sum())
    edge = settings.group_edges[1]
    for by in liberations(sample):
        liberation = sample.column(by)
        known = np.isfinite(liberation)
        liberation, part = liberation[known], target[known]
        whole = part.sum()
        name = f"target in liberated particles (at least {edge:g}), {by}"
        found[name] = _ratio(part[liberation >= edge].sum(), whole)
        found[f"mean liberation of the target, {by}"] = _ratio((part * liberation).sum(), whole)
    median = weighted_percentiles(sample.column("equivalent_diameter_um"), sample.amounts, (0.5,))
    found["D50 (um)"] = float(median(sample.weights[None, :])[0, 0])
    return found


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def label_sensitivity(
    measured: Sample,
    changed: Mapping[str, Sample],
    settings: StatisticSettings | None = None,
) -> pd.DataFrame:
    """Headline results as measured, and after each change of the labels by one voxel.

    Parameters
    ----------
    measured : Sample
    changed : mapping of change to Sample
        Of the same particles, described after `segmentation.perturbed`; same target and
        filter.
    settings : StatisticSettings or None

    Returns
    -------
    DataFrame
        ``quantity``, ``value`` (as measured), ``low`` and ``high`` (the smallest and largest
        over all changes and the value itself), then one column a change. These are no
        confidence intervals: they say what a bias of one voxel everywhere would do.
    """
    as_measured = headline(measured, settings)
    others = {name: headline(sample, settings) for name, sample in changed.items()}
    columns: dict[str, list[float]] = {
        name: [values.get(q, float("nan")) for q in as_measured] for name, values in others.items()
    }
    value = list(as_measured.values())
    every = np.array([value, *columns.values()])
    known = np.isfinite(every).any(axis=0)
    ends = np.full((2, len(value)), np.nan)
    ends[0, known] = np.nanmin(every[:, known], axis=0)
    ends[1, known] = np.nanmax(every[:, known], axis=0)
    return pd.DataFrame(
        {
            "quantity": list(as_measured),
            "value": value,
            "low": ends[0],
            "high": ends[1],
            **columns,
        }
    )


__all__ = ["headline", "label_sensitivity"]
