"""Merge particles into one, and delete them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError
from napari_slagseg.segmentation.edits.edited import Edited, check_box, check_label


def merge(labels: NDArray[np.uint32], ids: Sequence[int], *, apart: bool = False) -> Edited:
    """Make particles one.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box that holds all of them whole.
    ids : sequence of int
        Two or more particles; all get the number of the first.
    apart : bool
        Whether particles may be merged that do not touch.

    Returns
    -------
    Edited

    Raises
    ------
    SlagsegError
        If there are fewer than two, one is not in the box, or they do not hang together by
        faces and `apart` is false.
    """
    check_box(labels)
    wanted = _distinct(ids)
    if len(wanted) < 2:
        raise SlagsegError(
            f"Merging takes two or more particles; selected: {wanted}. Click another one."
        )
    changed = labels.copy()
    numbers, touch = _renumber(changed.reshape(-1), labels, np.array(wanted, dtype=np.uint32))
    _check_there(wanted, numbers)
    together = _hanging_together(touch)
    if not apart and len(together) < len(wanted):
        left = [wanted[i] for i in range(len(wanted)) if i not in together]
        raise SlagsegError(
            f"Particles {left} do not touch particle {wanted[0]} or those that it "
            "touches, so they would not be one piece. Paint a bridge between them first, leave "
            "them out, or allow a particle of several pieces."
        )
    return Edited(changed)


def delete(
    labels: NDArray[np.uint32], ids: Sequence[int], phases: NDArray[np.uint8] | None = None
) -> Edited:
    """Make particles background.

    Parameters
    ----------
    labels : (z, y, x) uint32
        A box that holds them whole.
    ids : sequence of int
    phases : (z, y, x) uint8, optional
        Become 0 where the particles were.

    Returns
    -------
    Edited

    Raises
    ------
    SlagsegError
        If none is given, or one is not in the box.
    """
    check_box(labels, phases=phases)
    wanted = _distinct(ids)
    if not wanted:
        raise SlagsegError("No particle is selected that could be deleted; click one.")
    changed = labels.copy()
    numbers, _ = _renumber(changed.reshape(-1), labels, np.array(wanted, dtype=np.uint32))
    _check_there(wanted, numbers)
    gone = changed != labels
    gone |= labels == wanted[0]  # the kernel gives all the number of the first
    changed[gone] = 0
    if phases is not None:
        phases = np.where(gone, np.uint8(0), phases)
    return Edited(changed, phases)


def _distinct(ids: Sequence[int]) -> list[int]:
    wanted = list(dict.fromkeys(int(i) for i in ids))
    for label in wanted:
        check_label(label)
    return wanted


def _check_there(wanted: Sequence[int], voxels: NDArray[np.int64]) -> None:
    missing = [label for label, n in zip(wanted, voxels) if n == 0]
    if missing:
        raise SlagsegError(
            f"Particles {missing} do not lie in the box; they may have been deleted or merged. "
            "Select again in the viewer."
        )


def _hanging_together(touch: NDArray[np.bool_]) -> set[int]:
    """Particles that the first one leads to, itself included."""
    found, new = {0}, [0]
    while new:
        here = new.pop()
        for there in np.flatnonzero(touch[here] | touch[:, here]):
            if int(there) not in found:
                found.add(int(there))
                new.append(int(there))
    return found


@njit(cache=True, nogil=True)
def _place_in(ids: NDArray[np.uint32], label: np.uint32) -> int:
    for i in range(len(ids)):
        if ids[i] == label:
            return i
    return -1


@njit(cache=True, nogil=True)
def _renumber(
    changed: NDArray[np.uint32], labels: NDArray[np.uint32], ids: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give all `ids` the number of the first; voxels of each, and who touches whom by faces."""
    voxels = np.zeros(len(ids), dtype=np.int64)
    touch = np.zeros((len(ids), len(ids)), dtype=np.bool_)
    depth, rows, columns = labels.shape
    last, i = np.uint32(0), -1
    at = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                label = labels[z, y, x]
                if label != last:
                    last, i = label, _place_in(ids, label)
                if i >= 0 and label > 0:
                    voxels[i] += 1
                    changed[at] = ids[0]
                    for k in range(3):
                        a, b, c = z - (k == 0), y - (k == 1), x - (k == 2)
                        if a < 0 or b < 0 or c < 0:
                            continue
                        other = labels[a, b, c]
                        if other > 0 and other != label:
                            j = _place_in(ids, other)
                            if j >= 0:
                                touch[i, j] = True
                at += 1
    return voxels, touch


__all__ = ["delete", "merge"]
