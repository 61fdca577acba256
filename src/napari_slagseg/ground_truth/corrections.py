"""Painted corrections (K 2.3.4, Eq. 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import UNKNOWN, GroundTruth, SlagsegError


def apply_corrections(
    truth: GroundTruth,
    error_voxels: NDArray[np.int64],
    predicted_foreground: NDArray[np.bool_],
) -> GroundTruth:
    """Give painted error voxels the opposite of what was predicted there.

    The weight is ``max(Lambda)`` where a voxel is now background, and
    ``max(Lambda) * |E background| / |E foreground|`` where it is now foreground,
    so both kinds weigh the same in total. Where only foreground was painted there
    is nothing to balance against, and K's formula would give it no weight at all:
    then it weighs ``max(Lambda)`` too. The maximum is taken over voxels that come
    from maps, so that a second set of corrections is not inflated by the first.

    Phases stay as they are: telling them apart by eye is not feasible (K 2.3.4).

    Parameters
    ----------
    truth : GroundTruth
    error_voxels : (n,) int64
        Flat indices of the painted voxels, in any order.
    predicted_foreground : (n,) bool
        The binarised prediction there.

    Returns
    -------
    truth : GroundTruth
        With the voxels replaced or added; they count as from no map.

    Raises
    ------
    SlagsegError
        If lengths differ or a voxel lies outside the volume.
    """
    if error_voxels.shape != predicted_foreground.shape:
        raise SlagsegError(
            f"{len(error_voxels)} error voxels came with {len(predicted_foreground)} predictions."
        )
    if not len(error_voxels):
        return truth
    size = int(np.prod(truth.shape, dtype=np.int64))
    if error_voxels.min() < 0 or error_voxels.max() >= size:
        raise SlagsegError(
            f"Painted voxels lie outside the volume {truth.shape}. Were they painted on another CT?"
        )
    painted, at = np.unique(error_voxels, return_index=True)
    new = (~predicted_foreground[at].astype(bool)).astype(np.int8)
    from_maps = truth.particle_weights[truth.map_index >= 0]
    largest = float(from_maps.max(initial=0.0)) or 1.0
    n_background, n_foreground = int((new == 0).sum()), int((new == 1).sum())
    balanced = largest * n_background / n_foreground if n_foreground and n_background else largest
    kept = ~np.isin(truth.voxels, painted)
    # painted voxels that the maps know keep their phase
    where = np.searchsorted(truth.voxels, painted)
    where_safe = np.minimum(where, max(len(truth) - 1, 0))
    known = (
        truth.voxels[where_safe] == painted if len(truth) else np.zeros(len(painted), dtype=bool)
    )
    phases = np.full(len(painted), UNKNOWN, dtype=np.int16)
    phase_weights = np.zeros(len(painted), dtype=np.float32)
    phases[known] = truth.phases[where_safe[known]]
    phase_weights[known] = truth.phase_weights[where_safe[known]]
    voxels = np.concatenate([truth.voxels[kept], painted])
    order = np.argsort(voxels, kind="stable")

    def merged(old: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.concatenate([old[kept], values.astype(old.dtype)])[order])

    none = np.full(len(painted), UNKNOWN)
    return GroundTruth(
        shape=truth.shape,
        voxels=voxels[order],
        phases=merged(truth.phases, phases),
        particles=merged(truth.particles, np.where(new == 1, UNKNOWN, 0)),
        foreground=merged(truth.foreground, new),
        phase_weights=merged(truth.phase_weights, phase_weights),
        particle_weights=merged(
            truth.particle_weights, np.where(new == 1, balanced, largest).astype(np.float32)
        ),
        map_index=merged(truth.map_index, none),
        cutout_index=merged(truth.cutout_index, none),
        table=truth.table,
        map_names=truth.map_names,
    )


__all__ = ["apply_corrections"]
