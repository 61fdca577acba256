"""Descriptors of particle sections against the prediction's in the same plane (K Table 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import UNKNOWN, PhaseTable, SlagsegError
from napari_slagseg.descriptors import describe_plane
from napari_slagseg.evaluation.contingency import checked_pair
from napari_slagseg.evaluation.descriptor_scores import score_descriptors
from napari_slagseg.evaluation.particle_scores import match_sections

TABLE_2: tuple[tuple[str, str], ...] = (
    ("equivalent_diameter_um", "um"),
    ("volume_liberation", ""),
    ("surface_liberation", ""),
    ("intergrowth_boundary_um", "um"),
    ("normalized_intergrowth_boundary", ""),
    ("amstutz_giger_index", ""),
    ("elongation", ""),
    ("perimeter_um", "um"),
    ("circularity", ""),
)
"""Descriptors of K Table 2 in its order, and their units; lengths are in um, not in pixels."""


@dataclass(frozen=True)
class MatchedSections:
    """Descriptors of true sections and of their matches.

    Attributes
    ----------
    truth, predicted : DataFrame
        Rows of the same number belong together; columns as `describe_plane` gives them.
    n_truth : int
        True sections that are whole.
    n_cut : int
        True sections left out, as the edge of what is known cuts them off.
    """

    truth: pd.DataFrame
    predicted: pd.DataFrame
    n_truth: int
    n_cut: int


def matched_sections(
    truth_labels: NDArray[Any],
    truth_phases: NDArray[Any],
    predicted_labels: NDArray[Any],
    predicted_phases: NDArray[Any],
    spacing: tuple[float, float],
    table: PhaseTable,
    *,
    known: NDArray[np.bool_] | None = None,
) -> MatchedSections:
    """Describe the true sections of one plane and the sections of the particles that match them.

    Parameters
    ----------
    truth_labels, predicted_labels : (row, column) integer
        Particles in the same plane, at the pitch of the prediction; 0 background, -1 unknown.
    truth_phases, predicted_phases : (row, column) integer
        Ids of `table`.
    spacing : (row, column)
        Pixel edges in um.
    table : PhaseTable
        With the target phase set.
    known : (row, column) bool, optional
        Where the plane is covered by truth at all; by default everywhere. Nothing is
        described beyond it, and sections at its edge are not whole.

    Returns
    -------
    MatchedSections

    Raises
    ------
    SlagsegError
        If the shapes differ or `describe_plane` refuses labels or phases.

    Notes
    -----
    Kirstein et al. 2026, section 3.1: the match of a true section is the predicted particle
    that shares most pixels with it, and its section with the plane is described, as far as the
    plane is known. Unknown pixels of the truth count for nothing in the match.
    """
    predicted_labels, truth_labels = checked_pair(predicted_labels, truth_labels)
    predicted_phases, truth_phases = checked_pair(predicted_phases, truth_phases)
    if truth_labels.ndim != 2 or truth_labels.shape != truth_phases.shape:
        raise SlagsegError(
            f"The labels of the plane have the shape {truth_labels.shape} and the phases "
            f"{truth_phases.shape}; both must be (row, column), and the same."
        )
    covered = np.ones(truth_labels.shape, bool) if known is None else np.asarray(known, bool)
    if covered.shape != truth_labels.shape:
        raise SlagsegError(
            f"What is known has the shape {covered.shape}, the plane {truth_labels.shape}."
        )
    truth_labels = np.where(covered, truth_labels, UNKNOWN).astype(np.int64)
    predicted_labels = np.where(covered, predicted_labels, 0).astype(np.int64)
    cut = np.unique(truth_labels[_at_edge(covered)])
    of_truth, of_predicted, _ = match_sections(truth_labels, predicted_labels)
    kept = ~np.isin(of_truth, cut)
    of_truth, of_predicted = of_truth[kept], of_predicted[kept]
    true = describe_plane(truth_labels, truth_phases, spacing, table).frame.set_index("label")
    # only what is matched: a prediction may hold many more
    wanted = np.where(np.isin(predicted_labels, of_predicted), predicted_labels, 0)
    found = describe_plane(wanted, predicted_phases, spacing, table).frame.set_index("label")
    present = true.index.to_numpy()
    return MatchedSections(
        true.loc[of_truth].reset_index(),
        found.loc[of_predicted].reset_index(),
        int((~np.isin(present, cut)).sum()),
        int(np.isin(present, cut).sum()),
    )


def _at_edge(covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Covered pixels with one of their four neighbours not covered, or beyond the plane."""
    around = np.pad(covered, 1)
    inside = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return covered & ~inside


def score_sections(
    matched: Sequence[MatchedSections],
    descriptors: Sequence[tuple[str, str]] = TABLE_2,
) -> pd.DataFrame:
    """Errors and rank correlation of each descriptor over the matched sections of some planes.

    Parameters
    ----------
    matched : sequence of MatchedSections
        One a plane.
    descriptors : sequence of (column, unit)
        By default those of K Table 2.

    Returns
    -------
    DataFrame
        ``descriptor, unit, mae, bias, r2, spearman, n``: see `score_descriptors`. ``n`` is the
        number of pairs in which both have a value; a section without target has no normalised
        intergrowth boundary. NaN where there are too few.

    Raises
    ------
    SlagsegError
        If a descriptor is not a column.

    References
    ----------
    Kirstein et al. 2026, Table 2.
    """
    rows = []
    for name, unit in descriptors:
        for part in matched:
            if name not in part.truth:
                names = ", ".join(map(str, part.truth))
                raise SlagsegError(f"Sections have no column '{name}'. They have: {names}.")
        scores = score_descriptors(
            np.concatenate([np.zeros(0), *(m.truth[name].to_numpy(float) for m in matched)]),
            np.concatenate([np.zeros(0), *(m.predicted[name].to_numpy(float) for m in matched)]),
        )
        rows.append({"descriptor": name, "unit": unit, **scores})
    return pd.DataFrame(rows)


__all__ = ["TABLE_2", "MatchedSections", "matched_sections", "score_sections"]
