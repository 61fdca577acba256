"""Watershed from markers on 8-bit levels: one queue a level, every voxel queued once.

A voxel that is reached takes the label of the voxel that reached it and waits in
the queue of its own level, first in, first out; always the oldest voxel of the
lowest level that holds any goes on. That is the flood of scikit-image's
``watershed`` (Meyer 1991; Beucher & Meyer 1993) without its heap, which does not
keep the order of equal ages among the markers' own voxels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import CancelToken, Progress, ProgressEvent, no_progress, stop_if_cancelled

LEVELS = 256
_STEPS = 1 << 21  # voxels between two looks at the cancel token: well under a second
_LARGEST_32_BIT = 2**31 - 1


def flood(
    labels: NDArray[np.uint32],
    height: NDArray[np.uint8],
    phases: NDArray[np.uint8],
    *,
    stage: str = "growing the particles",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Grow the markers in `labels` into the voxels whose phase is above 0, in place.

    Face neighbours only. Voxels of the foreground that no marker reaches stay 0.
    Needs 4 bytes (above 2.1 G voxels: 8) for each foreground voxel on top of the
    arrays given.

    Parameters
    ----------
    labels : (z, y, x) uint32, C order
        Markers above 0, all of them inside the foreground. Changed in place.
    height : (z, y, x) uint8
        Particle probability: high is flooded first.
    phases : (z, y, x) uint8
        Foreground where above 0.
    """
    flat, levels, mask = labels.reshape(-1), height.reshape(-1), phases.reshape(-1)
    _, rows, columns = labels.shape
    index = np.int32 if labels.size <= _LARGEST_32_BIT else np.int64
    begin = np.zeros(LEVELS + 1, dtype=np.int64)
    begin[1:] = np.cumsum(_histogram(levels, mask))
    total = int(begin[-1])
    queue: NDArray[Any] = np.empty(total, dtype=index)
    head, tail = begin[:-1].copy(), begin[:-1].copy()
    plane = rows * columns
    planes = max(1, _STEPS // max(plane, 1))
    inner = 0
    for start in range(0, labels.shape[0], planes):
        stop_if_cancelled(cancel)
        stop = min(start + planes, labels.shape[0])
        inner += _queue_rims(
            flat, levels, mask, queue, tail, start * plane, stop * plane, rows, columns
        )
    total -= inner
    state = np.zeros(2, dtype=np.int64)  # level to look at next, voxels done
    while _flood_some(flat, levels, mask, queue, head, tail, state, rows, columns, _STEPS):
        progress(ProgressEvent(stage, float(state[1]) / max(total, 1)))
        stop_if_cancelled(cancel)


@njit(cache=True, nogil=True)
def _histogram(levels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Foreground voxels by level, level 0 being the highest probability."""
    counts = np.zeros(LEVELS, dtype=np.int64)
    for i in range(len(levels)):
        if mask[i] > 0:
            counts[LEVELS - 1 - levels[i]] += 1
    return counts


@njit(cache=True, nogil=True)
def _neighbours(i: int, rows: int, columns: int, size: int, around: NDArray[np.int64]) -> None:
    """Write the six face neighbours of voxel `i` into `around`; -1 stands for outside."""
    plane = rows * columns
    x = i % columns
    y = (i // columns) % rows
    around[0] = i - plane if i >= plane else -1
    around[1] = i - columns if y > 0 else -1
    around[2] = i - 1 if x > 0 else -1
    around[3] = i + 1 if x < columns - 1 else -1
    around[4] = i + columns if y < rows - 1 else -1
    around[5] = i + plane if i + plane < size else -1


@njit(cache=True, nogil=True)
def _queue_rims(
    labels: NDArray[np.uint32],
    levels: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    queue: NDArray[Any],
    tail: NDArray[np.int64],
    start: int,
    stop: int,
    rows: int,
    columns: int,
) -> int:
    """Queue the marker voxels from which something can be reached; number of the others."""
    around = np.empty(6, dtype=np.int64)
    inner = 0
    for i in range(start, stop):
        if labels[i] == 0:
            continue
        _neighbours(i, rows, columns, len(labels), around)
        free = False
        for k in range(6):
            j = around[k]
            if j >= 0 and labels[j] == 0 and mask[j] > 0:
                free = True
        if free:
            level = LEVELS - 1 - levels[i]
            queue[tail[level]] = i
            tail[level] += 1
        else:
            inner += 1
    return inner


@njit(cache=True, nogil=True)
def _flood_some(
    labels: NDArray[np.uint32],
    levels: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    queue: NDArray[Any],
    head: NDArray[np.int64],
    tail: NDArray[np.int64],
    state: NDArray[np.int64],
    rows: int,
    columns: int,
    steps: int,
) -> bool:
    """Let `steps` voxels go on; whether any are left."""
    size = len(labels)
    level = state[0]
    done = 0
    around = np.empty(6, dtype=np.int64)
    while done < steps:
        while level < LEVELS and head[level] == tail[level]:
            level += 1
        if level == LEVELS:
            break
        i = int(queue[head[level]])
        head[level] += 1
        done += 1
        _neighbours(i, rows, columns, size, around)
        label = labels[i]
        for k in range(6):
            j = around[k]
            if j < 0 or mask[j] == 0 or labels[j] != 0:
                continue
            labels[j] = label
            lower = LEVELS - 1 - levels[j]
            queue[tail[lower]] = j
            tail[lower] += 1
            if lower < level:
                level = lower
    state[0] = level
    state[1] += done
    return done == steps


__all__ = ["flood"]
