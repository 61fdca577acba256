"""False colours to phases: exact first, then the nearest in CIELAB."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import UNKNOWN, PhaseTable, SlagsegError

COLOUR_TOLERANCE = 12.0
"""Largest distance in CIELAB at which a colour still counts as one of the legend.

About five just noticeable differences: it takes in what JPEG does to a flat
colour, but no mixture of two legend colours that a user would tell apart.
"""

_TRANSPARENT = 1 << 24
_BLOCK_PIXELS = 1 << 22
_OPAQUE = 128

Unmatched = list[tuple[str, int]]
"""What matched nothing, with its number of pixels; commonest first."""


def match_colours(
    image: NDArray[np.uint8], table: PhaseTable, tolerance: float = COLOUR_TOLERANCE
) -> tuple[NDArray[np.int16], Unmatched]:
    """Phase of every pixel of a false-colour image.

    Exact matches first, then the nearest legend colour in CIELAB within
    `tolerance`. Transparent pixels (alpha under one half) were not measured:
    they are unknown, and not counted as unmatched.

    Parameters
    ----------
    image : (rows, columns, 3 or 4) uint8
    table : PhaseTable
    tolerance : float
        CIELAB distance (CIE 1976).

    Returns
    -------
    phases : (rows, columns) int16
        -1 where no colour of the legend is near.
    unmatched : list of (colour, pixels)
        Colours that matched nothing, commonest first.

    Raises
    ------
    SlagsegError
        If two phases share a colour that occurs in the image.
    """
    # a map has few colours and many pixels: only the colours are looked at
    step = max(1, _BLOCK_PIXELS // max(1, image.shape[1]))
    starts = range(0, image.shape[0], step)
    colours, counts = _counted(_packed(image[i : i + step]) for i in starts)
    _refuse_shared(table, colours)
    found = _nearest(colours, table, tolerance)
    phases = np.empty(image.shape[:2], dtype=np.int16)
    for i in starts:
        packed = _packed(image[i : i + step])
        phases[i : i + step] = found[np.searchsorted(colours, packed)]
    missed = np.flatnonzero((found == UNKNOWN) & (colours != _TRANSPARENT))
    missed = missed[np.argsort(-counts[missed], kind="stable")]
    return phases, [(f"#{colours[i]:06x}", int(counts[i])) for i in missed]


def _packed(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Colours as 0xrrggbb, transparent ones as `_TRANSPARENT`."""
    wide = image[..., :3].astype(np.int32)
    packed: NDArray[np.int32] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    if image.shape[-1] == 4:
        packed[image[..., 3] < _OPAQUE] = _TRANSPARENT
    return packed


def _counted(blocks: Iterable[NDArray[np.int32]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Colours of all blocks, rising, and how many pixels have each."""
    found = [np.unique(block, return_counts=True) for block in blocks]
    colours, inverse = np.unique(np.concatenate([c for c, _ in found]), return_inverse=True)
    counts = np.zeros(len(colours), dtype=np.int64)
    np.add.at(counts, inverse, np.concatenate([n for _, n in found]))
    return colours, counts


def _unpacked(colours: NDArray[Any]) -> NDArray[np.float64]:
    """Colours (n,) as RGB (1, n, 3) from 0 to 1, as scikit-image wants them."""
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=-1)[None] / 255.0


def _nearest(colours: NDArray[Any], table: PhaseTable, tolerance: float) -> NDArray[np.int16]:
    from skimage.color import rgb2lab

    legend = np.array([int(phase.colour[1:], 16) for phase in table])
    ids = np.array(table.ids, dtype=np.int16)
    legend_lab = rgb2lab(_unpacked(legend))[0]
    found = np.full(len(colours), UNKNOWN, dtype=np.int16)
    step = max(1, 4_000_000 // len(ids))
    for start in range(0, len(colours), step):
        lab = rgb2lab(_unpacked(colours[start : start + step]))[0]
        distance = np.linalg.norm(lab[:, None] - legend_lab[None], axis=-1)
        nearest = distance.argmin(axis=1)
        near = distance[np.arange(len(lab)), nearest] <= tolerance
        found[start : start + step] = np.where(near, ids[nearest], UNKNOWN)
    for colour, phase_id in zip(legend, ids):
        found[colours == colour] = phase_id
    found[colours == _TRANSPARENT] = UNKNOWN
    return found


def _refuse_shared(table: PhaseTable, colours: NDArray[Any]) -> None:
    present = set(colours.tolist())
    first: dict[str, str] = {}
    for phase in table:
        other = first.setdefault(phase.colour.lower(), phase.name)
        if other != phase.name and int(phase.colour[1:], 16) in present:
            raise SlagsegError(
                f"the phases '{other}' and '{phase.name}' share the colour {phase.colour}, which "
                "occurs in the map, so it cannot be told which is meant. Give them different "
                "colours and export the map again, or use the raster of phase ids."
            )


__all__ = ["COLOUR_TOLERANCE", "Unmatched", "match_colours"]
