"""What an ideal separation could reach: grade and recovery, and yields by density."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.liberation.composition import Finish, Frames, labelled, phase_masses
from napari_slagseg.liberation.estimates import certain, estimate, share
from napari_slagseg.liberation.resampling import Contributions, OfWeights
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]


def target_masses(sample: Sample) -> Array:
    """Mass of the target in every particle; NaN where masses are not known."""
    of_target = [phase.name in sample.table.targets for phase in sample.phases]
    return np.asarray(phase_masses(sample)[:, of_target].sum(axis=1))


def grade_recovery(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Theoretical grade-recovery curve: the best grade at each recovery.

    Particles are taken in order of their grade, the richest first, by mass; by volume
    (area) where a phase has no density, which the column ``basis`` says. With the
    cumulated target T and all M, the recovery is ``r = T / T_all`` and the grade
    ``T / M``; the last particle is taken in part, so the curve has a value at every
    recovery. No real separation of these particles, unbroken, lies above it.
    """
    sample = sums.sample
    target, whole = target_masses(sample), phase_masses(sample).sum(axis=1)
    basis = "mass"
    if np.isnan(whole).any():
        basis = sample.measure
        target = sample.target_amounts
        whole = sample.amounts * sample.fractions().sum(axis=1)
    steps = np.arange(1, settings.grade_steps + 1) / settings.grade_steps
    recovered = sums.add(target)
    at = sums.add_function(_best_first(target, whole, steps), 2 * len(steps), of=recovered)

    def finish(found: Sums) -> Frames:
        both = found[at]
        n = len(steps)
        grade, taken = estimate(both[slice(0, n)]), estimate(both[slice(n, 2 * n)])
        frame = labelled(grade, basis=basis, recovery=steps)
        return {"grade_recovery": frame.assign(**taken.columns("yield"))}

    return finish


def _best_first(target: Array, whole: Array, steps: Array) -> OfWeights:
    with np.errstate(divide="ignore", invalid="ignore"):
        grade = np.where(whole > 0, target / whole, 0.0)
    holding = np.flatnonzero(target > 0)
    order = holding[np.argsort(-grade[holding], kind="stable")]

    def at_steps(weights: Array) -> Array:
        found = np.full((len(weights), 2 * len(steps)), np.nan)
        all_of_it = weights @ whole
        for b, of_particle in enumerate(weights):
            w = of_particle[order]
            recovered = np.concatenate([[0.0], np.cumsum(w * target[order])])
            taken = np.concatenate([[0.0], np.cumsum(w * whole[order])])
            if not recovered[-1] > 0:
                continue
            wanted = steps * recovered[-1]
            needed = np.interp(wanted, recovered, taken)
            found[b, : len(steps)] = wanted / needed
            found[b, len(steps) :] = needed / all_of_it[b]
        return found

    return at_steps


def density_edges(densities: Array, wanted: tuple[float, ...] = ()) -> Array:
    """Edges of density classes that hold every density: round steps, about ten of them."""
    low, high = float(densities.min()), float(densities.max())
    if wanted:
        edges = np.asarray(wanted, dtype=np.float64)
        below = [np.floor(low * 10) / 10] if low < edges[0] else []
        above = [np.floor(high * 10) / 10 + 0.1] if high >= edges[-1] else []
        return np.concatenate([below, edges, above])
    step = next((s for s in (0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / s <= 10), 2.0)
    first, last = np.floor(low / step + 1e-9), np.floor(high / step + 1e-9) + 1
    return np.round(np.arange(first, last + 1) * step, 10)


def density_classes(sums: Contributions, settings: StatisticSettings) -> Finish:
    """Float and sink: yield, target recovery and target grade of each density class.

    Classes are [lower, upper) in g/cm3. The density of a particle is that of its phases,
    ``sum_p f_p rho_p / sum_p f_p``. ``sink`` beside each row is the same of all that is at
    least as dense.
    """
    sample = sums.sample
    target, mass = target_masses(sample), phase_masses(sample).sum(axis=1)
    volume = sample.amounts * sample.fractions().sum(axis=1)
    used = np.isfinite(mass) & (volume > 0)
    if not used.any():
        nan = np.array([np.nan, np.nan])
        edges, of_class = nan, np.full(len(sample), -1)
        mass, target = np.zeros(len(sample)), np.zeros(len(sample))
    else:
        densities = np.where(used, mass / np.where(volume > 0, volume, 1.0), np.nan)
        edges = density_edges(densities[used], settings.density_edges)
        of_class = np.where(used, np.searchsorted(edges, densities + 1e-12, side="right") - 1, -1)
    n = len(edges) - 1
    masses, whole = sums.add_classes(of_class, mass, n), sums.add(mass)
    targets, target_whole = sums.add_classes(of_class, target, n), sums.add(target)
    counts = np.bincount(of_class[of_class >= 0], minlength=n)

    def finish(found: Sums) -> Frames:
        frames = []
        for quantity, part, all_of_it in (
            ("yield", found[masses], found[whole]),
            ("target recovery", found[targets], found[target_whole]),
            ("target grade", found[targets], found[masses]),
        ):
            dividing = quantity == "target grade"
            sunk = part.from_on().divided_by(all_of_it.from_on() if dividing else all_of_it)
            every = (np.arange(n) == 0) & np.isfinite(sunk.value) & (not dividing)
            frame = labelled(
                share(part.divided_by(all_of_it)),
                quantity=quantity,
                lower_g_cm3=edges[:-1],
                upper_g_cm3=edges[1:],
                n_particles=counts,
            )
            frames.append(frame.assign(**certain(share(sunk), every).columns("sink")))
        return {"density_classes": pd.concat(frames, ignore_index=True)}

    return finish


__all__ = ["density_classes", "density_edges", "grade_recovery", "target_masses"]
