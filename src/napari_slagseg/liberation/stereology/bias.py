"""How far liberation in sections is from that of the particles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_slagseg.liberation.degrees import GRID, liberations
from napari_slagseg.liberation.estimates import Estimate, certain, estimate, falling, share
from napari_slagseg.liberation.resampling import resampled_weights, size_strata
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.stereology.pairs import check_pair, sections_of
from napari_slagseg.liberation.sums import Sums, effective_number

Array = NDArray[np.float64]

_TAILS = slice(0, len(GRID))
_LIBERATED, _LOCKED, _MEAN, _TARGET, _ALL = range(len(GRID), len(GRID) + 5)
_WIDTH = len(GRID) + 5


@dataclass(frozen=True)
class Compared:
    """Sums of one sample that are set against those of others.

    Attributes
    ----------
    sample : Sample
    by : mapping of kind of liberation to Sums
    particles : int
        Particles (3D) or particles that were cut (2D, where it is known), with target.
    """

    sample: Sample
    by: dict[str, Sums]


def compared(
    particles: Sample,
    sections: Sample | None,
    maps: Sample | None,
    settings: StatisticSettings,
) -> list[Compared]:
    """Sums of the particles, of their sections and of the maps, each with its resamples.

    Sections are resampled with the particles that they were cut from, in the same resamples;
    sections of maps, whose particles nobody knows, one by one.
    """
    joined: list[tuple[Sample, NDArray[np.int64]]] = [(particles, np.arange(len(particles)))]
    if sections is not None:
        joined.append(sections_of(particles, sections))
    found = _resampled(joined, particles.column("equivalent_diameter_um"), settings)
    if maps is not None:
        check_pair(particles, maps)
        own = replace(settings, seed=settings.seed + 1)
        rows = np.arange(len(maps))
        found += _resampled([(maps, rows)], maps.column("equivalent_diameter_um"), own)
    return found


def _resampled(
    joined: Sequence[tuple[Sample, NDArray[np.int64]]],
    sizes: Array,
    settings: StatisticSettings,
) -> list[Compared]:
    n = len(sizes)
    kinds = [(sample, by, units) for sample, units in joined for by in liberations(sample)]
    matrices = [_contributions(sample, by, units, n, settings) for sample, by, units in kinds]
    every = sparse.vstack(matrices, format="csr")
    value = np.asarray(every.sum(axis=1), dtype=np.float64).ravel()
    squares = np.asarray(every.multiply(every).sum(axis=1), dtype=np.float64).ravel()
    chunks = []
    if n > 1:
        strata = size_strata(sizes, settings.size_strata)
        chunks = [
            np.ascontiguousarray((every @ np.ascontiguousarray(w.T)).T)
            for w in resampled_weights(strata, settings.resamples, settings.seed)
        ]
    resampled = np.concatenate(chunks) if chunks else np.zeros((0, len(value)))
    effective = effective_number(value, squares)
    whole = Sums(value, resampled, effective, settings.level)
    found = {id(sample): Compared(sample, {}) for sample, _ in joined}
    for k, (sample, by, _) in enumerate(kinds):
        found[id(sample)].by[by] = whole[slice(k * _WIDTH, (k + 1) * _WIDTH)]
    return list(found.values())


def _contributions(
    sample: Sample, by: str, units: NDArray[np.int64], n: int, settings: StatisticSettings
) -> sparse.csr_matrix:
    """What each unit adds to the sums, (sums, units)."""
    liberation, target = sample.column(by), sample.target_amounts
    known = np.isfinite(liberation)
    liberation, units = liberation[known], units[known]
    target = (target * sample.weights)[known]
    amount = (sample.amounts * sample.weights)[known]
    low, high = settings.group_edges
    grid = np.searchsorted(GRID, liberation + 1e-12, side="right") - 1
    parts = [
        (grid, target),
        (np.full(len(target), _LIBERATED), target * (liberation >= high)),
        (np.full(len(target), _LOCKED), target * (liberation < low)),
        (np.full(len(target), _MEAN), target * liberation),
        (np.full(len(target), _TARGET), target),
        (np.full(len(target), _ALL), amount),
    ]
    rows = np.concatenate([r for r, _ in parts])
    values = np.concatenate([v for _, v in parts])
    return sparse.csr_matrix((values, (rows, np.tile(units, len(parts)))), shape=(_WIDTH, n))


def _tails(sums: Sums) -> Sums:
    target = sums[slice(_TARGET, _TARGET + 1)]
    return sums[_TAILS].from_on().divided_by(target, classes=True)


def _quantities(sums: Sums) -> Sums:
    """Liberated, locked, mean liberation (of the target); share of the target (of all)."""
    target, whole = sums[slice(_TARGET, _TARGET + 1)], sums[slice(_ALL, _ALL + 1)]
    parts = [
        sums[slice(_LIBERATED, _LOCKED + 1)].divided_by(target, classes=True),
        sums[slice(_MEAN, _MEAN + 1)].divided_by(target),
        target.divided_by(whole),
    ]
    return Sums(
        np.concatenate([p.value for p in parts]),
        np.concatenate([p.resampled for p in parts], axis=1),
        np.concatenate([p.effective for p in parts]),
        sums.level,
        np.concatenate([_freedom(p) for p in parts]),
    )


def _freedom(sums: Sums) -> Array:
    return sums.effective if sums.freedom is None else sums.freedom


def _against(true: Sums, apparent: Sums, divide: bool) -> Sums:
    """Difference, or quotient, of apparent and true, resample by resample."""
    b = min(len(true.resampled), len(apparent.resampled))

    def of(x: Array, y: Array) -> Array:
        if not divide:
            return y - x
        return np.divide(y, x, out=np.full_like(y, np.nan), where=x != 0)

    return Sums(
        of(true.value, apparent.value),
        of(true.resampled[:b], apparent.resampled[:b]),
        true.effective,
        true.level,
        np.minimum(_freedom(true), _freedom(apparent)),
    )


def stereology_curves(
    particles: Sample,
    sections: Sample | None = None,
    maps: Sample | None = None,
    settings: StatisticSettings | None = None,
) -> pd.DataFrame:
    """Liberation curves of the particles, of sections of these particles, and of the maps.

    Parameters
    ----------
    particles : Sample
        3D.
    sections : Sample or None
        Sections of the same 3D result (`descriptors.describe_planes`); those of particles
        that are not in `particles` are left out.
    maps : Sample or None
        Particle sections of mineral maps.
    settings : StatisticSettings or None

    Returns
    -------
    DataFrame
        ``sample, by, threshold, value, low, high``: share of the target in particles with at
        least that liberation.

    Raises
    ------
    SlagsegError
        If the samples' dimensions or targets do not fit each other.
    """
    settings = settings or StatisticSettings()
    frames = []
    for one in compared(particles, sections, maps, settings):
        for by, sums in one.by.items():
            tails = _tails(sums)
            band = certain(falling(share(tails)), np.isfinite(tails.value) & (GRID <= 0))
            frames.append(_frame(band, sample=one.sample.label, by=by, threshold=GRID))
    return pd.concat(frames, ignore_index=True)


def _frame(found: Estimate, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({**columns, **found.columns()}, index=range(len(found.value)))


def quantity_names(settings: StatisticSettings) -> tuple[str, ...]:
    """What is set against each other, with the edges that it is counted by."""
    low, high = settings.group_edges
    return (
        f"target in liberated particles (at least {high:g})",
        f"target in locked particles (below {low:g})",
        "mean liberation of the target",
        "share of the target in all",
    )


def stereology_bias(
    particles: Sample,
    sections: Sample | None = None,
    maps: Sample | None = None,
    settings: StatisticSettings | None = None,
) -> pd.DataFrame:
    """Liberation in sections beside that of the particles, with difference and ratio.

    Parameters
    ----------
    particles, sections, maps, settings
        As for `stereology_curves`.

    Returns
    -------
    DataFrame
        ``by, quantity, sections`` (which ones), ``measure`` (``3D``, ``2D``, ``difference``:
        2D less 3D, ``ratio``: 2D over 3D), ``value, low, high``. Of the quantities, the share
        of the target in all must not differ (Delesse 1847: areas are in proportion to
        volumes); if the interval of its difference leaves out 0, the sections are not of the
        same particles or not at random places. NaN where there is no target, or nothing
        to divide by.

    Raises
    ------
    SlagsegError
        If the samples' dimensions or targets do not fit each other.
    """
    settings = settings or StatisticSettings()
    true, *others = compared(particles, sections, maps, settings)
    frames = []
    for one in others:
        for by in (b for b in true.by if b in one.by):
            a, b = _quantities(true.by[by]), _quantities(one.by[by])
            measures = (
                ("3D", share(a)),
                ("2D", share(b)),
                ("difference", estimate(_against(a, b, divide=False))),
                ("ratio", estimate(_against(a, b, divide=True))),
            )
            frames += [
                _frame(
                    found,
                    by=by,
                    quantity=quantity_names(settings),
                    sections=one.sample.label,
                    measure=measure,
                )
                for measure, found in measures
            ]
    columns = ["by", "quantity", "sections", "measure", "value", "low", "high"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


__all__ = ["Compared", "compared", "quantity_names", "stereology_bias", "stereology_curves"]
