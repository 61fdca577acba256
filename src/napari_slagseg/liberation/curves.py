"""Liberation curves (K Eq. 8), as the exact step functions they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError

LiberationColumn = Literal["volume_liberation", "surface_liberation"]


@dataclass(frozen=True)
class LiberationCurve:
    """Share of the target in particles whose liberation is at least tau.

    Attributes
    ----------
    thresholds : (n,) float64
        The liberation values that occur, rising.
    values : (n,) float64
        The curve at each threshold; it has this value down to the threshold before
        (which it leaves out), and 0 above the last.
    label : str
    n_particles : int
        Particles with target.
    """

    thresholds: NDArray[np.float64]
    values: NDArray[np.float64]
    label: str
    n_particles: int

    def at(self, tau: float | NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Curve at any thresholds, exactly."""
        tau = np.asarray(tau, dtype=np.float64)
        if not len(self.values):
            return np.full(tau.shape, np.nan)
        index = np.searchsorted(self.thresholds, tau, side="left")
        return np.append(self.values, 0.0)[index]

    def steps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners for drawing with ``where="pre"``, from 0 to 1."""
        if not len(self.values):
            return np.array([]), np.array([])
        x = np.concatenate([[0.0], self.thresholds, [self.thresholds[-1], 1.0]])
        y = np.concatenate([[self.values[0]], self.values, [0.0, 0.0]])
        return x, y


def target_amount(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Volume (area, for sections) of the target in each particle."""
    size = "volume_um3" if "volume_um3" in frame else "area_um2"
    return np.asarray(frame["volume_liberation"].to_numpy(float) * frame[size].to_numpy(float))


def liberation_curve(
    frame: pd.DataFrame,
    by: str = "volume_liberation",
    *,
    label: str = "",
    weights: NDArray[np.float64] | None = None,
) -> LiberationCurve:
    """Cumulative liberation curve (K Eq. 8).

    ``L(tau) = target in particles with liberation >= tau / target in all particles``.
    Particles without a value (NaN, such as those that vanish by erosion) take no part.

    Parameters
    ----------
    frame : DataFrame
        Of particles or of sections.
    by : str
        Column with the liberation: ``volume_liberation``, ``surface_liberation``, ...
    label : str
    weights : (n,) float64 or None
        How often each row counts; None counts each once.

    Returns
    -------
    curve : LiberationCurve
        Empty (NaN everywhere) where no particle holds target.

    Raises
    ------
    SlagsegError
        If the column is not in the table.
    """
    if by not in frame:
        raise SlagsegError(
            f"The table has no column '{by}'. It has: {', '.join(map(str, frame.columns))}."
        )
    liberation = frame[by].to_numpy(float)
    target = target_amount(frame) * (1.0 if weights is None else weights)
    used = np.isfinite(liberation) & (target > 0)
    if not used.any():
        return LiberationCurve(np.array([]), np.array([]), label, 0)
    thresholds, inverse = np.unique(liberation[used], return_inverse=True)
    amounts = np.bincount(inverse, weights=target[used])
    tails = np.cumsum(amounts[::-1])[::-1]
    return LiberationCurve(thresholds, tails / tails[0], label, int(used.sum()))


def curve_difference(a: LiberationCurve, b: LiberationCurve) -> dict[str, float]:
    """Largest and mean absolute difference of two curves over tau in [0, 1], exactly.

    Both are step functions, so the mean is a finite sum over the pieces between
    all their thresholds.
    """
    if not (len(a.values) and len(b.values)):
        return {"max_abs": float("nan"), "mean_abs": float("nan")}
    edges = np.unique(np.concatenate([[0.0, 1.0], a.thresholds, b.thresholds]))
    edges = edges[(edges >= 0) & (edges <= 1)]
    # on (edge, next edge] a curve has its value at the next edge
    gap = np.abs(a.at(edges) - b.at(edges))
    mean = float(np.sum(np.diff(edges) * gap[1:]))
    return {"max_abs": float(gap.max()), "mean_abs": mean}


__all__ = [
    "LiberationColumn",
    "LiberationCurve",
    "curve_difference",
    "liberation_curve",
    "target_amount",
]
