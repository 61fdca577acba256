"""Which labels and phases there are, in the few types that the kernels are compiled for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, UNKNOWN, PhaseTable, SlagsegError


@dataclass(frozen=True)
class LabelRows:
    """Labels and the row each of them gets in a table.

    Attributes
    ----------
    array : uint32
        The labels themselves (no copy where they are uint32 and not far
        larger than the volume), else their rows counted from 1.
    labels : (n,) int64
        Labels above 0, rising.
    row_of : int32
        Row of each value of `array`; -1 for background.
    """

    array: NDArray[np.uint32]
    labels: NDArray[np.int64]
    row_of: NDArray[np.int32]


@dataclass(frozen=True)
class PhaseSlots:
    """Phases and the column each of them gets in a table of counts.

    The columns are the phases of the table but the background, in order of id,
    then `n_phases` (ids that the table does not have), then ``n_phases + 1``
    (background and unknown).
    """

    array: NDArray[np.integer]
    slot_of: NDArray[np.int32]
    target: int
    n_phases: int


@njit(cache=True, nogil=True)
def _mark(values, seen):  # type: ignore[no-untyped-def]
    for value in values:
        seen[value] = True


@njit(cache=True, nogil=True)
def _run_starts(values, out):  # type: ignore[no-untyped-def]
    """Values that differ from the one before them; how many there are."""
    n = 0
    last = values[0]
    out[0] = last
    n = 1
    for value in values:
        if value != last:
            out[n] = value
            n += 1
            last = value
    return n


@njit(cache=True, nogil=True)
def _rank(values, sorted_values, out):  # type: ignore[no-untyped-def]
    """Position in `sorted_values`, counted from 1; 0 for background."""
    last = values[0]
    rank = np.uint32(0)
    if last > 0:
        rank = np.uint32(np.searchsorted(sorted_values, last) + 1)
    for i in range(values.size):
        value = values[i]
        if value != last:
            last = value
            rank = np.uint32(np.searchsorted(sorted_values, value) + 1 if value > 0 else 0)
        out[i] = rank


def label_rows(labels: NDArray[np.integer], what: str = "particles") -> LabelRows:
    """Find the labels above 0; anything else is no particle.

    Labels may have gaps and may be large: where they are far larger than the
    volume has voxels, a copy with consecutive numbers is made (4 bytes a voxel).

    Raises
    ------
    SlagsegError
        If `labels` are not integers.
    """
    labels = np.asarray(labels)
    if labels.dtype == np.bool_ or not np.issubdtype(labels.dtype, np.integer):
        raise SlagsegError(
            f"The {what} have the type {labels.dtype}; labels must be integers, "
            "one number a particle, 0 where there is none."
        )
    largest = int(labels.max()) if labels.size else 0
    smallest = int(labels.min()) if labels.size else 0
    if largest <= max(1 << 22, labels.size // 4):
        if labels.dtype == np.uint32:
            array = np.asarray(labels, np.uint32)
        elif smallest >= 0:
            array = labels.astype(np.uint32)
        else:
            array = np.where(labels > 0, labels, 0).astype(np.uint32)
        seen = np.zeros(max(largest, 0) + 1, dtype=np.bool_)
        for plane in array:
            _mark(np.ascontiguousarray(plane).reshape(-1), seen)
        seen[0] = False
        present = np.flatnonzero(seen).astype(np.int64)
        row_of = np.full(seen.size, -1, dtype=np.int32)
        row_of[present] = np.arange(present.size, dtype=np.int32)
        return LabelRows(np.ascontiguousarray(array), present, row_of)

    wide = np.int64 if largest <= np.iinfo(np.int64).max else np.uint64
    if wide is np.uint64:
        raise SlagsegError(
            f"The {what} have the label {largest}; labels must be below 2^63. Relabel them first."
        )
    found: set[int] = set()
    for plane in labels:
        flat = np.ascontiguousarray(plane, dtype=wide).reshape(-1)
        starts = np.empty_like(flat)
        found.update(np.unique(starts[: _run_starts(flat, starts)]).tolist())
    present = np.array(sorted(value for value in found if value > 0), dtype=np.int64)
    array = np.empty(labels.shape, dtype=np.uint32)
    for plane, out in zip(labels, array):
        _rank(np.ascontiguousarray(plane, dtype=wide).reshape(-1), present, out.reshape(-1))
    row_of = np.arange(-1, present.size, dtype=np.int32)
    return LabelRows(array, present, row_of)


def phase_slots(phases: NDArray[np.integer], table: PhaseTable) -> PhaseSlots:
    """Prepare phase values for counting.

    Raises
    ------
    SlagsegError
        If `phases` are not integers, or no target phase is set.
    """
    phases = np.asarray(phases)
    if phases.dtype == np.bool_:
        phases = phases.astype(np.uint8)
    if not np.issubdtype(phases.dtype, np.integer):
        raise SlagsegError(
            f"The phases have the type {phases.dtype}; they must be integers, "
            "the ids of the phase table."
        )
    kind = np.uint8 if phases.dtype == np.uint8 else np.int16
    if kind is np.int16 and phases.dtype != np.int16 and phases.size:
        low, high = int(phases.min()), int(phases.max())
        if low < -32768 or high > 32767:
            raise SlagsegError(
                f"The phases run from {low} to {high}; ids of a phase table lie between "
                "-1 (unknown) and 32767. Are these particle labels?"
            )
    named = [phase.id for phase in table if phase.id != BACKGROUND]
    target = named.index(table.target_id)
    slot_of = np.full(256 if kind is np.uint8 else 65536, len(named), dtype=np.int32)
    slot_of[BACKGROUND] = len(named) + 1
    if kind is np.int16:
        slot_of[UNKNOWN] = len(named) + 1  # numba, like numpy, counts -1 from the end
    for slot, phase_id in enumerate(named):
        if 0 < phase_id < (256 if kind is np.uint8 else 32768):
            slot_of[phase_id] = slot
    return PhaseSlots(np.ascontiguousarray(phases, dtype=kind), slot_of, target, len(named))


def check_known_phases(
    counts: NDArray[np.int64],
    particles: NDArray[np.integer],
    phases: NDArray[np.integer],
    table: PhaseTable,
) -> None:
    """Refuse phases inside particles that the table does not have.

    Raises
    ------
    SlagsegError
        Naming the ids.
    """
    n_phases = len(table) - 1
    if not counts.size or not counts[:, n_phases].any():
        return
    known = {UNKNOWN, *table.ids}
    strange: set[int] = set()
    for labels_plane, phases_plane in zip(particles, phases):
        strange.update(np.unique(phases_plane[labels_plane > 0]).tolist())
    ids = sorted(strange - known)
    raise SlagsegError(
        f"The particles hold the phase {'id' if len(ids) == 1 else 'ids'} "
        f"{', '.join(map(str, ids))}, which the phase table does not have. It has: "
        f"{', '.join(f'{phase.id} ({phase.name})' for phase in table)}. "
        "Use the table that the phases were made with, or add the missing ones."
    )


__all__ = ["LabelRows", "PhaseSlots", "check_known_phases", "label_rows", "phase_slots"]
