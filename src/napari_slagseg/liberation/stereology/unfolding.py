"""From a distribution seen through a kernel back to what it was: EM with few steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_STEPS = 50
"""More steps than this only follow the scatter, as phantoms show."""

LEAST_STEPS = 2
"""One step alone goes part of the way where few sections would allow the whole of it."""

_NEAR = 1.25
"""Where the criterion is out of reach: misfit over the least, at which it is not worth going on."""

_FLOOR = 1e-3


def start_from(apparent: Array, known: NDArray[np.bool_]) -> Array:
    """Apparent distribution as the first guess; no known class is empty.

    Parameters
    ----------
    apparent : (b, classes) float64
    known : (classes,) bool
    """
    guess = np.where(known, np.maximum(apparent, _FLOOR / max(known.sum(), 1)), 0.0)
    return np.asarray(guess / guess.sum(axis=1, keepdims=True))


def em_steps(kernels: Array, apparent: Array, guess: Array, steps: int) -> Array:
    """Some steps of expectation-maximisation (Richardson-Lucy).

    Each step multiplies the guess with the share of the data that it still misses, and
    raises the likelihood of the data; shares stay positive and sum to 1.

    Parameters
    ----------
    kernels : (b, rows, columns) or (1, rows, columns) float64
        Columns sum to 1, or to 0 where not known.
    apparent : (b, rows) float64
    guess : (b, columns) float64
    steps : int

    Returns
    -------
    (b, columns) float64

    References
    ----------
    Richardson 1972, JOSA 62, 55-59; Lucy 1974, Astronomical Journal 79, 745-754; Vardi, Shepp
    and Kaufman 1985, JASA 80, 8-20.
    """
    for _ in range(steps):
        seen = np.einsum("brc,bc->br", kernels, guess)
        missed = np.divide(apparent, seen, out=np.zeros_like(apparent), where=seen > 0)
        guess = guess * np.einsum("brc,br->bc", kernels, missed)
        guess = guess / guess.sum(axis=1, keepdims=True)
    return guess


def misfit(kernel: Array, apparent: Array, guess: Array, variance: Array) -> float:
    """Mean squared residual over its expected size, over classes that occur."""
    residual = apparent - kernel @ guess
    used = variance > 0
    if not used.any():
        return 0.0
    # shares sum to 1: one residual follows from the others
    freedom = max(int(used.sum()) - 1, 1)
    return float((residual[used] ** 2 / variance[used]).sum() / freedom)


def chosen_steps(
    kernel: Array, apparent: Array, guess: Array, variance: Array, most: int = MOST_STEPS
) -> tuple[int, Array, float]:
    """Fewest steps after which the residuals are no larger than the data's scatter.

    If that cannot be reached, fewest after which more bring next to nothing. Beyond, EM fits
    the scatter (Morozov's discrepancy principle; for EM, Bardsley 2011, Electronic
    Transactions on Numerical Analysis 38, 34-43). Nothing but the data and their scatter is
    looked at.

    Parameters
    ----------
    kernel : (rows, columns) float64
    apparent : (rows,) float64
    guess : (columns,) float64
    variance : (rows,) float64
        Of `apparent` and of the kernel's image of it.
    most : int

    Returns
    -------
    steps : int
        At least `LEAST_STEPS`.
    guess : (columns,) float64
    misfit : float
        Below 1 where the criterion was met.
    """
    tried = []
    for step in range(1, most + 1):
        guess = em_steps(kernel[None], apparent[None], guess[None], 1)[0]
        left = misfit(kernel, apparent, guess, variance)
        tried.append((step, guess, left))
        if left <= 1 and step >= min(LEAST_STEPS, most):
            return tried[-1]
    least = min(left for _, _, left in tried)
    return next(t for t in tried[min(LEAST_STEPS, most) - 1 :] if t[2] <= _NEAR * least)


__all__ = ["MOST_STEPS", "chosen_steps", "em_steps", "misfit", "start_from"]
