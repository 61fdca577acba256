"""Small changes to label volumes: count, drop, renumber; a few planes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import CancelToken, stop_if_cancelled
from napari_slagseg.segmentation.label_blocks import check_labels, counted, renumbered

_CHUNK_VOXELS = 1 << 22


def remove_small(
    labels: NDArray[Any], minimum_voxels: int, *, cancel: CancelToken | None = None
) -> NDArray[np.uint32]:
    """Set particles under `minimum_voxels` voxels to background; the others keep their number.

    Parameters
    ----------
    labels : integer array
        0 background.
    minimum_voxels : int
        K 2.3.5: 100.

    Returns
    -------
    labels : uint32 array of the same shape
    """
    present, counts = label_counts(labels, cancel=cancel)
    kept = counts >= minimum_voxels
    return renumber(labels, present[kept], present[kept], cancel=cancel)


def relabel_sequential(
    labels: NDArray[Any], *, cancel: CancelToken | None = None
) -> NDArray[np.uint32]:
    """Number the particles 1, 2, ... without gaps, in the order of their old numbers.

    Parameters
    ----------
    labels : integer array
        0 background.

    Returns
    -------
    labels : uint32 array of the same shape
    """
    present, _ = label_counts(labels, cancel=cancel)
    return renumber(labels, present, np.arange(1, len(present) + 1), cancel=cancel)


def label_counts(
    labels: NDArray[Any], *, cancel: CancelToken | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels above 0 that occur, rising, and their numbers of voxels.

    Raises
    ------
    SlagsegError
        If the labels are not whole numbers, or one is negative or above 32 bits.
    """
    check_labels(labels)
    parts = [counted(part) for part in _parts(labels, cancel)]
    every = np.concatenate([np.empty(0, dtype=np.int64), *(p[0] for p in parts)])
    voxels = np.concatenate([np.empty(0, dtype=np.int64), *(p[1] for p in parts)])
    present, at = np.unique(every, return_inverse=True)
    totals = np.zeros(len(present), dtype=np.int64)
    np.add.at(totals, at.reshape(-1), voxels)
    return present, totals


def renumber(
    labels: NDArray[Any],
    old: NDArray[np.int64],
    new: NDArray[np.int64],
    *,
    cancel: CancelToken | None = None,
    out: NDArray[np.uint32] | None = None,
) -> NDArray[np.uint32]:
    """Give label ``old[i]`` the number ``new[i]``; all other labels become 0.

    Parameters
    ----------
    labels : integer array
    old : (n,) int64
        Rising.
    new : (n,) int64
    out : uint32 array, optional
        Where to write; may be `labels` itself.
    """
    check_labels(labels)
    if out is None:
        out = np.empty(labels.shape, dtype=np.uint32)
    for part, target in zip(_parts(labels, cancel), _parts(out, None), strict=True):
        target[...] = renumbered(part, old, new)
    return out


def _parts(array: NDArray[Any], cancel: CancelToken | None) -> Iterator[NDArray[Any]]:
    """Views of a few planes each."""
    if array.ndim == 0 or array.size == 0:
        return
    planes = max(1, _CHUNK_VOXELS * len(array) // array.size)
    for start in range(0, len(array), planes):
        stop_if_cancelled(cancel)
        yield array[start : start + planes]


__all__ = ["label_counts", "relabel_sequential", "remove_small", "renumber"]
