"""Particles against particles (ParticleSeg3D, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_slagseg.data import UNKNOWN
from napari_slagseg.evaluation.contingency import Contingency, contingency, ratio

MATCH_F1 = 0.1
"""Smallest F1 of two particles that counts as a match (P 4.1.1)."""

MAJORITY = 0.5
"""Share of a particle that must lie in another for it to belong there."""


@dataclass(frozen=True)
class ParticleMatches:
    """Which particles overlap enough, and the one-to-one matches among them.

    Attributes
    ----------
    reference, predicted : (n,) int64
        Labels of every pair of particles with an F1 of at least the threshold.
    f1 : (n,) float64
        F1 of the pair: ``2 |R n P| / (|R| + |P|)``.
    chosen : (n,) bool
        The one-to-one matches: of all ways to give each particle one partner at
        most, the one with the largest sum of F1.
    n_reference, n_predicted : int
        Particles that have a known voxel.
    """

    reference: NDArray[np.int64]
    predicted: NDArray[np.int64]
    f1: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    n_reference: int
    n_predicted: int


def match_particles(
    predicted: NDArray[Any], truth: NDArray[Any], *, minimum_f1: float = MATCH_F1
) -> ParticleMatches:
    """Match predicted to reference particles by the F1 of their voxels.

    Parameters
    ----------
    predicted, truth : integer arrays of one shape
        Particle labels, 0 background, -1 unknown (left out in both).
    minimum_f1 : float
        Smallest F1 of a match.

    Raises
    ------
    SlagsegError
        If the shapes differ or a dtype is not an integer.
    """
    return _matches(contingency(predicted, truth), minimum_f1)


def _matches(table: Contingency, minimum_f1: float) -> ParticleMatches:
    references, reference_sizes = table.sizes(table.truth)
    predictions, predicted_sizes = table.sizes(table.predicted)
    both = (table.truth > 0) & (table.predicted > 0)
    row = np.searchsorted(references, table.truth[both])
    column = np.searchsorted(predictions, table.predicted[both])
    f1 = 2 * table.counts[both] / (reference_sizes[row] + predicted_sizes[column])
    near = f1 >= minimum_f1 * (1 - 1e-12)  # an F1 of exactly 0.1 is a match
    row, column, f1 = row[near], column[near], f1[near]
    return ParticleMatches(
        reference=references[row],
        predicted=predictions[column],
        f1=f1,
        chosen=_best_assignment(row, column, f1, len(references), len(predictions)),
        n_reference=int(np.count_nonzero(references > 0)),
        n_predicted=int(np.count_nonzero(predictions > 0)),
    )


def _best_assignment(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    f1: NDArray[np.float64],
    n_rows: int,
    n_columns: int,
) -> NDArray[np.bool_]:
    """Mark the pairs of the one-to-one assignment with the largest sum of F1.

    Solved in each connected group of overlapping particles on its own; a
    particle has at most 20 partners of F1 >= 0.1, so the groups are small.
    """
    chosen = np.zeros(len(f1), dtype=bool)
    if not len(f1):
        return chosen
    nodes = n_rows + n_columns
    graph = coo_array((np.ones(len(f1)), (row, n_rows + column)), shape=(nodes, nodes))
    group = connected_components(graph, directed=False)[1][row]
    order = np.argsort(group, kind="stable")
    for pairs in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(pairs) == 1:
            chosen[pairs] = True
            continue
        rows, r = np.unique(row[pairs], return_inverse=True)
        columns, c = np.unique(column[pairs], return_inverse=True)
        gain = np.zeros((len(rows), len(columns)))
        gain[r, c] = f1[pairs]
        partner = np.full(len(rows), -1)
        at, to = linear_sum_assignment(gain, maximize=True)
        partner[at] = to
        chosen[pairs] = partner[r] == c
    return chosen


def score_particles(predicted: NDArray[Any], truth: NDArray[Any]) -> dict[str, float | int]:
    """Segmentation and separation scores of particles (P Eq. 2-6).

    Parameters
    ----------
    predicted, truth : integer arrays of one shape
        Particle labels, 0 background. Voxels that are -1 (unknown) in either are
        left out; a particle without a known voxel does not exist here.

    Returns
    -------
    dict
        ``f1``
            P Eq. 2: Dice of particle voxels against background.
        ``f1_match``
            P Eq. 3: counted over particles. A match is a pair with an F1 of at
            least 0.1; each particle takes part in one match at most, chosen so
            that the sum of F1 is largest (P does not say how ties between
            several partners end).
        ``f1_instance``
            P Eq. 4: mean over all instances, that is over the matched pairs (their
            F1) and over the unmatched particles of either side (0).
        ``merger_ratio``
            P Eq. 5. M: the reference particles of which at least half lies in the same
            predicted particle, where there are two or more. (P does not say what
            belonging means. The F1 of a match would not do: a blob of a hundred
            particles has an F1 under 0.1 with each, and would count as no merger.)
        ``splitter_ratio``
            P Eq. 6. S: the predicted particles of which at least half lies in the same
            reference particle, where there are two or more.
        ``n_reference``, ``n_predicted``
            Numbers of particles.

        A ratio with a zero denominator is NaN.

    Raises
    ------
    SlagsegError
        If the shapes differ or a dtype is not an integer.

    References
    ----------
    Gotkowski et al. 2024, ParticleSeg3D, section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([1, 1, 2, 2, 0, 3])
    >>> scores = score_particles(np.array([1, 1, 1, 1, 0, 0]), truth)
    >>> round(scores["merger_ratio"], 3), round(scores["f1"], 3)
    (0.333, 0.889)
    """
    table = contingency(predicted, truth)
    matches = _matches(table, MATCH_F1)
    reference_voxels = int(table.counts[table.truth > 0].sum())
    predicted_voxels = int(table.counts[table.predicted > 0].sum())
    shared_voxels = int(table.counts[(table.truth > 0) & (table.predicted > 0)].sum())
    n_matched = int(matches.chosen.sum())
    n_instances = matches.n_reference + matches.n_predicted - n_matched
    return {
        "f1": ratio(2 * shared_voxels, reference_voxels + predicted_voxels),
        "f1_match": ratio(2 * n_matched, matches.n_reference + matches.n_predicted),
        "f1_instance": ratio(float(matches.f1[matches.chosen].sum()), n_instances),
        "merger_ratio": ratio(_surplus(*_belonging(table, "truth")), matches.n_reference),
        "splitter_ratio": ratio(_surplus(*_belonging(table, "predicted")), matches.n_reference),
        "n_reference": matches.n_reference,
        "n_predicted": matches.n_predicted,
    }


def _belonging(
    table: Contingency, side: Literal["truth", "predicted"]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Particles of one side of which at least half lies in one of the other, and that one."""
    own, other = (
        (table.truth, table.predicted) if side == "truth" else (table.predicted, table.truth)
    )
    labels, sizes = table.sizes(own)
    size = sizes[np.searchsorted(labels, own)]
    within = (own > 0) & (other > 0) & (table.counts >= MAJORITY * size)
    return own[within], other[within]


def _surplus(members: NDArray[np.int64], owners: NDArray[np.int64]) -> int:
    """Sum of (members - 1) over the owners that have any.

    A particle cut exactly in half would belong to two; it counts with the first.
    """
    _, first = np.unique(members, return_index=True)
    counts = np.unique(owners[first], return_counts=True)[1]
    return int((counts - 1).sum())


def match_sections(
    truth: NDArray[Any], predicted: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Partner of each true particle: the predicted one with the largest overlap (K 3.1).

    Parameters
    ----------
    truth, predicted : integer arrays of one shape
        Particle labels on the same voxels (a placed section, or a volume);
        0 background, -1 unknown (left out).

    Returns
    -------
    truth_labels, predicted_labels : (n,) int64
        Matched pairs in rising order of the true label. True particles without
        any overlap are not among them; a predicted particle may occur twice. Of
        equal overlaps the lower label wins.
    overlap : (n,) int64
        Shared voxels.

    Raises
    ------
    SlagsegError
        If the shapes differ or a dtype is not an integer.
    """
    table = contingency(predicted, truth)
    both = (table.truth > 0) & (table.predicted > 0)
    t, p, n = table.truth[both], table.predicted[both], table.counts[both]
    order = np.lexsort((p, -n, t))
    t, p, n = t[order], p[order], n[order]
    first = np.flatnonzero(np.diff(t, prepend=UNKNOWN) != 0)
    return t[first], p[first], n[first]


__all__ = ["MATCH_F1", "ParticleMatches", "match_particles", "match_sections", "score_particles"]
