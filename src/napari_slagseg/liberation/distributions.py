"""Size distributions of particles and grains, by number, volume and mass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.liberation.composition import Finish, Frames, labelled, phase_masses
from napari_slagseg.liberation.estimates import certain, estimate, rising, share
from napari_slagseg.liberation.percentiles import weighted_percentiles
from napari_slagseg.liberation.resampling import Contributions
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.sizes import classes_with_all
from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]

SIZES = (
    "equivalent_diameter_um",
    "axis_major_um",
    "axis_intermediate_um",
    "axis_minor_um",
    "sieve_diameter_um",
    "feret_max_um",
    "feret_min_um",
)
"""Columns of particle tables that are sizes."""

SHARES = (0.1, 0.5, 0.8, 0.9)
PERCENTILES = ("D10", "D50", "P80", "D90")
"""Names of the percentiles; P80 is D80 as mills call it."""

GRAIN_SIZE = "equivalent_diameter_um"


@dataclass(frozen=True)
class Sized:
    """Things of one kind with their sizes, and what they count."""

    of: str
    phase: str
    size: str
    basis: str
    sizes: Array
    values: Array
    rows: NDArray[np.int64]
    edges: Array


def of_particles(sample: Sample, settings: StatisticSettings) -> Iterator[Sized]:
    """Particles by every size that the table has, by number, volume (area) and mass."""
    rows = np.arange(len(sample))
    bases = {"number": np.ones(len(sample)), sample.measure: sample.amounts}
    bases["mass"] = phase_masses(sample).sum(axis=1)
    for size in SIZES:
        if not sample.has(size):
            continue
        sizes = sample.column(size)
        edges = classes_with_all(sizes, settings.size_edges_um or None)
        for basis, values in bases.items():
            yield Sized("particles", "", size, basis, sizes, values, rows, edges)


def of_grains(sample: Sample, settings: StatisticSettings) -> Iterator[Sized]:
    """Grains of each phase by the diameter of the ball of their volume, by number and volume."""
    grains = sample.table.grains
    all_rows = sample.rows_of(grains) if len(grains) else np.zeros(0, dtype=np.int64)
    for phase in sample.phases:
        mine = (grains["phase_id"] == phase.id).to_numpy(dtype=bool)
        if not mine.any():
            continue
        sizes = grains[GRAIN_SIZE].to_numpy(dtype=np.float64)[mine]
        volumes = grains["volume_um3"].to_numpy(dtype=np.float64)[mine]
        edges = classes_with_all(sizes, settings.size_edges_um or None)
        for basis, values in (("number", np.ones(len(sizes))), ("volume", volumes)):
            yield Sized(
                "grains", phase.name, GRAIN_SIZE, basis, sizes, values, all_rows[mine], edges
            )


def distributions(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Share of each size class, share up to its upper edge, and percentiles.

    Classes are (lower, upper]. ``passing`` is the cumulative distribution at the upper edge
    (Q_0, Q_3 of ISO 9276-1 by number and volume).
    """
    sample = sums.sample
    parts = []
    for thing in (*of_particles(sample, settings), *of_grains(sample, settings)):
        n = len(thing.edges) - 1
        known = np.isfinite(thing.sizes)
        at = np.searchsorted(thing.edges, np.where(known, thing.sizes, -1.0), side="left") - 1
        of_class = np.where(known, at, -1)
        values = np.where(known, thing.values, 0.0)
        classes = sums.add_classes(of_class, values, n, thing.rows)
        whole = sums.add_classes(np.where(known, 0, -1), values, 1, thing.rows)
        percentiles = sums.add_function(
            weighted_percentiles(thing.sizes, thing.values, SHARES, thing.rows),
            len(SHARES),
            of=whole,
        )
        counts = np.bincount(of_class[known], minlength=n)
        parts.append((thing, classes, whole, percentiles, counts))

    def finish(found: Sums) -> Frames:
        tables: dict[str, list[pd.DataFrame]] = {"particles": [], "grains": []}
        points = []
        for thing, classes, whole, percentiles, counts in parts:
            kind = {"size": thing.size, "basis": thing.basis}
            if thing.of == "grains":
                kind = {"phase": thing.phase, **kind}
            shares = found[classes].divided_by(found[whole], classes=thing.of == "particles")
            passing = rising(share(found[classes].up_to().divided_by(found[whole])))
            last = np.arange(len(counts)) == len(counts) - 1
            passing = certain(passing, last & np.isfinite(passing.value))
            frame = labelled(
                share(shares),
                **kind,
                lower_um=thing.edges[:-1],
                upper_um=thing.edges[1:],
                n=counts,
            )
            tables[thing.of].append(frame.assign(**passing.columns("passing")))
            points.append(
                labelled(
                    estimate(found[percentiles]),
                    of=thing.of,
                    phase=thing.phase,
                    size=thing.size,
                    basis=thing.basis,
                    percentile=PERCENTILES,
                )
            )
        return {
            "size_distribution": _joined(tables["particles"], _CLASS_COLUMNS),
            "grain_size_distribution": _joined(tables["grains"], ("phase", *_CLASS_COLUMNS)),
            "size_percentiles": pd.concat(points, ignore_index=True),
        }

    return finish


_CLASS_COLUMNS = (
    "size", "basis", "lower_um", "upper_um", "n", "value", "low", "high",
    "passing", "passing_low", "passing_high",
)  # fmt: skip


def _joined(frames: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(frames, ignore_index=True)


__all__ = ["PERCENTILES", "SHARES", "SIZES", "distributions", "of_grains", "of_particles"]
