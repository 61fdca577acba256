"""Grey images as maps to be placed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_slagseg import data
from napari_slagseg.data import MineralMap, Phase, PhaseTable

CLASSES = 5


def as_placeable(
    grey: NDArray[np.float32],
    pixel_size_um: float,
    name: str,
    known: NDArray[np.bool_] | None = None,
) -> Any:
    """A `GreyMap` where `place_map` takes one, else the image in classes of grey."""
    grey_map = getattr(data, "GreyMap", None)
    if grey_map is not None:
        return grey_map(grey, pixel_size_um, name, known)
    return quantised(grey, pixel_size_um, name, known)


def quantised(
    grey: NDArray[np.float32],
    pixel_size_um: float,
    name: str,
    known: NDArray[np.bool_] | None = None,
) -> MineralMap:
    """Classes of grey by one-dimensional k-means; the darkest is the background.

    The density of a class rises evenly with its mean: any rough guess of the CT's
    grey values serves.
    """
    smooth = gaussian_filter(grey, 1.0)
    values = smooth if known is None else smooth[known]
    sample = np.sort(values.ravel()[:: max(1, values.size // 50_000)].astype(np.float64))
    centres = np.quantile(sample, (np.arange(CLASSES) + 0.5) / CLASSES)
    centres += np.linspace(0, 1e-6, CLASSES) * np.ptp(sample)  # never two alike
    for _ in range(50):
        nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, sample)
        centres = np.array(
            [sample[nearest == k].mean() if np.any(nearest == k) else c
             for k, c in enumerate(centres)]
        )  # fmt: skip
    phases = np.searchsorted((centres[1:] + centres[:-1]) / 2, smooth).astype(np.int16)
    if known is not None:
        phases[~known] = -1
    share = (centres - centres[0]) / (centres[-1] - centres[0])
    densities = [round(1.1 + 3.0 * float(s), 3) for s in share]
    table = PhaseTable(
        tuple(
            Phase(k, f"grey {k}" if k else "background", "#" + 3 * f"{40 * k:02x}", "", "", density)
            for k, density in enumerate(densities)
        )
    )
    return MineralMap(phases, pixel_size_um, table, name)
