"""Boxes of all particles on disk, with the state of the edits that they are of.

``edits/ID/boxes.npy``: rows of seven numbers. The first says what the file is; every other
is a particle's number and its box, the first voxel (z, y, x) and the one after the last.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_slagseg import io
from napari_slagseg.data import SlagsegError, Triple

NAME = "boxes.npy"
_FORMAT = 1
_DIGITS = 8  # of the digest in a number

Boxes = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Labels, rising, and their boxes."""


def write_boxes(path: Path, boxes: Boxes, digest: str) -> None:
    """Store boxes, whole or not at all.

    Parameters
    ----------
    path : Path
    boxes : Boxes
    digest : str
        `History.digest` of the state that they are of.
    """
    labels, ends = boxes
    rows = np.column_stack([labels, ends]).astype(np.int64)
    parts = [int(digest[k : k + _DIGITS] or "0", 16) for k in range(0, 4 * _DIGITS, _DIGITS)]
    rows = np.concatenate([[[_FORMAT, 0, *parts, int(bool(digest))]], rows])
    rows[0, 1] = _check(rows)
    with io.atomic_file(path) as temporary:
        np.save(temporary, rows)


def read_boxes(path: Path, shape: Triple) -> tuple[Boxes, str] | None:
    """Boxes and their digest; None if there are none, or the file is damaged.

    Parameters
    ----------
    path : Path
    shape : (z, y, x)
        Of the volume.
    """
    rows = None
    with suppress(OSError, ValueError, EOFError, SlagsegError):
        rows = np.load(path, allow_pickle=False)
    if rows is None or rows.ndim != 2 or rows.shape[1:] != (7,) or rows.dtype != np.int64:
        return None
    if not len(rows) or rows[0, 0] != _FORMAT or rows[0, 1] != _check(rows):
        return None
    first, labels, ends = rows[0].tolist(), rows[1:, 0].copy(), rows[1:, 1:].copy()
    low, stop = ends[:, :3], ends[:, 3:]
    if (
        (low < 0).any()
        or (stop > shape).any()
        or (low >= stop).any()
        or (np.diff(labels) <= 0).any()
    ):
        return None
    digest = "".join(f"{part:0{_DIGITS}x}" for part in first[2:6]) if first[6] else ""
    return (labels, ends), digest


def _check(rows: NDArray[np.int64]) -> int:
    """Of all numbers but the first row's second, where it is kept."""
    values = np.ascontiguousarray(rows, "<i8").copy()
    values[0, 1] = 0
    return zlib.crc32(values.data)


__all__ = ["NAME", "Boxes", "read_boxes", "write_boxes"]
