"""Two pictures of one place laid over each other: plain arrays in, one RGB picture out.

All pictures are (row, column, 3) uint8 on the same grid; grey images are (row, column)
float and hold NaN where nothing is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

RGB = NDArray[np.uint8]
Grey = NDArray[np.floating]

NOTHING = (38, 41, 48)
"""Where there is no CT: dark blue-grey, so that it cannot be taken for black voxels."""

EDGE_ON_CT = (255, 214, 0)
EDGE_ON_MAP = (255, 255, 255)

_COLD, _EVEN, _WARM = (0, 114, 178), (247, 247, 247), (213, 94, 0)
"""Okabe-Ito blue and vermilion about white: a residual's sign for every eye."""


def grey_picture(image: Grey, limits: tuple[float, float]) -> RGB:
    """Grey values between two limits as a picture.

    Parameters
    ----------
    image : (rows, columns) float
    limits : (low, high)
        Shown black and white.
    """
    low, high = limits
    known = np.isfinite(image)
    with np.errstate(invalid="ignore"):
        level = np.clip((image - low) / max(high - low, 1e-9), 0, 1) * 255
    out = np.empty((*image.shape, 3), dtype=np.uint8)
    out[...] = np.where(known, level, 0).astype(np.uint8)[..., None]
    out[~known] = NOTHING
    return out


def class_picture(classes: NDArray[np.integer], colours: dict[int, tuple[int, int, int]]) -> RGB:
    """Phase ids in the colours of their phases; ids without a colour look like nothing.

    Parameters
    ----------
    classes : (rows, columns) integer
    colours : phase id to (red, green, blue)
    """
    out = np.empty((*classes.shape, 3), dtype=np.uint8)
    out[...] = NOTHING
    for class_id, colour in colours.items():
        out[classes == class_id] = colour
    return out


def side_by_side(left: RGB, right: RGB, gap: int) -> RGB:
    """Both pictures in one, `gap` columns of nothing between them."""
    rows, columns = left.shape[:2]
    out = np.empty((rows, columns + gap + right.shape[1], 3), dtype=np.uint8)
    out[...] = NOTHING
    out[:, :columns] = left
    out[:, columns + gap :] = right
    return out


def checkerboard(first: RGB, second: RGB, tile: int) -> RGB:
    """Tiles of both pictures in turn; the first has the tile in the corner."""
    rows, columns = np.indices(first.shape[:2], sparse=True)
    odd = (rows // tile + columns // tile) % 2 == 1
    return np.where(odd[..., None], second, first)


def swipe(left: RGB, right: RGB, share: float) -> RGB:
    """The left picture up to a share of the width, the right one from there on."""
    column = round(np.clip(share, 0, 1) * left.shape[1])
    out = right.copy()
    out[:, :column] = left[:, :column]
    return out


def blend(first: RGB, second: RGB, weight: float) -> RGB:
    """Mean of both pictures; `weight` is that of the second, 0 to 1."""
    mixed = (1 - weight) * first.astype(np.float32) + weight * second
    return np.rint(mixed).astype(np.uint8)


def calmed(classes: NDArray[np.integer]) -> NDArray[np.integer]:
    """Classes without lone pixels, which measuring noise leaves: they take their surroundings'.

    A pixel is alone if at most one of its eight neighbours is of its class.
    """
    padded = np.pad(classes, 1, mode="reflect")
    rows, columns = classes.shape
    alike = np.zeros(classes.shape, dtype=np.uint8)
    for i in range(3):
        for j in range(3):
            alike += padded[i : i + rows, j : j + columns] == classes
    alone = alike <= 2  # it is counted itself
    return np.where(alone, ndimage.median_filter(classes, 3), classes)


def class_edges(classes: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour is of another class."""
    edges = np.zeros(classes.shape, dtype=bool)
    edges[:-1] |= classes[:-1] != classes[1:]
    edges[:, :-1] |= classes[:, :-1] != classes[:, 1:]
    return edges


def grey_edges(image: Grey, share: float = 0.12, blur: float = 1.5) -> NDArray[np.bool_]:
    """Ridges of the gradient: the steepest pixels, one pixel thin across the gradient.

    Parameters
    ----------
    image : (rows, columns) float
        NaN where nothing is known; no edge is drawn along it.
    share : float
        Of the known pixels, those that are steep enough.
    blur : float
        Standard deviation in pixels, against noise.
    """
    known = np.isfinite(image)
    if not known.any():
        return known
    filled = np.where(known, image, np.nanmean(image)).astype(np.float32)
    down = ndimage.gaussian_filter(filled, blur, order=(1, 0))
    right = ndimage.gaussian_filter(filled, blur, order=(0, 1))
    steep = np.hypot(down, right)
    # the gradient of the rim is that of the filling
    inner = ndimage.binary_erosion(known, iterations=max(1, round(3 * blur)), border_value=1)
    if not inner.any():
        return inner
    floor = np.quantile(steep[inner], 1 - share)
    # a ridge is no lower than its neighbours on both sides along the steeper axis
    upright = np.abs(down) >= np.abs(right)
    padded = np.pad(steep, 1, mode="edge")
    along_rows = (steep >= padded[:-2, 1:-1]) & (steep > padded[2:, 1:-1])
    along_columns = (steep >= padded[1:-1, :-2]) & (steep > padded[1:-1, 2:])
    return inner & (steep > floor) & np.where(upright, along_rows, along_columns)


def draw_edges(under: RGB, edges: NDArray[np.bool_], colour: tuple[int, int, int]) -> RGB:
    """Picture with the edge pixels in one colour."""
    out = under.copy()
    out[edges] = colour
    return out


def residual_picture(image: Grey, expected: Grey, limit: float) -> RGB:
    """What the CT has more (warm) or less (cold) than expected; white where they agree.

    Parameters
    ----------
    image, expected : (rows, columns) float
        In grey values.
    limit : float
        Difference that takes the full colour.
    """
    difference = np.asarray(image, np.float32) - np.asarray(expected, np.float32)
    known = np.isfinite(difference)
    share = np.clip(np.where(known, difference, 0) / max(limit, 1e-9), -1, 1)[..., None]
    even = np.array(_EVEN, np.float32)
    ends = np.where(share < 0, np.array(_COLD, np.float32), np.array(_WARM, np.float32))
    out = np.rint(even + np.abs(share) * (ends - even)).astype(np.uint8)
    out[~known] = NOTHING
    return out


__all__ = [
    "EDGE_ON_CT",
    "EDGE_ON_MAP",
    "NOTHING",
    "blend",
    "calmed",
    "checkerboard",
    "class_edges",
    "class_picture",
    "draw_edges",
    "grey_edges",
    "grey_picture",
    "residual_picture",
    "side_by_side",
    "swipe",
]
