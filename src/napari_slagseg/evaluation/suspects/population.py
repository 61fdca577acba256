"""What is usual among the particles of a segmentation, so that single ones can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FEWEST = 8
"""Particles from which on one can stand out among them; with fewer, z-scores are 0."""

FARTHEST = 4.0
"""Robust standard deviations at which a z-score ends."""

CLASSES, A_CLASS = 8, 20
"""Most classes of size in which particles are compared, and fewest particles in one."""

COMPARED: Mapping[str, tuple[str, bool, bool, float]] = {
    "size_z": ("voxels", True, False, 0.2),
    "elongation_z": ("elongation", True, False, 0.1),
    # a digital ball of few voxels fills less of its hull than one of many
    "solidity_z": ("solidity", False, True, 0.01),
    "unsure_z": ("unsure", False, False, 0.02),
    "denied_z": ("denied", False, False, 0.02),
}
"""z-scores: the column they are of, whether of its logarithm, whether against particles of like
size, and the smallest standard deviation that is believed (among equal particles, a tiny
difference is none)."""

Usual = tuple[tuple[float, float, float], ...]
"""Logarithm of a size (voxels), median and robust standard deviation there; rising sizes."""


@dataclass(frozen=True)
class Population:
    """Middle and spread of the numbers by which particles are compared.

    Attributes
    ----------
    count : int
        Particles.
    smallest : int
        Voxels of the smallest one; 0 without any.
    usual : mapping of z-score to Usual
        One entry where size plays no part; between two sizes, values are interpolated. Robust:
        1.4826 times the median distance from the median.
    """

    count: int
    smallest: int
    usual: Mapping[str, Usual]

    @classmethod
    def of(cls, particles: pd.DataFrame) -> Population:
        """That of particles with the columns that `COMPARED` names."""
        size = _values(particles, "voxels", True)
        usual = {
            name: _usual(_values(particles, column, log), size if like_size else None, least)
            for name, (column, log, like_size, least) in COMPARED.items()
        }
        smallest = int(particles["voxels"].min()) if len(particles) else 0
        return cls(len(particles), smallest, usual)

    def with_z(self, particles: pd.DataFrame) -> pd.DataFrame:
        """The particles with their z-scores, within -`FARTHEST` and `FARTHEST`.

        All 0 where the population is smaller than `FEWEST`.
        """
        size = _values(particles, "voxels", True)
        found = {}
        for name, (column, log, _, _) in COMPARED.items():
            sizes, middles, spreads = np.array(self.usual[name]).T
            middle, spread = np.interp(size, sizes, middles), np.interp(size, sizes, spreads)
            z = (_values(particles, column, log) - middle) / spread
            z = z if self.count >= FEWEST else np.zeros(len(particles))
            found[name] = np.clip(z, -FARTHEST, FARTHEST)
        return particles.assign(**found)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        usual = {name: [list(at) for at in values] for name, values in self.usual.items()}
        return {"count": self.count, "smallest": self.smallest, "usual": usual}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Population:
        """What `to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        usual = {}
        for name in COMPARED:
            found = [(float(a), float(b), float(c)) for a, b, c in values["usual"][name]]
            if not found or not all(spread > 0 for _, _, spread in found):
                raise ValueError("medians and standard deviations above 0 are needed")
            usual[name] = tuple(found)
        return cls(int(values["count"]), int(values["smallest"]), usual)


def _usual(values: NDArray[np.float64], sizes: NDArray[np.float64] | None, least: float) -> Usual:
    """Median and spread, in classes of size of equally many particles if sizes are given."""
    if not len(values):
        return ((0.0, 0.0, least),)
    classes = [np.arange(len(values))]
    if sizes is not None:
        number = int(np.clip(len(values) // A_CLASS, 1, CLASSES))
        classes = np.array_split(np.argsort(sizes, kind="stable"), number)
    found: dict[float, tuple[float, float]] = {}
    for rows in classes:
        at = 0.0 if sizes is None else float(np.median(sizes[rows]))
        middle = float(np.median(values[rows]))
        spread = 1.4826 * float(np.median(np.abs(values[rows] - middle)))
        found[at] = (middle, max(spread, least))
    return tuple((at, *found[at]) for at in sorted(found))


def _values(particles: pd.DataFrame, column: str, log: bool) -> NDArray[np.float64]:
    values = particles[column].to_numpy(dtype=np.float64)
    return np.log(values) if log else values


__all__ = ["COMPARED", "FARTHEST", "FEWEST", "Population", "Usual"]
