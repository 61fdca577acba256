"""The boundaries of phases, by partner: from weighted pairs to the table of contacts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, CONTACT_COLUMNS, UNKNOWN
from napari_slagseg.descriptors.labels_present import PhaseSlots
from napari_slagseg.descriptors.voxel_pass import VoxelSums


def contact_table(
    sums: VoxelSums, outside: NDArray[np.int64], slots: PhaseSlots, unit: float
) -> pd.DataFrame:
    """Shared boundary of phases inside particles, and their boundary to the outside.

    Parameters
    ----------
    sums : VoxelSums
    outside : (n, phases + 1) int64
        From `VoxelSums.outside`.
    slots : PhaseSlots
    unit : float
        Area of one weighted pair, um^2.

    Returns
    -------
    DataFrame
        Columns `CONTACT_COLUMNS`; rows in order of label, phase, partner.
    """
    ids = np.array([*slots.named, UNKNOWN], dtype=np.int64)
    row, slot = np.nonzero(outside)
    label, first, second, weight = sums.contacts.T
    rows = [
        (sums.labels[row], ids[slot], np.full(len(row), BACKGROUND), outside[row, slot]),
        (label, ids[first], ids[second], weight),
        (label, ids[second], ids[first], weight),
    ]
    labels, phases, partners, pairs = (np.concatenate(c) for c in zip(*rows))
    order = np.lexsort((partners, phases, labels))
    values = (labels[order], phases[order], partners[order], pairs[order] * unit)
    return pd.DataFrame(dict(zip(CONTACT_COLUMNS, values)))


__all__ = ["contact_table"]
