"""What the statistics of a sample are computed with."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

from napari_slagseg.data import SlagsegError

BorderRule = Literal["exclude", "weighted", "include"]
LockedRule = Literal["all", "without", "only"]


@dataclass(frozen=True)
class SampleFilter:
    """Which particles of a table take part.

    Attributes
    ----------
    min_size_um, max_size_um : float
        Equivalent diameters from the first (with it) to the second (with it).
    border : {"exclude", "weighted", "include"}
        Particles that touch the border of the volume may be cut off. ``exclude`` leaves them
        out; so does ``weighted``, but counts every other particle ``border_weight`` times, as
        large particles are cut more often than small ones (Miles-Lantuejoul); ``include``
        takes all as if they were whole.
    locked : {"all", "without", "only"}
        A particle is locked here if it holds target but shows none at its surface.
        ``without`` leaves these out, ``only`` takes nothing else.
    """

    min_size_um: float = 0.0
    max_size_um: float = math.inf
    border: BorderRule = "exclude"
    locked: LockedRule = "all"

    def __post_init__(self) -> None:
        if not 0 <= self.min_size_um <= self.max_size_um:
            raise SlagsegError(
                f"Sizes from {self.min_size_um:g} to {self.max_size_um:g} um hold no particle; "
                "give a smallest size of 0 or more that is not above the largest."
            )
        for name, chosen, known in (
            ("border", self.border, ("exclude", "weighted", "include")),
            ("locked", self.locked, ("all", "without", "only")),
        ):
            if chosen not in known:
                raise SlagsegError(f"The filter {name}='{chosen}' is none of {', '.join(known)}.")


TENTHS = tuple(k / 10 for k in range(11))


@dataclass(frozen=True)
class StatisticSettings:
    """How results and their intervals are computed.

    Attributes
    ----------
    resamples : int
        Bootstrap resamples; 0 gives no intervals.
    seed : int
        The same seed gives the same intervals.
    level : float
        Coverage that the intervals aim at.
    size_strata : int
        Size classes of about equal particle number that are resampled each alone;
        1 resamples the sample as a whole.
    class_edges : tuple of float
        Edges of the liberation classes, within 0 to 1.
    group_edges : (float, float)
        Locked below the first, liberated from the second on, middlings between.
    size_edges_um : tuple of float
        Edges of the size classes; empty takes sieve openings.
    grade_steps : int
        Points of the grade-recovery curve.
    density_edges : tuple of float
        Edges of the density classes, g/cm3; empty takes round numbers.
    presence_minimum : float
        A phase counts as present in a particle, for locking, where its share is above this.
    """

    resamples: int = 1000
    seed: int = 0
    level: float = 0.95
    size_strata: int = 10
    class_edges: tuple[float, ...] = TENTHS
    group_edges: tuple[float, float] = (0.3, 0.9)
    size_edges_um: tuple[float, ...] = ()
    grade_steps: int = 50
    density_edges: tuple[float, ...] = ()
    presence_minimum: float = 0.0

    def __post_init__(self) -> None:
        if self.resamples < 0 or self.size_strata < 1 or self.grade_steps < 2:
            raise SlagsegError(
                f"{self.resamples} resamples, {self.size_strata} size strata and "
                f"{self.grade_steps} grade steps do not work; take at least 0, 1 and 2."
            )
        if not 0 < self.level < 1:
            raise SlagsegError(
                f"An interval cannot have the level {self.level}; take 0.95, for example."
            )
        if not 0 <= self.presence_minimum < 1:
            raise SlagsegError(
                f"A phase cannot be present above a share of {self.presence_minimum}; "
                "take 0, or a small share such as 0.01."
            )
        _check_rising("liberation classes", self.class_edges, 0.0, 1.0)
        _check_rising("liberation groups", self.group_edges, 0.0, 1.0)
        _check_rising("size classes", self.size_edges_um, 0.0, math.inf)
        _check_rising("density classes", self.density_edges, 0.0, math.inf)
        if len(self.group_edges) != 2:
            raise SlagsegError(
                "Locked, middlings and liberated need two edges; these are "
                f"{len(self.group_edges)}: {', '.join(f'{e:g}' for e in self.group_edges)}."
            )


def _check_rising(what: str, edges: tuple[float, ...], lowest: float, highest: float) -> None:
    rising = all(a < b for a, b in itertools.pairwise(edges))
    if not rising or not all(lowest <= e <= highest and math.isfinite(e) for e in edges):
        raise SlagsegError(
            f"The edges of the {what} must rise between {lowest:g} and {highest:g}; "
            f"these are {', '.join(f'{e:g}' for e in edges)}."
        )
    if len(edges) == 1:
        raise SlagsegError(f"One edge ({edges[0]:g}) makes no {what}; give two or more.")


__all__ = ["TENTHS", "BorderRule", "LockedRule", "SampleFilter", "StatisticSettings"]
