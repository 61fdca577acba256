"""Sums over particles, their quotients, and the same of every resample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ratios:
    """Quotients of sums, of the sample and of its resamples.

    Attributes
    ----------
    value : (k,) float64
    resampled : (resamples, k) float64
    effective : (k,) float64
        Effective number of particles in the divisor.
    freedom : (k,) float64
        Effective number of particles that the spread is known from.
    level : float
        Of the intervals that are made of them.
    """

    value: Array
    resampled: Array
    effective: Array
    freedom: Array
    level: float


@dataclass(frozen=True)
class Sums:
    """Sums over the particles of the sample, and over those of its resamples.

    Attributes
    ----------
    value : (k,) float64
    resampled : (resamples, k) float64
    squares : (k,) float64
        Sums of the squares of what each particle adds.
    level : float
        Of the intervals that are made of them.
    """

    value: Array
    resampled: Array
    squares: Array
    level: float

    @property
    def effective(self) -> Array:
        """Effective number of particles in each sum, ``(sum x)^2 / sum x^2`` (Kish 1965)."""
        held = self.squares > 0
        return np.where(held, self.value**2 / np.where(held, self.squares, 1.0), 0.0)

    @property
    def freedom(self) -> Array:
        """Effective number of particles that the spread is known from."""
        return self.effective

    def __getitem__(self, columns: slice) -> Sums:
        return Sums(
            self.value[columns], self.resampled[:, columns], self.squares[columns], self.level
        )

    def repeated(self, times: int) -> Sums:
        """Each column several times, one after the other."""
        return Sums(
            np.repeat(self.value, times),
            np.repeat(self.resampled, times, axis=1),
            np.repeat(self.squares, times),
            self.level,
        )

    def up_to(self) -> Sums:
        """Of classes: each with all below it."""
        return Sums(
            np.cumsum(self.value),
            np.cumsum(self.resampled, axis=1),
            np.cumsum(self.squares),
            self.level,
        )

    def from_on(self) -> Sums:
        """Of classes: each with all above it."""
        reverse = slice(None, None, -1)
        return self[reverse].up_to()[reverse]

    def divided_by(self, whole: Sums, *, classes: bool = False) -> Ratios:
        """Quotient with another sum, or with as many.

        Parameters
        ----------
        whole : Sums
        classes : bool
            A particle adds all that it adds to the whole, or nothing. Then as much as the
            whole consists of few large particles, so may the class, or what is not in it:
            the spread is known from the fewest of the three.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(whole.value != 0, self.value / whole.value, np.nan)
            resampled = np.where(whole.resampled != 0, self.resampled / whole.resampled, np.nan)
        effective = np.broadcast_to(whole.effective, value.shape)
        freedom = effective
        if classes:
            rest = np.maximum(whole.squares - self.squares, 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                others = np.where(rest > 0, (whole.value - self.value) ** 2 / rest, np.inf)
            held = np.where(self.value > 0, self.effective, np.inf)
            freedom = np.minimum(np.minimum(held, others), effective)
        return Ratios(value, resampled, effective, freedom, self.level)


__all__ = ["Ratios", "Sums"]
