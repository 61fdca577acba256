"""Keeping part of the truth from training, to check the networks on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Cutout, GroundTruth, PlacedMap, SlagsegError


def within_cutout(zyx: NDArray[np.int64], cutout: Cutout) -> NDArray[np.bool_]:
    """Which voxels (n, 3) lie under a cutout, seen in its own plane."""
    offset = zyx - np.array(cutout.centre_zyx)
    steps = np.array([cutout.row_step_zyx, cutout.column_step_zyx])
    # least squares within the plane: steps are at right angles but for rounding
    local = offset @ np.linalg.pinv(steps)
    return np.asarray(
        (np.abs(local[:, 0]) <= cutout.height / 2) & (np.abs(local[:, 1]) <= cutout.width / 2)
    )


def hold_out(
    truth: GroundTruth,
    placed: Sequence[PlacedMap],
    *,
    held_out_map: str | None = None,
    share: float = 0.2,
    seed: int = 0,
) -> tuple[GroundTruth, GroundTruth]:
    """Split a ground truth into a training and a validation part without common voxels.

    Parameters
    ----------
    truth : GroundTruth
    placed : sequence of PlacedMap
        Of the truth's maps, in their order.
    held_out_map : str or None
        A whole map to hold out (K 3.1). None holds out cutouts of every map:
        cutouts overlap, so all voxels under a chosen one are held out, whichever
        cutout they were labelled from.
    share : float
        Share of each map's voxels to hold out, about.
    seed : int
        Of the choice of cutouts.

    Returns
    -------
    training, validation : GroundTruth
        Painted corrections belong to the training.

    Raises
    ------
    SlagsegError
        If the map is not one of the truth's, or a part would be empty.
    """
    held = np.zeros(len(truth), dtype=bool)
    if held_out_map is not None:
        if held_out_map not in truth.map_names:
            raise SlagsegError(
                f"Map '{held_out_map}' is not in the ground truth. It has: "
                f"{', '.join(truth.map_names)}."
            )
        held = truth.map_index == truth.map_names.index(held_out_map)
    else:
        rng = np.random.default_rng(seed)
        zyx = truth.zyx()
        for i, where in enumerate(placed):
            of_map = np.flatnonzero(truth.map_index == i)
            accepted = [c for c in where.cutouts if c.accepted]
            wanted, taken = share * len(of_map), 0
            for j in rng.permutation(len(accepted)):
                if taken >= wanted:
                    break
                under = of_map[within_cutout(zyx[of_map], accepted[j])]
                # a cutout that would take most of the map is too much
                new = under[~held[under]]
                if taken and taken + len(new) > 2 * wanted:
                    continue
                held[new] = True
                taken += len(new)
    if held.all() or not held.any():
        which = "everything" if held.all() else "nothing"
        raise SlagsegError(
            f"Holding out {held_out_map or f'{share:.0%} of the cutouts'} would keep {which} from "
            "training. Place more maps, accept more cutouts, or hold out nothing."
        )
    return truth.select(~held), truth.select(held)


__all__ = ["hold_out", "within_cutout"]
