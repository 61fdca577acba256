"""How much classes weigh against one another (K 2.3.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, GroundTruth

LAMBDA_FOREGROUND = 0.04
"""K's weight of particle voxels."""


def phase_weights(phases: NDArray[np.int16], balance: float = 0.0) -> NDArray[np.float32]:
    """Weights of the phase network.

    A known voxel of a mineral phase k weighs (mean_j n_j / n_k)^balance, n being the
    known voxels of each mineral phase that occurs; background weighs 1, unknown 0.
    With 0 every known voxel counts alike (K's Lambda^M). With 1 every mineral phase
    has the same total weight: a short training then learns rare phases, too, that
    it would otherwise sacrifice for a common one of like grey value, and finds
    somewhat too much of them.

    Parameters
    ----------
    phases : (n,) int16
        Classes; -1 is unknown.
    balance : float
        From 0 to 1.

    Returns
    -------
    (n,) float32

    References
    ----------
    Kirstein et al. 2026, 2.3.3; the balance is not theirs.
    """
    counts = np.bincount(phases[phases > BACKGROUND], minlength=1).astype(np.float64)
    found = counts > 0
    factors = np.ones_like(counts)
    if found.any():
        factors[found] = (counts[found].mean() / counts[found]) ** balance
    weights = factors[np.maximum(phases, BACKGROUND)].astype(np.float32)
    weights[phases < BACKGROUND] = 0
    return weights


def with_equal_totals(
    weights: NDArray[np.float32], foreground: NDArray[np.int8]
) -> NDArray[np.float32]:
    """Particle-network weights, those of particles changed such that both totals are equal.

    Parameters
    ----------
    weights : (n,) float32
    foreground : (n,) int8
        1 particle, 0 background, -1 unknown.

    Returns
    -------
    (n,) float32
    """
    of_particles = foreground == 1
    background = float(weights[foreground == 0].sum(dtype=np.float64))
    # without any background there is nothing to balance, and without weight nothing to learn
    share = background / max(int(of_particles.sum()), 1) or LAMBDA_FOREGROUND
    return np.where(of_particles, np.float32(share), weights)


def with_same_totals(
    weights: NDArray[np.float32], foreground: NDArray[np.int8]
) -> NDArray[np.float32]:
    """Particle-network weights, those of particles scaled such that both totals are equal.

    Parameters
    ----------
    weights : (n,) float32
        Of particles, too, where `with_equal_totals` takes one weight for all of them.
    foreground : (n,) int8

    Returns
    -------
    (n,) float32
    """
    of_particles = foreground == 1
    background = float(weights[foreground == 0].sum(dtype=np.float64))
    particles = float(weights[of_particles].sum(dtype=np.float64))
    if background <= 0 or particles <= 0:
        return weights
    return np.where(of_particles, weights * np.float32(background / particles), weights)


def weight_balance(truth: GroundTruth) -> dict[str, float]:
    """Total particle-network weight on foreground and on background voxels.

    K chose the constants of Eq. 2 so that the two are about equal.
    """
    weights = truth.particle_weights.astype(np.float64)
    return {
        "foreground": float(weights[truth.foreground == 1].sum()),
        "background": float(weights[truth.foreground == 0].sum()),
    }


__all__ = [
    "LAMBDA_FOREGROUND",
    "phase_weights",
    "weight_balance",
    "with_equal_totals",
    "with_same_totals",
]
