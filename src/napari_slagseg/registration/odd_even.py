"""How far two halves of the evidence disagree: what can be said of a map without truth."""

from __future__ import annotations

import numpy as np

from napari_slagseg.registration.agreement import find_consensus
from napari_slagseg.registration.cutout_rounds import Registered
from napari_slagseg.registration.job import MapJob

_FEWEST = 8
_LATTICE = 15


def odd_even_disagreement(registered: Registered, job: MapJob) -> float | None:
    """Median distance in voxels between the surfaces of every other cutout and of the rest.

    Cutouts next to each other share pixels, so the two surfaces are not wholly
    independent; the number says how much the choice of cutouts matters.

    Returns
    -------
    voxels : float or None
        None where there are too few cutouts for two surfaces.
    """
    inliers = np.flatnonzero(registered.consensus.inliers)
    if len(inliers) < _FEWEST:
        return None
    rows = np.linspace(0, job.map.shape[0] - 1, _LATTICE)
    columns = np.linspace(0, job.map.shape[1] - 1, _LATTICE)
    grid = np.meshgrid(rows, columns, indexing="ij")
    # a chequerboard of the windows, as far as they lie on a grid
    step_rows = {r: i for i, r in enumerate(sorted({f.window.row for f in registered.fits}))}
    step_columns = {c: i for i, c in enumerate(sorted({f.window.column for f in registered.fits}))}
    parity = np.array(
        [(step_rows[f.window.row] + step_columns[f.window.column]) % 2 for f in registered.fits]
    )
    surfaces = []
    for half in (0, 1):
        some = inliers[parity[inliers] == half]
        if len(some) < _FEWEST // 2:
            return None
        seen = find_consensus(
            registered.consensus.surface,
            registered.rows[some],
            registered.columns[some],
            registered.centres[some],
            registered.scores[some],
            job.settings.outlier_voxels,
            job.seed,
            registered.locked[some],
        )
        surfaces.append(seen.surface.at(*grid))
    inside = job.ct.holds(surfaces[0].reshape(-1, 3)).reshape(grid[0].shape)
    apart = np.linalg.norm((surfaces[0] - surfaces[1]) / job.ct.voxel, axis=-1)
    return round(float(np.median(apart[inside] if inside.any() else apart)), 3)


__all__ = ["odd_even_disagreement"]
