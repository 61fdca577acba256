"""Labels and phases in the few types that the kernels are compiled for, or a clear error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, UNKNOWN, PhaseTable, SlagsegError


@dataclass(frozen=True)
class PhaseSlots:
    """Phases and the column each of them gets in a table of counts.

    The columns are the phases of the table but the background, in order of id,
    then `n_phases` (ids that the table does not have), then ``n_phases + 1``
    (background and unknown).

    Attributes
    ----------
    named : tuple of int
        Ids of the phases but the background.
    target : int
        Column of the target phase.
    """

    named: tuple[int, ...]
    target: int

    @property
    def n_phases(self) -> int:
        """Phases but the background."""
        return len(self.named)

    def densities(self, table: PhaseTable) -> NDArray[np.float64]:
        """Density of each column of counts, g/cm3; NaN where the table has none."""
        given = [table.by_id(phase_id).density_g_cm3 for phase_id in self.named]
        return np.array([np.nan if d is None else d for d in (*given, None, None)], np.float64)

    def lookup(self, dtype: np.dtype[np.generic]) -> NDArray[np.int32]:
        """Column of each value of uint8 or int16; -1 (unknown) is the last entry."""
        size = 256 if dtype == np.uint8 else 65536
        slot_of = np.full(size, self.n_phases, dtype=np.int32)
        slot_of[BACKGROUND] = self.n_phases + 1
        if size > 256:
            slot_of[UNKNOWN] = self.n_phases + 1
        for slot, phase_id in enumerate(self.named):
            if 0 < phase_id < (256 if size == 256 else 32768):
                slot_of[phase_id] = slot
        return slot_of


def check_label_type(dtype: np.dtype[np.generic], what: str = "particles") -> None:
    """Refuse labels that are not integers.

    Raises
    ------
    SlagsegError
    """
    if dtype == np.bool_ or not np.issubdtype(dtype, np.integer):
        raise SlagsegError(
            f"The {what} have the type {dtype}; labels must be integers, "
            "one number a particle, 0 where there is none."
        )


def label_values(labels: NDArray[np.integer], what: str = "particles") -> NDArray[np.integer]:
    """Labels as uint32 or int64; no copy where they are.

    Raises
    ------
    SlagsegError
        If `labels` are not integers, or too large for int64.
    """
    check_label_type(labels.dtype, what)
    if labels.dtype in (np.uint32, np.int64):
        return labels
    if labels.dtype == np.uint64:
        largest = int(labels.max()) if labels.size else 0
        if largest > np.iinfo(np.int64).max:
            raise SlagsegError(
                f"The {what} have the label {largest}; labels must be below 2^63. "
                "Relabel them first."
            )
        return labels.astype(np.int64)
    small = labels.dtype in (np.uint8, np.uint16)
    return labels.astype(np.uint32 if small else np.int64)


def phase_slots(dtype: np.dtype[np.generic], table: PhaseTable) -> PhaseSlots:
    """Columns of the phases of a table.

    Raises
    ------
    SlagsegError
        If the phases are not integers, or no target phase is set.
    """
    if dtype != np.bool_ and not np.issubdtype(dtype, np.integer):
        raise SlagsegError(
            f"The phases have the type {dtype}; they must be integers, the ids of the phase table."
        )
    named = tuple(phase.id for phase in table if phase.id != BACKGROUND)
    return PhaseSlots(named, named.index(table.target_id))


def phase_values(phases: NDArray[np.generic]) -> NDArray[np.integer]:
    """Phases as uint8 or int16; no copy where they are.

    Raises
    ------
    SlagsegError
        If they are too large to be phases.
    """
    if phases.dtype in (np.uint8, np.int16):
        return phases  # type: ignore[return-value]
    if phases.dtype == np.bool_:
        return phases.astype(np.uint8)
    if phases.size:
        low, high = int(phases.min()), int(phases.max())
        if low < -32768 or high > 32767:
            raise SlagsegError(
                f"The phases run from {low} to {high}; ids of a phase table lie between "
                "-1 (unknown) and 32767. Are these particle labels?"
            )
    found: NDArray[np.integer] = phases.astype(np.int16)
    return found


def strange_phases(
    counts: NDArray[np.int64],
    particles: NDArray[np.integer],
    phases: NDArray[np.integer],
    slots: PhaseSlots,
) -> NDArray[np.int64]:
    """Ids inside particles that the table does not have; looked for only where some were counted.

    Parameters
    ----------
    counts : (n, phases + 2)
        Voxels by column.
    particles, phases
        Of the part of the volume that was counted.
    """
    if not counts.size or not counts[:, slots.n_phases].any():
        return np.empty(0, dtype=np.int64)
    inside = np.unique(phases[particles > 0]).astype(np.int64)
    return np.setdiff1d(inside, [UNKNOWN, BACKGROUND, *slots.named])


def check_known_phases(strange: Iterable[int], table: PhaseTable) -> None:
    """Refuse phases inside particles that the table does not have.

    Raises
    ------
    SlagsegError
        Naming the ids.
    """
    ids = sorted(set(strange))
    if not ids:
        return
    raise SlagsegError(
        f"The particles hold the phase {'id' if len(ids) == 1 else 'ids'} "
        f"{', '.join(map(str, ids))}, which the phase table does not have. It has: "
        f"{', '.join(f'{phase.id} ({phase.name})' for phase in table)}. "
        "Use the table that the phases were made with, or add the missing ones."
    )


__all__ = [
    "PhaseSlots",
    "check_known_phases",
    "check_label_type",
    "label_values",
    "phase_slots",
    "phase_values",
    "strange_phases",
]
