"""Labels of a plane as numbers from 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.descriptors.labels_present import label_values


def plane_keys(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Labels above 0, rising, and the place of each pixel's label among them.

    Parameters
    ----------
    labels : (row, column) integer

    Returns
    -------
    present : (n,) int64
    keys : (row, column) int32
        1 to n; 0 where there is no particle.

    Raises
    ------
    SlagsegError
        If `labels` are not integers.
    """
    values = label_values(labels)
    flat = np.ascontiguousarray(values).reshape(-1)
    # runs are few beside pixels
    starts = np.flatnonzero(
        np.concatenate([np.ones(min(1, flat.size), bool), flat[1:] != flat[:-1]])
    )
    found, inverse = np.unique(flat[starts], return_inverse=True)
    none = int(np.searchsorted(found, 0, side="right"))
    rank = np.maximum(np.arange(1, len(found) + 1) - none, 0).astype(np.int32)
    keys = np.repeat(rank[inverse], np.diff(np.append(starts, flat.size)))
    return found[none:].astype(np.int64), keys.reshape(values.shape)


__all__ = ["plane_keys"]
