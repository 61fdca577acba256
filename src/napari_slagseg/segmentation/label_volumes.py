"""Small changes to label arrays: count, drop, renumber; a few planes at a time, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import CancelToken, stop_if_cancelled
from napari_slagseg.data.cores import cores
from napari_slagseg.segmentation.label_blocks import check_labels, counted, renumbered

_CHUNK_VOXELS = 1 << 21
_Part = TypeVar("_Part")
_Made = TypeVar("_Made")


def remove_small(
    labels: NDArray[Any],
    minimum_voxels: int,
    *,
    threads: int | None = None,
    cancel: CancelToken | None = None,
) -> NDArray[np.uint32]:
    """Set particles under `minimum_voxels` voxels to background; the others keep their number.

    Parameters
    ----------
    labels : integer array
        0 background.
    minimum_voxels : int
        K 2.3.5: 100.
    threads : int, optional
        All cores if not given.

    Returns
    -------
    labels : uint32 array of the same shape
    """
    present, counts = label_counts(labels, threads=threads, cancel=cancel)
    kept = counts >= minimum_voxels
    return renumber(labels, present[kept], present[kept], threads=threads, cancel=cancel)


def relabel_sequential(
    labels: NDArray[Any], *, threads: int | None = None, cancel: CancelToken | None = None
) -> NDArray[np.uint32]:
    """Number the particles 1, 2, ... without gaps, in the order of their old numbers.

    Parameters
    ----------
    labels : integer array
        0 background.
    threads : int, optional
        All cores if not given.

    Returns
    -------
    labels : uint32 array of the same shape
    """
    present, _ = label_counts(labels, threads=threads, cancel=cancel)
    new = np.arange(1, len(present) + 1)
    return renumber(labels, present, new, threads=threads, cancel=cancel)


def label_counts(
    labels: NDArray[Any], *, threads: int | None = None, cancel: CancelToken | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels above 0 that occur, rising, and their numbers of voxels.

    Raises
    ------
    SlagsegError
        If the labels are not whole numbers, or one is negative or above 32 bits.
    """
    check_labels(labels)
    parts = _each(counted, _parts(labels), threads, cancel)
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
    threads: int | None = None,
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
    threads : int, optional
        All cores if not given.
    out : uint32 array, optional
        Where to write; may be `labels` itself.
    """
    check_labels(labels)
    if out is None:
        out = np.empty(labels.shape, dtype=np.uint32)
    pairs = zip(_parts(labels), _parts(out), strict=True)
    _each(lambda pair: renumbered(pair[0], old, new, pair[1]), pairs, threads, cancel)
    return out


def _each(
    work: Callable[[_Part], _Made],
    parts: Iterator[_Part],
    threads: int | None,
    cancel: CancelToken | None,
) -> list[_Made]:
    """What `work` makes of each part, in their order."""

    def unless_cancelled(part: _Part) -> _Made:
        stop_if_cancelled(cancel)
        return work(part)

    every = list(parts)
    threads = threads or cores()
    if threads == 1 or len(every) < 2:
        return [unless_cancelled(part) for part in every]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(unless_cancelled, every))


def _parts(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Views of a few planes each."""
    if array.ndim == 0 or array.size == 0:
        return
    planes = max(1, _CHUNK_VOXELS * len(array) // array.size)
    for start in range(0, len(array), planes):
        yield array[start : start + planes]


__all__ = ["label_counts", "relabel_sequential", "remove_small", "renumber"]
