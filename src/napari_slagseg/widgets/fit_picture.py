"""What the Alignment dock shows of one map: which pictures there are, and how each is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import MineralMap, PlacedMap, Volume
from napari_slagseg.widgets import composite
from napari_slagseg.widgets.composite import RGB
from napari_slagseg.widgets.surface_slab import Region, SurfaceSlab

WIDTH_PIXELS = 1000
"""About so many pixels across: what a screen shows of a whole map."""

ViewName = Literal[
    "side", "checkerboard", "swipe", "blend", "map edges", "CT edges", "expected", "residual", "map"
]

VIEWS: dict[ViewName, str] = {
    "checkerboard": "Checkerboard",
    "side": "Side by side",
    "swipe": "Swipe",
    "blend": "Blend",
    "map edges": "Edges of the map on the CT",
    "CT edges": "Edges of the CT on the map",
    "expected": "Map in the CT's grey values",
    "residual": "Residual (CT less map)",
    "map": "Map alone",
}
"""Every view with its title, in the order of the list."""

AMOUNTS: dict[ViewName, str] = {
    "checkerboard": "Tile size",
    "swipe": "Position",
    "blend": "Share of the map",
    "CT edges": "Edges shown",
    "residual": "Contrast",
}
"""Views with something to set, and what the slider is called then."""


@dataclass(frozen=True)
class ViewSettings:
    """What is shown and how.

    Attributes
    ----------
    view : ViewName
    amount : float
        Position of the view's slider, 0 to 1.
    grey : bool
        Whether the map is drawn in the CT's grey values instead of phase colours.
    """

    view: ViewName = "checkerboard"
    amount: float = 0.5
    grey: bool = False


@dataclass(frozen=True)
class Look:
    """One map with the CT on its surface, on one grid.

    Attributes
    ----------
    step : int
        Map pixels from one picture pixel to the next.
    classes : (rows, columns) int16
        Phase ids.
    colours : (rows, columns, 3) uint8
        The map in phase colours.
    edges : (rows, columns) bool
        Boundaries of the phases.
    ct : (rows, columns) float32 or None
        CT on the surface; None for a map without one.
    expected : (rows, columns) float32 or None
        The map in the CT's grey values; None until it is known.
    limits : (low, high)
        Grey values shown black and white.
    """

    step: int
    classes: NDArray[np.int16]
    colours: RGB
    edges: NDArray[np.bool_]
    ct: NDArray[np.float32] | None = None
    expected: NDArray[np.float32] | None = None
    limits: tuple[float, float] = (0.0, 1.0)

    def with_ct(self, ct: NDArray[np.float32]) -> Look:
        """Look with another picture of the CT; the grey limits stay once they are found."""
        limits = self.limits if self.ct is not None else _limits(ct)
        return replace(self, ct=ct, limits=limits)

    def with_part(self, region: Region, part: NDArray[np.float32]) -> Look:
        """Look with the CT exchanged inside a region."""
        if self.ct is None:
            return self
        ct = self.ct.copy()
        ct[region.on_grid(self.step)] = part
        return replace(self, ct=ct)


def first_look(mineral_map: MineralMap) -> Look:
    """Look at a map that has no place yet."""
    step = max(1, round(max(mineral_map.shape) / WIDTH_PIXELS))
    classes = np.ascontiguousarray(mineral_map.phases[::step, ::step])
    colours = {phase.id: phase.rgb for phase in mineral_map.table}
    edges = composite.class_edges(composite.calmed(classes))
    return Look(step, classes, composite.class_picture(classes, colours), edges)


def look_at(
    look: Look, volume: Volume, placed: PlacedMap, slab: SurfaceSlab | None = None, coarser: int = 1
) -> tuple[Look, SurfaceSlab]:
    """Reslice the CT on a map's surface.

    Parameters
    ----------
    look : Look
    volume : Volume
    placed : PlacedMap
        With a surface.
    slab : SurfaceSlab or None
        That of the last look; it is taken again while it reaches.
    coarser : int
        So many times fewer pixels along each axis are sampled, and repeated: for a
        picture that has to follow at once.
    """
    if slab is None or not slab.covers(placed):
        slab = SurfaceSlab(volume, placed)
    ct = slab.reslice(placed, look.step * coarser)
    if coarser > 1:
        rows, columns = look.classes.shape
        ct = ct.repeat(coarser, 0).repeat(coarser, 1)[:rows, :columns]
    return look.with_ct(ct), slab


def on_picture_grid(image: NDArray[np.float32], look: Look) -> NDArray[np.float32]:
    """Image of the whole map, at whatever pitch, on the look's grid (nearest pixels)."""
    picks = []
    for there, here in zip(image.shape, look.classes.shape):
        centres = (np.arange(here) + 0.5) * there / here - 0.5
        picks.append(np.clip(np.rint(centres), 0, there - 1).astype(int))
    return np.asarray(image[np.ix_(*picks)], dtype=np.float32)


def _limits(ct: NDArray[np.float32]) -> tuple[float, float]:
    known = ct[np.isfinite(ct)]
    if not known.size:
        return (0.0, 1.0)
    low, high = np.percentile(known[:: max(1, known.size // 200_000)], (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1)


def gap_of(look: Look) -> int:
    """Columns between the two pictures that lie side by side."""
    return max(4, look.classes.shape[1] // 40)


def picture(look: Look, settings: ViewSettings) -> RGB:
    """Picture of a look.

    A map without a place is shown alone, and one whose grey values are not known yet
    in its phase colours: there is always something to see.
    """
    if look.ct is None:
        return look.colours
    under = composite.grey_picture(look.ct, look.limits)
    over = look.colours
    if settings.grey and look.expected is not None:
        over = composite.grey_picture(look.expected, look.limits)
    return _MAKERS[settings.view](look, under, over, settings.amount)


def _tile(look: Look, amount: float) -> int:
    """Tiles from 6 pixels to half of the picture, in even steps for the eye."""
    longest = max(look.classes.shape) / 2
    return max(2, round(6 * (max(longest, 12) / 6) ** amount))


def _residual(look: Look, under: RGB, over: RGB, amount: float) -> RGB:
    if look.ct is None or look.expected is None:
        return over
    spread = look.limits[1] - look.limits[0]
    return composite.residual_picture(look.ct, look.expected, spread * 2.0 ** (-4 * amount))


def _expected(look: Look, under: RGB, over: RGB, amount: float) -> RGB:
    if look.expected is None:
        return over
    return composite.grey_picture(look.expected, look.limits)


_MAKERS: dict[ViewName, Callable[[Look, RGB, RGB, float], RGB]] = {
    "side": lambda look, under, over, _: composite.side_by_side(under, over, gap_of(look)),
    "checkerboard": lambda look, under, over, amount: composite.checkerboard(
        under, over, _tile(look, amount)
    ),
    "swipe": lambda look, under, over, amount: composite.swipe(under, over, amount),
    "blend": lambda look, under, over, amount: composite.blend(under, over, amount),
    "map edges": lambda look, under, over, _: composite.draw_edges(
        under, look.edges, composite.EDGE_ON_CT
    ),
    "CT edges": lambda look, under, over, amount: composite.draw_edges(
        over, composite.grey_edges(look.ct, 0.02 + 0.25 * amount), composite.EDGE_ON_MAP
    ),
    "expected": _expected,
    "residual": _residual,
    "map": lambda look, under, over, _: over,
}


__all__ = [
    "AMOUNTS",
    "VIEWS",
    "Look",
    "ViewName",
    "ViewSettings",
    "first_look",
    "gap_of",
    "look_at",
    "on_picture_grid",
    "picture",
]
