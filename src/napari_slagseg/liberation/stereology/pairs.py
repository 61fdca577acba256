"""Sections and the particles that they were cut from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.liberation.samples import Sample


def sections_of(particles: Sample, sections: Sample) -> tuple[Sample, NDArray[np.int64]]:
    """Sections whose particles belong to a sample, and the row of the particle of each.

    A section counts as often as its particle does: filters and border weights are those of
    the particles, so that both distributions are of the same particles.

    Parameters
    ----------
    particles : Sample
        3D.
    sections : Sample
        2D, with the labels of the particles.

    Raises
    ------
    SlagsegError
        If they are not of 3 and 2 dimensions, or their targets differ.
    """
    check_pair(particles, sections)
    labels = pd.Index(particles.table.frame["label"])
    row = np.asarray(labels.get_indexer(pd.Index(sections.table.frame["label"])), dtype=np.int64)
    kept = row >= 0
    table = replace(sections.table, frame=sections.table.frame[kept].reset_index(drop=True))
    row = row[kept]
    return replace(sections, table=table, weights=particles.weights[row]), row


def check_pair(particles: Sample, sections: Sample) -> None:
    """Refuse samples that cannot be set against each other."""
    if particles.dimension != 3 or sections.dimension != 2:
        raise SlagsegError(
            f"'{particles.label}' and '{sections.label}' have {particles.dimension} and "
            f"{sections.dimension} dimensions; particles in 3D and sections in 2D are needed."
        )
    if set(particles.table.targets) != set(sections.table.targets):
        raise SlagsegError(
            f"The target of '{particles.label}' is {particles.target_name or 'not set'}, that of "
            f"'{sections.label}' {sections.target_name or 'not set'}. Choose the same for both."
        )


__all__ = ["check_pair", "sections_of"]
