"""Liberation by particle size (K Eq. 9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.curves import target_amount

SIEVES_UM = (
    20.0, 25.0, 32.0, 40.0, 50.0, 63.0, 80.0, 100.0, 125.0, 160.0, 200.0, 250.0, 315.0, 400.0,
    500.0, 630.0, 800.0, 1000.0, 1250.0, 1600.0, 2000.0, 2500.0, 3150.0, 4000.0, 5000.0,
)  # fmt: skip
"""Sieve openings, ISO 565 R10 (rounded as labs name them)."""


def size_edges(largest_um: float) -> tuple[float, ...]:
    """Edges 0, then sieve openings up to the first that holds the largest particle."""
    edges = [0.0]
    for opening in SIEVES_UM:
        edges.append(opening)
        if opening >= largest_um:
            return tuple(edges)
    return (*edges, float(np.ceil(largest_um)))


def classes_with_all(
    sizes: NDArray[np.float64], edges_um: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """Edges of size classes that hold every size; sieve openings where none are given.

    Raises
    ------
    SlagsegError
        If the edges do not rise from 0 or above.
    """
    largest = float(np.nanmax(sizes)) if np.isfinite(sizes).any() else 20.0
    edges = np.asarray(edges_um if edges_um is not None else size_edges(largest), dtype=float)
    rising = len(edges) >= 2 and np.all(np.diff(edges) > 0) and np.all(np.isfinite(edges))
    if not rising or edges[0] < 0:
        raise SlagsegError(
            "The edges of the size classes must be at least two numbers that rise from 0 or "
            f"above; these are {', '.join(f'{e:g}' for e in edges)}."
        )
    if np.isfinite(sizes).any():
        if float(np.nanmin(sizes)) <= edges[0]:
            edges = np.concatenate([[0.0], edges])
        if largest > edges[-1]:
            edges = np.append(edges, np.ceil(largest))
    return edges


def size_by_liberation(
    frame: pd.DataFrame, edges_um: Sequence[float] | None = None
) -> pd.DataFrame:
    """Target-weighted mean liberation of each size class (K Eq. 9).

    A class holds the particles with equivalent diameter in (lower, upper]. No particle is
    left out: where some lie beyond the given edges, a class below from 0 and one above up to
    the largest (rounded up to a whole micrometre) are added.

    Parameters
    ----------
    frame : DataFrame
        Of particles or sections.
    edges_um : sequence of float or None
        Rising; None takes `size_edges`.

    Returns
    -------
    classes : DataFrame
        ``lower_um, upper_um, n_particles, target_share, volume_liberation,
        surface_liberation``; liberation is NaN where a class holds no target.

    Raises
    ------
    SlagsegError
        If the edges do not rise from 0 or above.
    """
    diameter = frame["equivalent_diameter_um"].to_numpy(float)
    edges = classes_with_all(diameter, edges_um)
    target = target_amount(frame)
    index = np.searchsorted(edges, diameter, side="left") - 1
    rows = []
    whole = float(np.nansum(target))
    for k in range(len(edges) - 1):
        inside = index == k
        row: dict[str, float] = {
            "lower_um": float(edges[k]),
            "upper_um": float(edges[k + 1]),
            "n_particles": int(inside.sum()),
            "target_share": float(target[inside].sum() / whole) if whole > 0 else float("nan"),
        }
        for name in ("volume_liberation", "surface_liberation"):
            values = frame[name].to_numpy(float)
            used = inside & np.isfinite(values) & (target > 0)
            weight = float(target[used].sum())
            row[name] = (
                float((target[used] * values[used]).sum() / weight) if weight > 0 else float("nan")
            )
        rows.append(row)
    return pd.DataFrame(rows)


__all__ = ["SIEVES_UM", "classes_with_all", "size_by_liberation", "size_edges"]
