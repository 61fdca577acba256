"""A map as one fraction image per phase (or band of grey), at the pitch of a level."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import BACKGROUND, GreyMap, MineralMap

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


GREY_BANDS = 4
"""Bands of a grey image that are fitted beside its darkest one."""

_BAND_SOFTENING = 1.0
"""Standard deviation in pixels of the smoothing before a grey image is cut into bands."""


def grey_bands(grey_map: GreyMap, unit_um: float, level: float, blur: float) -> FractionImages:
    """Fraction images of a grey map: how much of a pixel lies in each band of grey.

    Bands are hat functions between quantiles of the grey values, so that the CT's grey
    value may be any piecewise linear function of the map's, falling or rising. The
    darkest band is left out, as the background of a mineral map is.

    Parameters
    ----------
    As `fraction_images`.
    """
    grey = grey_map.grey
    known = np.isfinite(grey)
    low, high = np.quantile(grey[known], (0.01, 0.99))
    smooth = ndimage.gaussian_filter(np.where(known, grey, low), _BAND_SOFTENING)
    knots = np.linspace(low, high, GREY_BANDS + 1)
    block = max(1, round(level * unit_um / grey_map.pixel_size_um))
    pitch = block * grey_map.pixel_size_um / unit_um
    sigma = blur / pitch
    share = _block_sums(known.astype(np.float32), block)
    around = share
    if sigma > 0.05:
        around = ndimage.gaussian_filter(share, sigma, mode="constant", truncate=3.0)
    fractions = np.empty((GREY_BANDS, *share.shape), dtype=np.float32)
    for band in range(1, GREY_BANDS + 1):
        peak = np.zeros(GREY_BANDS + 1)
        peak[band] = 1.0
        part = np.interp(smooth, knots, peak).astype(np.float32)
        part[~known] = 0.0
        image = _block_sums(part, block)
        if sigma > 0.05:
            image = ndimage.gaussian_filter(image, sigma, mode="constant", truncate=3.0)
        fractions[band - 1] = image / np.maximum(around, 1e-6)
    return FractionImages(fractions, share / np.float32(block * block), block, pitch)


def _block_sums(image: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Sums of square blocks; the last ones may be cut off."""
    edges = [np.arange(0, n, block) for n in image.shape]
    return np.add.reduceat(np.add.reduceat(image, edges[0], axis=0), edges[1], axis=1)


class MapFractions:
    """Fraction images of a map at any level, and a first guess of its grey values.

    Parameters
    ----------
    source : MineralMap or GreyMap
    maximum_phases : int
        Rarer phases are fitted as one.
    """

    def __init__(self, source: MineralMap | GreyMap, maximum_phases: int) -> None:
        self.source = source
        if isinstance(source, GreyMap):
            self.prior = np.arange(1.0, GREY_BANDS + 1)
        else:
            self._slots = phase_slots(source, maximum_phases)
            self.prior = self._slots.prior

    def images(self, unit_um: float, level: float, blur: float) -> FractionImages:
        """See `fraction_images`."""
        if isinstance(self.source, GreyMap):
            return grey_bands(self.source, unit_um, level, blur)
        return fraction_images(self.source, self._slots, unit_um, level, blur)


__all__ = [
    "GREY_BANDS",
    "FractionImages",
    "MapFractions",
    "PhaseSlots",
    "fraction_images",
    "grey_bands",
    "phase_slots",
]
