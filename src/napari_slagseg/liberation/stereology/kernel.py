"""The kernel: grades that sections show, given the grade of the particle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.degrees import GRID
from napari_slagseg.liberation.estimates import share
from napari_slagseg.liberation.resampling import resampled_weights, size_strata
from napari_slagseg.liberation.samples import Sample
from napari_slagseg.liberation.settings import StatisticSettings
from napari_slagseg.liberation.stereology.classes import GradeClasses
from napari_slagseg.liberation.stereology.pairs import sections_of
from napari_slagseg.liberation.sums import Sums

Array = NDArray[np.float64]

LEAST_SECTIONS = 10
"""Sections of a class below which nothing is said about it."""


@dataclass(frozen=True)
class SectionKernel:
    """P(class of a section | class of its particle), by area, measured on one material.

    A plane hits a particle with a probability in proportion to its mean width, and the mean
    area of the section is its volume over its mean width (Baddeley and Jensen 2005). So the
    sections of a particle weigh, by area, as much as the particle does by volume: the area
    distribution of sections is this kernel times the **volume** distribution of the
    particles. By number it would not be.

    Attributes
    ----------
    classes : GradeClasses
        Of rows (sections) and columns (particles) alike.
    matrix : (classes, classes) float64
        Columns sum to 1; NaN columns are classes of which there were too few sections.
    known : (classes,) bool
    n_particles, n_sections : (classes,) int64
        Of each particle class.
    areas : (particles, classes) sparse
        Area of the sections of each particle by class of the section.
    column : (particles,) int64
        Class of each particle.
    grade, volume, diameter : (particles,) float64
        Volume with the weight of the particle in it.
    target : str
    """

    classes: GradeClasses
    matrix: Array
    known: NDArray[np.bool_]
    n_particles: NDArray[np.int64]
    n_sections: NDArray[np.int64]
    areas: sparse.csr_matrix
    column: NDArray[np.int64]
    grade: Array
    volume: Array
    diameter: Array
    target: str

    def matrices(self, weights: Array) -> Array:
        """Kernels of resamples of the particles, (b, classes, classes), 0 where not known.

        Parameters
        ----------
        weights : (b, particles) float64
        """
        n = len(self.classes)
        found = np.zeros((len(weights), n, n))
        for c in np.flatnonzero(self.known):
            of_class = self.column == c
            sums = np.asarray((self.areas[of_class].T @ weights[:, of_class].T).T)
            total = sums.sum(axis=1, keepdims=True)
            found[:, :, c] = np.where(total > 0, sums / np.where(total > 0, total, 1), np.nan)
            # a resample without particles of the class: as measured
            empty = ~(total[:, 0] > 0)
            found[empty, :, c] = self.matrix[:, c]
        for c in _pure_known(self.classes):
            found[:, :, c] = np.eye(n)[c]
        return found

    def resampled(self, settings: StatisticSettings) -> Array:
        """Weights of the particles in each resample, (resamples, particles)."""
        if len(self.volume) < 2 or not settings.resamples:
            return np.zeros((0, len(self.volume)))
        strata = size_strata(self.diameter, settings.size_strata)
        drawn = resampled_weights(strata, settings.resamples, settings.seed)
        return np.concatenate(list(drawn))

    def tails(self, weights: Array) -> Array:
        """Target per volume in particles of each class with at least each liberation.

        Parameters
        ----------
        weights : (b, particles) float64

        Returns
        -------
        (b, classes, thresholds) float64
            At `degrees.GRID`; what lies within a class is spread as over the particles of
            the kernel.
        """
        n, steps = len(self.classes), len(GRID)
        at = np.searchsorted(GRID, self.grade + 1e-12, side="right") - 1
        cells = sparse.csr_matrix(
            (self.grade * self.volume, (self.column * steps + at, np.arange(len(self.grade)))),
            shape=(n * steps, len(self.grade)),
        )
        whole = sparse.csr_matrix(
            (self.volume, (self.column, np.arange(len(self.grade)))), shape=(n, len(self.grade))
        )
        target = np.asarray((cells @ weights.T).T).reshape(len(weights), n, steps)
        target = np.cumsum(target[:, :, ::-1], axis=2)[:, :, ::-1]
        volume = np.asarray((whole @ weights.T).T)[:, :, None]
        found = np.where(volume > 0, target / np.where(volume > 0, volume, 1), 0.0)
        grades = np.arange(n) % self.classes.n_grades
        found[:, grades == 0] = 0.0
        found[:, grades == self.classes.n_grades - 1] = 1.0
        return found

    def frame(self, settings: StatisticSettings | None = None) -> pd.DataFrame:
        """Kernel as a table, one row a pair of classes.

        Returns
        -------
        DataFrame
            ``grade_percent_3d, grade_percent_2d`` (and size classes), ``value, low, high``
            (bootstrap over particles), ``n_particles, n_sections``.
        """
        settings = settings or StatisticSettings()
        n = len(self.classes)
        resampled = self.matrices(self.resampled(settings)).reshape(-1, n * n)
        counted = np.tile(np.maximum(self.n_particles, 1), n).astype(float)
        ratios = Sums(self.matrix.ravel(), resampled, counted, settings.level)
        values = share(ratios).columns()
        of_particle = self.classes.columns("_3d").iloc[np.tile(np.arange(n), n)]
        of_section = self.classes.columns("_2d").iloc[np.repeat(np.arange(n), n)]
        counts = {"n_particles": self.n_particles, "n_sections": self.n_sections}
        return pd.concat(
            [
                of_particle.reset_index(drop=True),
                of_section.reset_index(drop=True),
                pd.DataFrame({**values, **{k: np.tile(v, n) for k, v in counts.items()}}),
            ],
            axis=1,
        )

    def sectioning_weights(self) -> pd.DataFrame:
        """How much each class weighs by number and size, of particles and of sections.

        Returns
        -------
        DataFrame
            ``particles`` and ``volume`` (shares of the particles), ``sections`` and ``area``
            (shares of their sections). Sections by area follow the volume; by number they
            follow the number of particles times their mean width.
        """
        n = len(self.classes)
        shares = {
            "particles": self.n_particles.astype(float),
            "sections": self.n_sections.astype(float),
            "volume": np.bincount(self.column, self.volume, n),
            "area": np.bincount(self.column, np.asarray(self.areas.sum(axis=1)).ravel(), n),
        }
        columns = {name: values / max(values.sum(), 1e-300) for name, values in shares.items()}
        return pd.concat([self.classes.columns("_3d"), pd.DataFrame(columns)], axis=1)


def _pure_known(classes: GradeClasses) -> NDArray[np.int64]:
    """Classes whose sections are known without any: of a pure particle they are all pure."""
    return classes.pure_classes() if classes.n_sizes == 1 else np.zeros(0, np.int64)


def section_kernel(
    particles: Sample,
    sections: Sample,
    classes: GradeClasses | None = None,
    *,
    least_sections: int = LEAST_SECTIONS,
) -> SectionKernel:
    """Measure what grades sections show, by the grade of the particle they were cut from.

    Parameters
    ----------
    particles : Sample
        3D, by default those that do not touch the border: only their grade is known.
    sections : Sample
        Sections of the same 3D result with planes at random or evenly spaced places, best
        in random directions (`descriptors.random_planes`): a few hundred planes.
    classes : GradeClasses or None
        None takes tenths, pure particles apart, and one size class.
    least_sections : int
        A class with fewer sections is not known.

    Returns
    -------
    SectionKernel

    Raises
    ------
    SlagsegError
        If no class of mixed particles has sections enough; also as `stereology_curves`.

    References
    ----------
    King and Schneider 1998, *Stereological correction of linear grade distributions for
    mineral liberation*, Powder Technology 98, 21-37 (transformation kernel); Barbery 1991,
    *Mineral Liberation*; Spencer and Sutherland 2000, *Image Analysis and Stereology* 19,
    175-182, who name kernels that fit the material as what limits the method. Here the
    material's own is measured.
    """
    classes = classes or GradeClasses()
    used, row = sections_of(particles, sections)
    n, n_particles = len(classes), len(particles)
    grade = particles.column("volume_liberation")
    column = classes.of(grade, particles.column("equivalent_diameter_um"))
    of_section = classes.of(used.column("volume_liberation"), used.column("equivalent_diameter_um"))
    areas = sparse.csr_matrix(
        (used.amounts * used.weights, (row, of_section)), shape=(n_particles, n)
    )
    counts = np.bincount(column[row], minlength=n)
    pure = _pure_known(classes)
    known = counts >= max(1, least_sections)
    mixed = np.setdiff1d(np.arange(n), classes.pure_classes())
    if not known[mixed].any():
        raise SlagsegError(
            f"The kernel has {len(used):,} sections of {len(np.unique(row)):,} particles, and no "
            f"class of mixed particles has {least_sections} of them. Cut with more planes, take a "
            "larger sample, or fewer classes."
        )
    matrix = np.full((n, n), np.nan)
    for c in np.flatnonzero(known):
        of_class = np.asarray(areas[column == c].sum(axis=0), dtype=np.float64).ravel()
        matrix[:, c] = of_class / of_class.sum()
    known[pure] = True
    matrix[:, pure] = np.eye(n)[:, pure]
    return SectionKernel(
        classes=classes,
        matrix=matrix,
        known=known,
        n_particles=np.bincount(column, minlength=n),
        n_sections=counts,
        areas=areas,
        column=column,
        grade=grade,
        volume=particles.amounts * particles.weights,
        diameter=particles.column("equivalent_diameter_um"),
        target=particles.target_name,
    )


__all__ = ["LEAST_SECTIONS", "SectionKernel", "section_kernel"]
