"""A mineral map as one fraction image per phase, at the pitch of a level."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import BACKGROUND, MineralMap

NO_DENSITY = 2.7
"""Density in g/cm3 taken for a phase that has none: that of most rock-forming minerals."""

EPOXY_DENSITY = 1.1
"""Density in g/cm3 of the background."""


@dataclass(frozen=True)
class FractionImages:
    """Area fractions of the phases on a coarser grid of the map.

    Attributes
    ----------
    fractions : (phase, row, column) float32
        Share of the *known* part of each pixel, softened; background left out.
    known : (row, column) float32
        Share of each pixel that is classified.
    block : int
        Map pixels averaged along each axis.
    pitch : float
        Edge of a pixel in units of length.
    """

    fractions: NDArray[np.float32]
    known: NDArray[np.float32]
    block: int
    pitch: float

    def map_rows(self) -> NDArray[np.float64]:
        """Map rows of the pixel centres (half-pixel rule)."""
        return np.asarray((np.arange(self.known.shape[0]) + 0.5) * self.block - 0.5, np.float64)

    def map_columns(self) -> NDArray[np.float64]:
        """Map columns of the pixel centres."""
        return np.asarray((np.arange(self.known.shape[1]) + 0.5) * self.block - 0.5, np.float64)

    def grey(self, weights: NDArray[np.floating]) -> NDArray[np.float32]:
        """Expected grey value, given the weight of each phase above background."""
        return np.tensordot(weights.astype(np.float32), self.fractions, axes=1)


@numba.njit(parallel=True, cache=True, nogil=True)
def _count(phases, slot_of, offset, n_slots, block):  # type: ignore[no-untyped-def]
    rows, columns = phases.shape
    nr, nc = -(-rows // block), -(-columns // block)
    counts = np.zeros((n_slots + 2, nr, nc), dtype=np.float32)
    for i in numba.prange(nr):
        for r in range(i * block, min(rows, (i + 1) * block)):
            for c in range(columns):
                slot = slot_of[phases[r, c] + offset]
                if slot >= 0:
                    counts[slot, i, c // block] += 1.0
                counts[n_slots + 1, i, c // block] += 1.0
    return counts


@dataclass(frozen=True)
class PhaseSlots:
    """Which phases of a map are fitted, each with its slot; rare ones share the last.

    Attributes
    ----------
    ids : tuple of tuple of int
        Phase ids of each slot, background left out.
    prior : (slot,) float64
        First guess of the grey value above background.
    slot_of : (n,) int64
        Slot of ``phase id + offset``: 0 to n_slots - 1, n_slots for background,
        -1 for unknown.
    """

    ids: tuple[tuple[int, ...], ...]
    prior: NDArray[np.float64]
    slot_of: NDArray[np.int64]
    offset: int


def phase_slots(mineral_map: MineralMap, maximum: int) -> PhaseSlots:
    """Choose the phases to fit: the commonest, each with at least half a per cent."""
    phases = mineral_map.phases
    offset = max(0, -int(phases.min()))
    counts = np.bincount((phases.astype(np.int64) + offset).ravel())
    present = [
        (int(n), value - offset)
        for value, n in enumerate(counts)
        if n and value - offset > BACKGROUND
    ]
    present.sort(key=lambda entry: (-entry[0], entry[1]))
    total = sum(n for n, _ in present)
    common = [i for n, i in present[: maximum - 1] if n >= 0.005 * total]
    rare = [i for _, i in present if i not in common]
    ids = [(i,) for i in common] + ([tuple(rare)] if rare else [])
    slot_of = np.full(len(counts), -1, dtype=np.int64)
    slot_of[BACKGROUND + offset] = len(ids)
    density = {p.id: p.density_g_cm3 for p in mineral_map.table}
    prior = []
    for slot, members in enumerate(ids):
        for i in members:
            slot_of[i + offset] = slot
        known = [d for d in (density.get(i) for i in members) if d]
        prior.append(max(0.3, (float(np.mean(known)) if known else NO_DENSITY) - EPOXY_DENSITY))
    return PhaseSlots(tuple(ids), np.asarray(prior), slot_of, offset)


def fraction_images(
    mineral_map: MineralMap, slots: PhaseSlots, unit_um: float, level: float, blur: float
) -> FractionImages:
    """Average a map down to about the pitch of a level.

    Parameters
    ----------
    mineral_map : MineralMap
    slots : PhaseSlots
    unit_um : float
        Micrometres of the unit of length.
    level : float
        Wanted pitch in units of length; the actual pitch is the nearest whole
        number of map pixels, and is what `FractionImages.pitch` says.
    blur : float
        Standard deviation of the softening in units of length.
    """
    n_slots = len(slots.ids)
    block = max(1, round(level * unit_um / mineral_map.pixel_size_um))
    counts = _count(
        np.ascontiguousarray(mineral_map.phases), slots.slot_of, slots.offset, n_slots, block
    )
    classified = counts[: n_slots + 1].sum(axis=0)
    pitch = block * mineral_map.pixel_size_um / unit_um
    sigma = blur / pitch
    parts = counts[:n_slots]
    smooth_known = classified
    if sigma > 0.05:
        parts = ndimage.gaussian_filter(parts, (0, sigma, sigma), mode="constant", truncate=3.0)
        smooth_known = ndimage.gaussian_filter(classified, sigma, mode="constant", truncate=3.0)
    fractions = parts / np.maximum(smooth_known, 1e-6)
    known = classified / np.float32(block * block)
    return FractionImages(fractions.astype(np.float32), known.astype(np.float32), block, pitch)


__all__ = ["FractionImages", "PhaseSlots", "fraction_images", "phase_slots"]
