"""Particles that were edited, looked at again in their bounding boxes alone.

They are compared with the population that they were compared with before: an edit changes the
rows of what it touched, and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cc3d
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import Box, VolumeLike, VoxelSize
from napari_slagseg.data.joined_tables import joined
from napari_slagseg.evaluation.suspects.boxes import (
    LARGEST_BOX,
    LARGEST_PAIR_BOX,
    PAIR_FEATURES,
    PARTICLE_FEATURES,
    BoxView,
    pair_features,
    particle_features,
)
from napari_slagseg.evaluation.suspects.features import SuspectFeatures, chosen_pairs
from napari_slagseg.evaluation.suspects.missed import unclaimed
from napari_slagseg.evaluation.suspects.one_particle import Seen, summed


def rescored(
    features: SuspectFeatures,
    boxes: Mapping[int, Box | None],
    particles: VolumeLike,
    probability: VolumeLike,
    *,
    phases: VolumeLike | None = None,
    voxel_size_um: VoxelSize = (1.0, 1.0, 1.0),
    largest_box: int = LARGEST_BOX,
) -> tuple[SuspectFeatures, SuspectFeatures]:
    """What is known of all particles after some were edited.

    Parameters
    ----------
    features : SuspectFeatures
        As known before.
    boxes : mapping of label to Box or None
        Particles that were edited or are new, with their bounding boxes; None for one that
        is gone.
    particles, probability, phases : (z, y, x) volumes
        As they are now.
    voxel_size_um : (z, y, x)
    largest_box : int
        As of `suspects_of_blocks`.

    Returns
    -------
    every, fresh : SuspectFeatures
        Of all particles (missed ones as they were); and of the edited ones alone, with the
        pairs that they are part of and no missed ones: `ranked` makes their new rows.
    """
    there = {label: box for label, box in boxes.items() if box is not None}
    gone = list(boxes)
    p, q = features.particles, features.pairs
    p = p[~p.index.isin(gone)]
    q = q[~(q["label"].isin(gone) | q["partner"].isin(gone))]
    rows: list[dict[str, float]] = []
    touching: list[tuple[int, int, float, float]] = []
    for label, box in there.items():
        # what is read for its sums serves its features, too
        seen = Seen.around(box, particles, probability, phases)
        row, pairs_of_it = summed(label, box, seen, voxel_size_um)
        if row is None:
            continue
        view = BoxView.read(
            seen.particles, seen.probability, _low(box), _high(box), voxel_size_um, largest_box
        )
        rows.append(row | dict(zip(PARTICLE_FEATURES, particle_features(view, label))))
        # a pair of two that were edited is told of by the first one
        told = {r["label"] for r in rows[:-1]}
        touching += [pair for pair in pairs_of_it if not told & {*pair[:2]}]
    if not rows:
        none = replace(features, particles=p[:0], pairs=q[:0], missed=None)
        return replace(features, particles=p, pairs=q), none
    fresh = features.population.with_z(pd.DataFrame(rows).set_index("label").sort_index())
    fresh = fresh[list(p.columns)].astype(p.dtypes.to_dict())
    every = joined([p.reset_index(), fresh.reset_index()]).set_index("label").sort_index()
    known = every.index.to_numpy()
    found = [t for t in touching if np.isin(t[:2], known).all()]
    pairs = chosen_pairs(every, pd.DataFrame(found, columns=["a", "b", "area", "chance"]))
    measured = _pair_boxes(every, pairs, particles, voxel_size_um, largest_box)
    pairs = pd.concat([pairs.drop(columns="solidity"), measured], axis=1)
    after = replace(features, particles=every, pairs=joined([q, pairs]))
    return after, replace(features, particles=fresh, pairs=pairs, missed=None)


def _pair_boxes(
    every: pd.DataFrame,
    pairs: pd.DataFrame,
    particles: VolumeLike,
    spacing: VoxelSize,
    largest_box: int,
) -> pd.DataFrame:
    """`PAIR_FEATURES` of pairs, in their order."""
    values = []
    names = pairs[["label", "partner"]].to_numpy(np.int64)
    ends = [
        [every.loc[names[:, k], [f"{a}{end}" for a in "zyx"]].to_numpy(np.int64) for k in (0, 1)]
        for end in (0, 1)
    ]
    low, high = np.min(ends[0], axis=0), np.max(ends[1], axis=0)
    for (one, other), solidity, a, b in zip(names.tolist(), pairs["solidity"].tolist(), low, high):
        view = BoxView.read(particles, None, a, b, spacing, min(largest_box, LARGEST_PAIR_BOX))
        values.append(pair_features(view, one, other, solidity))
    return pd.DataFrame(values, columns=list(PAIR_FEATURES))


def _low(box: Box) -> list[int]:
    return [part.start for part in box]


def _high(box: Box) -> list[int]:
    return [part.stop for part in box]


def still_missed(
    missed: pd.DataFrame, particles: VolumeLike, phases: VolumeLike
) -> NDArray[np.bool_]:
    """Which missed particles are still without one.

    Parameters
    ----------
    missed : DataFrame
        Rows of `missed.missed_pieces`.
    particles, phases : (z, y, x) volumes
        As they are now.

    Returns
    -------
    (n,) bool
        True where at least half of it is left, in one piece, in its box.
    """
    held = []
    ends = missed[["z0", "z1", "y0", "y1", "x0", "x1"]].to_numpy(np.int64)
    for (a, b, c, d, e, f), voxels in zip(ends.tolist(), missed["voxels"].tolist()):
        box = (slice(a, b), slice(c, d), slice(e, f))
        free = unclaimed(particles[box], phases[box])
        pieces = cc3d.connected_components(free, connectivity=6)
        left = int(np.bincount(pieces.reshape(-1))[1:].max(initial=0))
        held.append(2 * left >= voxels)
    return np.array(held, dtype=np.bool_)


__all__ = ["rescored", "still_missed"]
