"""Keeping part of the truth from training, to check the networks on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import UNKNOWN, GroundTruth, PlacedMap, SlagsegError
from napari_slagseg.ground_truth.rasterise import dominant_axis


def hold_out(
    truth: GroundTruth,
    placed: Sequence[PlacedMap],
    *,
    held_out_map: str | None = None,
    share: float = 0.2,
    seed: int = 0,
) -> tuple[GroundTruth, GroundTruth]:
    """Split a ground truth into a training and a validation part.

    Parameters
    ----------
    truth : GroundTruth
    placed : sequence of PlacedMap
        Placements of the truth's maps, in any order.
    held_out_map : str or None
        A whole map to hold out (K 3.1). None holds out one side of every map:
        cutouts overlap, so holding out some of them would leave their voxels in
        others. Each map is cut along a straight line of random direction; particles
        that the line cuts are left out of both parts, so that no particle is
        known to the training and asked for in the validation.
    share : float
        Share of each map's known voxels beyond the line, above 0 and below 1.
    seed : int
        Of the directions.

    Returns
    -------
    training, validation : GroundTruth
        Painted corrections belong to the training, without their phases: those
        were read from a map that may be held out.

    Raises
    ------
    SlagsegError
        If the map is not one of the truth's, the share is not between 0 and 1, a
        placement is missing or a part would be empty.
    """
    painted = truth.map_index < 0
    cut = np.zeros(len(truth), dtype=bool)
    if held_out_map is not None:
        if held_out_map not in truth.map_names:
            raise SlagsegError(
                f"Map '{held_out_map}' is not in the ground truth. It has: "
                f"{', '.join(truth.map_names)}."
            )
        held = truth.map_index == truth.map_names.index(held_out_map)
    else:
        if not 0 < share < 1:
            raise SlagsegError(f"The share to hold out is {share}; it must lie between 0 and 1.")
        held = _beyond_lines(truth, placed, share, np.random.default_rng(seed))
        labelled = truth.particles > 0
        both = np.intersect1d(truth.particles[labelled & held], truth.particles[labelled & ~held])
        cut = labelled & np.isin(truth.particles, both)
    training, validation = truth.select(~held & ~cut), truth.select(held & ~cut)
    if not len(validation) or not np.any(training.map_index >= 0):
        kept = "nothing" if not len(validation) else "everything"
        raise SlagsegError(
            f"Holding out {held_out_map or f'{share:.0%} of each map'} would keep {kept} from "
            "training. Place more maps, accept more cutouts, or hold out nothing."
        )
    if painted.any():
        of_paint = training.map_index < 0
        training = replace(
            training,
            phases=np.where(of_paint, UNKNOWN, training.phases).astype(np.int16),
            phase_weights=np.where(of_paint, 0, training.phase_weights).astype(np.float32),
        )
    return training, validation


def _beyond_lines(
    truth: GroundTruth, placed: Sequence[PlacedMap], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Voxels beyond a straight line of random direction across each map."""
    held = np.zeros(len(truth), dtype=bool)
    zyx = truth.zyx()
    where = {p.map_name: p for p in placed}
    for i, name in enumerate(truth.map_names):
        if name not in where:
            raise SlagsegError(
                f"The ground truth has voxels of map '{name}', but its placement was not given. "
                "Make the ground truth again."
            )
        angle = rng.uniform(0, 2 * np.pi)
        of_map = np.flatnonzero(truth.map_index == i)
        surface = where[name].surface
        if not len(of_map) or surface is None:
            continue
        plane = np.delete(zyx[of_map], dominant_axis(surface), axis=1)
        along = plane @ np.array([np.cos(angle), np.sin(angle)])
        held[of_map] = along > np.quantile(along, 1 - share)
    return held


__all__ = ["hold_out"]
