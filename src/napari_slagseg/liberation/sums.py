"""Sums over particles, of the sample and of its resamples, and their quotients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Sums over the particles (or quotients of such), of the sample and of its resamples.

    Attributes
    ----------
    value : (k,) float64
    resampled : (resamples, k) float64
    effective : (k,) float64
        Effective number of particles in each sum, ``(sum x)^2 / sum x^2`` (Kish 1965); of a
        quotient, in its divisor.
    level : float
        Of the intervals that are made of them.
    freedom : (k,) float64 or None
        Effective number of particles that the spread is known from; None where that is
        `effective`.
    """

    value: Array
    resampled: Array
    effective: Array
    level: float
    freedom: Array | None = None

    @property
    def squares(self) -> Array:
        """Sum of the squares of what each particle adds, (k,)."""
        held = self.effective > 0
        return np.where(held, self.value**2 / np.where(held, self.effective, 1.0), 0.0)

    def __getitem__(self, columns: slice) -> Sums:
        return Sums(
            self.value[columns],
            self.resampled[:, columns],
            self.effective[columns],
            self.level,
            None if self.freedom is None else self.freedom[columns],
        )

    def repeated(self, times: int) -> Sums:
        """Each column several times, one after the other."""
        return Sums(
            np.repeat(self.value, times),
            np.repeat(self.resampled, times, axis=1),
            np.repeat(self.effective, times),
            self.level,
        )

    def up_to(self) -> Sums:
        """Of classes: each with all below it."""
        value = np.cumsum(self.value)
        return Sums(
            value,
            np.cumsum(self.resampled, axis=1),
            effective_number(value, np.cumsum(self.squares)),
            self.level,
        )

    def from_on(self) -> Sums:
        """Of classes: each with all above it."""
        reverse = slice(None, None, -1)
        return self[reverse].up_to()[reverse]

    def divided_by(self, whole: Sums, *, classes: bool = False) -> Sums:
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
        if not classes:
            return Sums(value, resampled, effective, self.level)
        rest = np.maximum(whole.squares - self.squares, 0.0)
        others = effective_number(whole.value - self.value, rest)
        freedom = np.where(self.value > 0, self.effective, np.inf)
        freedom = np.minimum(freedom, np.where(rest > 0, others, np.inf))
        return Sums(value, resampled, effective, self.level, np.minimum(freedom, effective))


def effective_number(value: Array, squares: Array) -> Array:
    """Effective number of particles in a sum, from the sum and that of the squares."""
    held = squares > 0
    return np.where(held, value**2 / np.where(held, squares, 1.0), 0.0)


__all__ = ["Sums", "effective_number"]
