"""Liberation curves: exact step functions of the threshold (K Eq. 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_slagseg.data import SlagsegError

VOLUME = "volume_liberation"
SURFACE = "surface_liberation"
ERODED = "surface_liberation_eroded"


@dataclass(frozen=True)
class LiberationCurve:
    """Share of the target phase that lies in particles at least so liberated.

    ``L(tau)`` is constant between the liberations that occur: it is ``values[i]``
    for ``thresholds[i - 1] < tau <= thresholds[i]``, and 0 above the last.

    Attributes
    ----------
    thresholds : (n,) float64
        The liberations that occur, rising; empty if there is no target at all.
    values : (n,) float64
        ``L`` at each threshold, falling; the first is 1.
    label : str
        For legends and exports.
    kind : str
        The column it was made from.
    n_particles : int
        How many particles stand behind it.
    """

    thresholds: NDArray[np.float64]
    values: NDArray[np.float64]
    label: str = ""
    kind: str = VOLUME
    n_particles: int = 0

    def at(self, tau: ArrayLike) -> NDArray[np.float64]:
        """``L`` at one or many thresholds; NaN for a curve without target.

        Parameters
        ----------
        tau : array_like
            Thresholds between 0 and 1.

        Returns
        -------
        float64 array of the shape of `tau`
        """
        asked = np.asarray(tau, dtype=np.float64)
        if not len(self.thresholds):
            return np.full(asked.shape, np.nan)
        index = np.searchsorted(self.thresholds, asked, side="left")
        return np.append(self.values, 0.0)[index]

    def steps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners (tau, L) of the curve from 0 to 1, for drawing with straight lines."""
        if not len(self.thresholds):
            return np.zeros(0), np.zeros(0)
        tau = np.concatenate([[0.0], np.repeat(self.thresholds, 2), [1.0]])
        values = np.repeat(np.append(self.values, 0.0), 2)
        if self.thresholds[-1] >= 1.0:
            return tau[:-2], values[:-2]
        return tau, values


def target_amount(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Target phase in each row: um3 for particles, um2 for sections."""
    for name in ("volume_um3", "area_um2"):
        if name in frame.columns:
            amount = frame[VOLUME].to_numpy(np.float64) * frame[name].to_numpy(np.float64)
            return np.asarray(amount)
    raise SlagsegError(
        "The table has neither a column volume_um3 nor area_um2, so its particles cannot be "
        "weighted by their target phase. Use a table made by 'measure' or 'describe'."
    )


def liberation_curve(frame: pd.DataFrame, by: str = VOLUME, *, label: str = "") -> LiberationCurve:
    """Cumulative liberation curve, weighted by target volume (area in 2D).

    Parameters
    ----------
    frame : DataFrame
        Rows of a `ParticleTable`.
    by : str
        ``volume_liberation``, ``surface_liberation`` or ``surface_liberation_eroded``.
    label : str

    Returns
    -------
    LiberationCurve
        Without steps if no row holds any target.

    Raises
    ------
    SlagsegError
        If the table lacks the column.

    Notes
    -----
    Kirstein et al., Eq. 8: ``L(tau) = |V_tau| / |V_0|``. Particles without a value
    (eroded to nothing) are left out of both.
    """
    if by not in frame.columns:
        raise SlagsegError(
            f"The table has no column {by}. It has: {', '.join(map(str, frame.columns))}."
        )
    liberation = frame[by].to_numpy(np.float64)
    amount = target_amount(frame)
    # particles without target weigh nothing and make no step
    counted = np.isfinite(liberation) & (amount > 0)
    n_particles = int(np.isfinite(liberation).sum())
    thresholds, which = np.unique(liberation[counted], return_inverse=True)
    weights = np.bincount(which, weights=amount[counted], minlength=len(thresholds))
    values = np.cumsum(weights[::-1])[::-1]
    if len(values):
        values = values / values[0]
    return LiberationCurve(thresholds, values, label, by, n_particles)


def curve_difference(a: LiberationCurve, b: LiberationCurve) -> dict[str, float]:
    """How far two curves lie apart, exactly.

    Returns
    -------
    dict
        ``max_abs``: largest distance over all thresholds; ``mean_abs``: area between
        the curves over [0, 1]. NaN if one of them has no target.
    """
    if not (len(a.thresholds) and len(b.thresholds)):
        return {"max_abs": float("nan"), "mean_abs": float("nan")}
    ends = np.union1d(np.union1d(a.thresholds, b.thresholds), [0.0, 1.0])
    # both are constant on (ends[i - 1], ends[i]]
    apart = np.abs(a.at(ends) - b.at(ends))
    return {
        "max_abs": float(apart.max()),
        "mean_abs": float(np.sum(apart[1:] * np.diff(ends))),
    }


__all__ = [
    "ERODED",
    "SURFACE",
    "VOLUME",
    "LiberationCurve",
    "curve_difference",
    "liberation_curve",
    "target_amount",
]
