"""How many particles of a segmentation are the same in another one of the same volume."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_slagseg.data import BlockGrid, VolumeLike
from napari_slagseg.evaluation.contingency import Contingency, contingency, merged
from napari_slagseg.evaluation.particle_scores import MATCH_F1

SAME_F1 = 0.9
"""F1 of two particles from which on they count as the same."""

_BLOCK = 128


@dataclass(frozen=True)
class ParticleChanges:
    """Particles of two segmentations.

    Attributes
    ----------
    before, after : int
        Particles.
    unchanged : int
        Those of the later segmentation that share an F1 of `SAME_F1` with an earlier one.
    changed : int
        Those that share less, but `MATCH_F1`.
    new : int
        Those that share less than that with any.
    gone : int
        Those of the earlier one that share less than that with any.
    """

    before: int
    after: int
    unchanged: int
    changed: int
    new: int
    gone: int


def particle_changes(tables: Iterable[Contingency]) -> ParticleChanges:
    """Count particles that stayed, changed, came and went.

    Parameters
    ----------
    tables : iterable of Contingency
        Of all blocks; ``truth`` is the earlier segmentation, ``predicted`` the later one.
    """
    table = merged(tables)
    earlier, earlier_sizes = table.sizes(table.truth)
    later, later_sizes = table.sizes(table.predicted)
    both = (table.truth > 0) & (table.predicted > 0)
    row = np.searchsorted(earlier, table.truth[both])
    column = np.searchsorted(later, table.predicted[both])
    f1 = 2 * table.counts[both] / (earlier_sizes[row] + later_sizes[column])
    best_of_later, best_of_earlier = np.zeros(len(later)), np.zeros(len(earlier))
    np.maximum.at(best_of_later, column, f1)
    np.maximum.at(best_of_earlier, row, f1)
    now, then = best_of_later[later > 0], best_of_earlier[earlier > 0]
    return ParticleChanges(
        before=len(then),
        after=len(now),
        unchanged=int(np.count_nonzero(now >= SAME_F1)),
        changed=int(np.count_nonzero((now >= MATCH_F1) & (now < SAME_F1))),
        new=int(np.count_nonzero(now < MATCH_F1)),
        gone=int(np.count_nonzero(then < MATCH_F1)),
    )


def changes_between(before: VolumeLike, after: VolumeLike) -> ParticleChanges:
    """`particle_changes` of two label volumes, read block by block.

    Parameters
    ----------
    before, after : (z, y, x) VolumeLike of integers
    """
    z, y, x = before.shape
    blocks = BlockGrid.of((z, y, x), _BLOCK)
    return particle_changes(
        contingency(np.asarray(after[b.box]), np.asarray(before[b.box])) for b in blocks
    )


__all__ = ["SAME_F1", "ParticleChanges", "changes_between", "particle_changes"]
