"""Classes of grade, with particles of pure target and pure rest apart, and of size."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.settings import TENTHS

Array = NDArray[np.float64]

_ROUND_OFF = 1e-9


@dataclass(frozen=True)
class GradeClasses:
    """Classes 0, (0, e1], (e1, e2], ... (en, 1), 1 of the target's share, by size if wanted.

    Attributes
    ----------
    edges : tuple of float
        Rising from 0 to 1.
    size_edges_um : tuple of float
        Rising equivalent diameters above 0 that part size classes; the first class reaches
        down to 0 and the last has no end. Particles and sections are each classed by their
        own diameter. Empty: one class.
    pure : float
        A share of at most `pure` counts as 0, one of at least ``1 - pure`` as 1; above 0 for
        segmentations that leave single wrong voxels in pure particles.

    Raises
    ------
    SlagsegError
        If edges do not rise, do not run from 0 to 1, or `pure` reaches beyond the first or
        last class.
    """

    edges: tuple[float, ...] = TENTHS
    size_edges_um: tuple[float, ...] = ()
    pure: float = 0.0

    def __post_init__(self) -> None:
        edges, sizes = self.edges, self.size_edges_um
        rising = all(a < b for a, b in itertools.pairwise(edges))
        if len(edges) < 2 or not rising or edges[0] != 0 or edges[-1] != 1:
            raise SlagsegError(
                f"The edges of the grade classes are {', '.join(map(str, edges))}; they must rise "
                "from 0 to 1."
            )
        if not 0 <= self.pure < min(edges[1], 1 - edges[-2]):
            raise SlagsegError(
                f"Grades within {self.pure} of 0 or 1 cannot count as pure: that must lie between "
                f"0 and the width of the outer classes ({edges[1]:g} and {1 - edges[-2]:g})."
            )
        if not all(a < b for a, b in itertools.pairwise((0.0, *sizes, math.inf))):
            raise SlagsegError(
                f"The edges of the size classes are {', '.join(map(str, sizes))} um; they must "
                "rise and lie above 0."
            )

    @property
    def n_grades(self) -> int:
        """Grade classes, the two pure ones among them."""
        return len(self.edges) + 1

    @property
    def n_sizes(self) -> int:
        """Size classes."""
        return len(self.size_edges_um) + 1

    def __len__(self) -> int:
        return self.n_grades * self.n_sizes

    def of(self, grades: Array, diameters_um: Array) -> NDArray[np.int64]:
        """Number of the class of each particle or section, size classes one after the other."""
        inner = np.asarray(self.edges)[1:-1]
        classes = 1 + np.searchsorted(inner, grades - _ROUND_OFF, side="left")
        classes = np.where(grades <= self.pure + _ROUND_OFF, 0, classes)
        classes = np.where(grades >= 1 - self.pure - _ROUND_OFF, self.n_grades - 1, classes)
        sizes = np.searchsorted(np.asarray(self.size_edges_um), diameters_um, side="right")
        return np.asarray(sizes * self.n_grades + classes, dtype=np.int64)

    def pure_classes(self) -> NDArray[np.int64]:
        """Grade class of every class that holds pure particles only: 0 or ``n_grades - 1``."""
        grades = np.arange(len(self)) % self.n_grades
        return np.flatnonzero((grades == 0) | (grades == self.n_grades - 1))

    def names(self) -> list[str]:
        """Names of the grade classes, in per cent."""
        percent = [f"{100 * edge:g}" for edge in self.edges]
        inner = [f"({a}-{b}]" for a, b in itertools.pairwise(percent)]
        inner[-1] = inner[-1].replace("]", ")")
        return ["0", *inner, "100"]

    def columns(self, suffix: str = "") -> pd.DataFrame:
        """One row a class: ``grade_percent`` and, where there are several, the size class."""
        columns: dict[str, list[object]] = {
            f"grade_percent{suffix}": [*self.names()] * self.n_sizes
        }
        if self.n_sizes > 1:
            ends = (0.0, *self.size_edges_um, math.inf)
            for name, values in (("size_from_um", ends[:-1]), ("size_to_um", ends[1:])):
                columns[f"{name}{suffix}"] = [v for v in values for _ in range(self.n_grades)]
        return pd.DataFrame(columns)


__all__ = ["GradeClasses"]
