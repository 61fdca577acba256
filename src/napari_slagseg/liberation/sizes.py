"""Size classes: liberation by size (K Eq. 9) and size distributions (K Fig. 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.curves import VOLUME, target_amount

DIAMETER = "equivalent_diameter_um"
_MOST_CLASSES = 15


def size_edges(diameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round class edges ``0 = b_0 < ... < b_n >= max``: equal widths of 1, 2, 2.5 or 5 x 10^k.

    Parameters
    ----------
    diameters : (n,) float64
        Micrometres; may be empty (then one class, 0 to 1).
    """
    largest = float(np.max(diameters)) if len(diameters) else 1.0
    if not largest > 0:
        largest = 1.0
    power = 10.0 ** math.floor(math.log10(largest / _MOST_CLASSES))
    width = next(
        factor * power
        for factor in (1.0, 2.0, 2.5, 5.0, 10.0)
        if math.ceil(largest / (factor * power)) <= _MOST_CLASSES
    )
    n = max(1, math.ceil(largest / width - 1e-12))
    edges = width * np.arange(n + 1)
    edges[-1] = max(edges[-1], largest)
    return edges


def _checked_edges(
    edges_um: Sequence[float] | NDArray[np.floating] | None, diameters: NDArray[np.float64]
) -> NDArray[np.float64]:
    if edges_um is None:
        return size_edges(diameters)
    edges = np.asarray(edges_um, dtype=np.float64)
    if (
        edges.ndim != 1
        or len(edges) < 1
        or not np.all(np.isfinite(edges))
        or np.any(np.diff(edges) <= 0)
        or edges[0] < 0
        or (len(edges) == 1 and edges[0] == 0)
    ):
        raise SlagsegError(
            f"The size class edges are {edges_um}; they must be rising diameters in "
            "micrometres, such as 0, 63, 100, 250."
        )
    if edges[0] > 0:
        edges = np.concatenate([[0.0], edges])
    largest = float(diameters.max()) if len(diameters) else 0.0
    # K Eq. 9 asks for b_n >= the largest particle: nothing falls off the end
    return np.append(edges, largest) if largest > edges[-1] else edges


def _class_of(diameters: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """Class k holds ``(b_k, b_k+1]``."""
    index = np.searchsorted(edges, diameters, side="left") - 1
    return np.asarray(np.clip(index, 0, len(edges) - 2))


def size_by_liberation(
    frame: pd.DataFrame,
    edges_um: Sequence[float] | NDArray[np.floating] | None = None,
    by: str = VOLUME,
) -> pd.DataFrame:
    """Mean liberation of each size class, weighted by target volume.

    Parameters
    ----------
    frame : DataFrame
        Rows of a `ParticleTable`.
    edges_um : sequence of float, optional
        Class edges; 0 is put before them and the largest particle after them where
        they fall short. By default round equal widths, at most 15.
    by : str
        Column that is averaged.

    Returns
    -------
    DataFrame
        ``from_um, to_um, n_particles, amount, target_amount, liberation``: amounts in
        um3 (um2 for sections); liberation is NaN where a class holds no target.

    Notes
    -----
    Kirstein et al., Eq. 9; a class holds diameters in ``(from, to]``. Particles
    without a value in `by` are left out of it.
    """
    if by not in frame.columns:
        raise SlagsegError(
            f"The table has no column {by}. It has: {', '.join(map(str, frame.columns))}."
        )
    kept = frame[frame[by].notna()]
    diameters = kept[DIAMETER].to_numpy(np.float64)
    edges = _checked_edges(edges_um, frame[DIAMETER].to_numpy(np.float64))
    n = len(edges) - 1
    which = _class_of(diameters, edges)
    target = target_amount(kept)
    whole = kept["volume_um3" if "volume_um3" in kept.columns else "area_um2"].to_numpy(np.float64)
    weight = np.bincount(which, weights=target, minlength=n)
    summed = np.bincount(which, weights=target * kept[by].to_numpy(np.float64), minlength=n)
    return pd.DataFrame(
        {
            "from_um": edges[:-1],
            "to_um": edges[1:],
            "n_particles": np.bincount(which, minlength=n),
            "amount": np.bincount(which, weights=whole, minlength=n),
            "target_amount": weight,
            "liberation": np.divide(summed, weight, out=np.full(n, np.nan), where=weight > 0),
        }
    )


def size_distribution(
    frame: pd.DataFrame, edges_um: Sequence[float] | NDArray[np.floating] | None = None
) -> pd.DataFrame:
    """Shares of the particles in each size class, by number and by volume (K Fig. 6).

    Returns
    -------
    DataFrame
        ``from_um, to_um, n_particles, number_share, volume_share,
        cumulative_number_share, cumulative_volume_share`` (area in 2D, under the same
        names); NaN without particles.
    """
    diameters = frame[DIAMETER].to_numpy(np.float64)
    edges = _checked_edges(edges_um, diameters)
    n = len(edges) - 1
    which = _class_of(diameters, edges)
    whole = frame["volume_um3" if "volume_um3" in frame.columns else "area_um2"].to_numpy(
        np.float64
    )
    number = np.bincount(which, minlength=n)
    amount = np.bincount(which, weights=whole, minlength=n)
    shares = [
        part / part.sum() if part.sum() > 0 else np.full(n, np.nan) for part in (number, amount)
    ]
    return pd.DataFrame(
        {
            "from_um": edges[:-1],
            "to_um": edges[1:],
            "n_particles": number,
            "number_share": shares[0],
            "volume_share": shares[1],
            "cumulative_number_share": np.cumsum(shares[0]),
            "cumulative_volume_share": np.cumsum(shares[1]),
        }
    )


__all__ = ["size_by_liberation", "size_distribution", "size_edges"]
