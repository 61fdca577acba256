"""Correcting sections of a material by the kernel of the same material."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.degrees import GRID
from napari_slagseg.liberation.estimates import Estimate, certain, estimate, falling, share
from napari_slagseg.liberation.resampling import resampled_weights, size_strata
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.stereology.kernel import SectionKernel
from napari_slagseg.liberation.stereology.unfolding import (
    MOST_STEPS,
    chosen_steps,
    em_steps,
    start_from,
)
from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]

UNMET = 2.0
"""From this misfit on the kernel does not explain the sections."""


@dataclass(frozen=True)
class Correction:
    """Distribution of grade in 3D that sections speak for, with its scatter.

    Attributes
    ----------
    kernel : SectionKernel
    label : str
        Of the sections.
    n_sections : int
    apparent, corrected : Sums
        Shares by class: of area in the sections, of volume in the particles.
    curve : Sums
        Corrected liberation curve at `degrees.GRID`.
    steps : int
        Of the EM, see `unfolding.chosen_steps`.
    misfit : float
        What is left over of the sections, over their scatter; about 1 is right.
    warnings : tuple of str
    """

    kernel: SectionKernel
    label: str
    n_sections: int
    apparent: Sums
    corrected: Sums
    curve: Sums
    steps: int
    misfit: float
    warnings: tuple[str, ...]

    def distribution(self) -> pd.DataFrame:
        """Shares by class, apparent and corrected.

        Returns
        -------
        DataFrame
            ``sample, curve`` (``2D apparent`` or ``corrected``), ``grade_percent`` (and size
            class), ``value, low, high``.
        """
        frames = []
        for name, sums in (("2D apparent", self.apparent), ("corrected", self.corrected)):
            columns = self.kernel.classes.columns()
            columns.insert(0, "curve", name)
            columns.insert(0, "sample", self.label)
            frames.append(pd.concat([columns, pd.DataFrame(share(sums).columns())], axis=1))
        return pd.concat(frames, ignore_index=True)

    def liberation_curve(self) -> pd.DataFrame:
        """Corrected curve: ``sample, by, threshold, value, low, high``."""
        known = np.isfinite(self.curve.value)
        band = certain(_within(falling(estimate(self.curve))), known & (GRID <= 0))
        label = f"{self.label}, corrected"
        fixed = {"sample": label, "by": "volume_liberation", "threshold": GRID}
        return pd.DataFrame({**fixed, **band.columns()})


def _within(found: Estimate) -> Estimate:
    return Estimate(found.value, np.clip(found.low, 0, 1), np.clip(found.high, 0, 1))


def correct_sections(
    kernel: SectionKernel,
    sections: Sample,
    settings: StatisticSettings | None = None,
    *,
    most_steps: int = MOST_STEPS,
) -> Correction:
    """Estimate the grades of particles from their sections alone.

    Finds the distribution of grade by volume whose image by the kernel is the sections'
    distribution by area, by EM from the apparent distribution; it ends as soon as what is left
    over is no more than the scatter of sections and kernel. So little data is corrected
    little, and never over-corrected to follow its noise.

    Parameters
    ----------
    kernel : SectionKernel
        Of the same material: alike in texture, while grades may be distributed in
        another way (a concentrate beside its feed).
    sections : Sample
        2D, of the kernel's target: sections of another 3D result, or of a map.
    settings : StatisticSettings or None
        Resamples, seed and level. Both the sections and the kernel's particles are resampled.
    most_steps : int

    Returns
    -------
    Correction

    Raises
    ------
    SlagsegError
        If these are no sections, none has target, or their target is not the kernel's.

    Notes
    -----
    King and Schneider 1998 (see `section_kernel`) solve the same equation by entropy-regularised
    least squares, Silverman, Jones, Wilson and Nychka 1990 (Journal of the Royal Statistical
    Society B 52, 271-324) that of particle sizes by EM with a smoothing step. EM that is ended
    by the discrepancy principle (Bardsley 2011, Electronic Transactions on Numerical Analysis 38,
    34-43) needs no penalty to be chosen. Intervals hold the scatter of both samples, not the
    pull of the early end towards the apparent distribution.
    """
    settings = settings or StatisticSettings()
    _check(kernel, sections)
    classes, known = kernel.classes, kernel.known
    areas = _areas(kernel, sections)
    apparent = np.asarray(areas.sum(axis=0), dtype=np.float64).ravel()
    apparent /= apparent.sum()
    matrix = np.where(known, np.nan_to_num(kernel.matrix), 0.0)
    first = start_from(apparent[None], known)[0]
    variance = _variance(areas, apparent) + _kernel_variance(kernel, first)
    steps, corrected, left = chosen_steps(matrix, apparent, first, variance, most_steps)

    of_sections = _resampled(sections, areas, settings)
    of_particles = kernel.resampled(settings)
    b = min(len(of_sections), len(of_particles))
    many, of_particles = of_sections[:b], of_particles[:b]
    many_corrected = np.zeros((b, len(classes)))
    whole = np.ones((1, len(kernel.volume)))
    curve = _curve(corrected[None], kernel.tails(whole))[0]
    curves = np.zeros((b, len(GRID)))
    for part in _chunks(b, len(classes)):
        matrices = kernel.matrices(of_particles[part])
        guess = start_from(many[part], known)
        many_corrected[part] = em_steps(matrices, many[part], guess, steps)
        curves[part] = _curve(many_corrected[part], kernel.tails(of_particles[part]))

    def ratios(value: Array, resampled: Array) -> Sums:
        n = np.full(len(value), _effective(areas))
        return Sums(value, resampled, n, settings.level)

    return Correction(
        kernel=kernel,
        label=sections.label,
        n_sections=len(sections),
        apparent=ratios(apparent, many),
        corrected=ratios(corrected, many_corrected),
        curve=ratios(curve, curves),
        steps=steps,
        misfit=left,
        warnings=_warnings(kernel, apparent, matrix, left, sections.label),
    )


def _check(kernel: SectionKernel, sections: Sample) -> None:
    if sections.dimension != 2:
        raise SlagsegError(
            f"'{sections.label}' are particles in 3D; only sections can be corrected."
        )
    if sections.target_name != kernel.target:
        raise SlagsegError(
            f"The kernel is of the target {kernel.target}, but that of '{sections.label}' is "
            f"{sections.target_name or 'not set'}. Choose the same for both."
        )
    if not (sections.target_amounts * sections.weights).sum() > 0:
        raise SlagsegError(
            f"'{sections.label}' hold no {kernel.target}: there is no liberation to correct."
        )


def _areas(kernel: SectionKernel, sections: Sample) -> sparse.csr_matrix:
    """Area of each unit of resampling by class, (units, classes)."""
    classes = kernel.classes.of(
        sections.column("volume_liberation"), sections.column("equivalent_diameter_um")
    )
    units = sections.units()
    return sparse.csr_matrix(
        (sections.amounts * sections.weights, (units, classes)),
        shape=(int(units.max()) + 1, len(kernel.classes)),
    )


def _resampled(sections: Sample, areas: sparse.csr_matrix, settings: StatisticSettings) -> Array:
    """Apparent distributions of resamples of the sections, (resamples, classes)."""
    if areas.shape[0] < 2 or not settings.resamples:
        return np.zeros((0, areas.shape[1]))
    sizes = np.zeros(areas.shape[0])
    np.maximum.at(sizes, sections.units(), sections.column("equivalent_diameter_um"))
    # not the stream that the kernel's particles are drawn with
    settings = replace(settings, seed=settings.seed + 1)
    strata = size_strata(sizes, settings.size_strata)
    drawn = resampled_weights(strata, settings.resamples, settings.seed)
    sums = np.concatenate([np.asarray((areas.T @ w.T).T) for w in drawn])
    return sums / sums.sum(axis=1, keepdims=True)


def _effective(areas: sparse.csr_matrix) -> float:
    """Effective number of units (Kish 1965)."""
    whole = np.asarray(areas.sum(axis=1), dtype=np.float64).ravel()
    return float(whole.sum() ** 2 / (whole**2).sum())


def _variance(areas: sparse.csr_matrix, shares: Array) -> Array:
    """Of shares as a ratio of sums over units (linearised)."""
    whole = np.asarray(areas.sum(axis=1), dtype=np.float64).ravel()
    squares = np.asarray(areas.multiply(areas).sum(axis=0), dtype=np.float64).ravel()
    crossed = np.asarray(areas.T @ whole, dtype=np.float64).ravel()
    spread = squares - 2 * shares * crossed + shares**2 * (whole**2).sum()
    return np.maximum(spread, 0) / whole.sum() ** 2


def _kernel_variance(kernel: SectionKernel, guess: Array) -> Array:
    found = np.zeros(len(guess))
    pure = kernel.classes.pure_classes() if kernel.classes.n_sizes == 1 else ()
    for c in np.setdiff1d(np.flatnonzero(kernel.known), pure):
        found += guess[c] ** 2 * _variance(kernel.areas[kernel.column == c], kernel.matrix[:, c])
    return found


def _curve(shares: Array, tails: Array) -> Array:
    """Liberation curves (b, thresholds) of shares (b, classes)."""
    target = np.einsum(
        "bc,bct->bt", shares, np.broadcast_to(tails, (len(shares), *tails.shape[1:]))
    )
    whole = target[:, :1]
    return np.divide(target, whole, out=np.full_like(target, np.nan), where=whole > 0)


def _chunks(n: int, classes: int) -> list[slice]:
    rows = max(1, 4_000_000 // (classes * max(classes, len(GRID))))
    return [slice(a, min(a + rows, n)) for a in range(0, n, rows)]


def _warnings(
    kernel: SectionKernel,
    apparent: Array,
    matrix: Array,
    left: float,
    label: str,
) -> tuple[str, ...]:
    found = []
    unknown = np.flatnonzero(~kernel.known)
    if len(unknown):
        names = [kernel.classes.names()[c % kernel.classes.n_grades] for c in unknown]
        found.append(
            f"{label}: the kernel has too few sections of particles with a grade of "
            f"{', '.join(dict.fromkeys(names))} %; none were assumed."
        )
    unseen = float(apparent[matrix.sum(axis=1) == 0].sum())
    if unseen > 0.01:
        found.append(
            f"{label}: {unseen:.0%} of the area shows grades that no section of the kernel does."
        )
    if left > UNMET:
        found.append(
            f"{label}: the kernel does not explain the sections (misfit {left:.1f}, right is 1); "
            "are they of the same material, seen at the same resolution?"
        )
    return tuple(found)


__all__ = ["Correction", "correct_sections"]
