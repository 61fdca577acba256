"""Painted corrections (K 2.3.4, Eq. 3), and the particles that edits left right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import UNKNOWN, GroundTruth, SlagsegError
from napari_slagseg.ground_truth.taught import BORDER, INSIDE

BORDER_SHARE = 0.5
"""Weight of a rim between two kept particles, as a share of the largest of the maps.

Edits are made where particles touch, so rims are many times as frequent there as on a map. At
the full weight they outweighed the insides, and the network soon called all particles background.
"""


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


def add_known(
    truth: GroundTruth, voxels: NDArray[np.int64], kinds: NDArray[np.uint8]
) -> GroundTruth:
    """Add voxels in and around particles that a user vouches for.

    They weigh what such voxels of the maps do: those inside as the middle one of the maps' particle
    voxels, background as the least of the maps' background, rims that touch another
    particle `BORDER_SHARE` of the largest weight. Voxels that the truth knows stay as they are.

    Parameters
    ----------
    truth : GroundTruth
    voxels : (n,) int64
        Flat indices, each once.
    kinds : (n,) uint8
        See `taught.known_around`.

    Returns
    -------
    truth : GroundTruth
        The added voxels count as from no map; their phases and particles are unknown.

    Raises
    ------
    SlagsegError
        If lengths differ.
    """
    if voxels.shape != kinds.shape:
        raise SlagsegError(f"{len(voxels)} known voxels came with {len(kinds)} kinds.")
    new = ~np.isin(voxels, truth.voxels)
    voxels, kinds = voxels[new], kinds[new]
    if not len(voxels):
        return truth
    of_maps = (truth.map_index >= 0) & (truth.particle_weights > 0)
    background = truth.particle_weights[of_maps & (truth.foreground == 0)]
    inside = truth.particle_weights[of_maps & (truth.foreground == 1)]
    largest = float(truth.particle_weights[of_maps].max(initial=0.0)) or 1.0
    weights = np.full(len(voxels), background.min() if len(background) else largest, np.float32)
    weights[kinds == INSIDE] = np.median(inside) if len(inside) else largest
    weights[kinds == BORDER] = BORDER_SHARE * largest
    every = np.concatenate([truth.voxels, voxels])
    order = np.argsort(every, kind="stable")

    def merged(old: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.concatenate([old, values.astype(old.dtype)])[order])

    none = np.full(len(voxels), UNKNOWN)
    return replace(
        truth,
        voxels=every[order],
        phases=merged(truth.phases, none),
        particles=merged(truth.particles, none),
        foreground=merged(truth.foreground, kinds == INSIDE),
        phase_weights=merged(truth.phase_weights, np.zeros(len(voxels))),
        particle_weights=merged(truth.particle_weights, weights),
        map_index=merged(truth.map_index, none),
        cutout_index=merged(truth.cutout_index, none),
    )


__all__ = ["BORDER_SHARE", "add_known", "apply_corrections"]
