"""Colours of numbered landmarks: the same in the map, in the CT and in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Points

_COLOURS = (
    "#cc79a7", "#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#8c564b", "#7f3c8d",
)  # fmt: skip


def landmark_colours(n: int) -> list[str]:
    """Colours of the first n landmarks; they repeat from the ninth on."""
    return [_COLOURS[i % len(_COLOURS)] for i in range(n)]


def dress_points(
    layer: Points, places: NDArray[np.float64], n: int, worst: int | None, size: float
) -> None:
    """Put numbered landmarks into a layer that is there already.

    Taking a layer away and adding another holds the window up for most of a second.

    Parameters
    ----------
    layer : Points
    places : (m, axes) float64
        Of n landmarks, or of each several times in turn.
    n : int
    worst : int or None
        Landmark with a red rim.
    size : float
    """
    wanted = (places.tobytes(), worst, size)
    if layer.metadata.get("landmarks") == wanted and layer.visible == bool(len(places)):
        return
    layer.metadata["landmarks"] = wanted
    layer.visible = bool(len(places))
    if not len(places):
        return
    m = len(places)
    layer.data = places
    layer.features = pd.DataFrame({"number": [str(i % n + 1) for i in range(m)]})
    layer.face_color = landmark_colours(n) * (m // n)
    layer.border_color = ["#ff0000" if i % n == worst else "#ffffff" for i in range(m)]
    layer.size = size


POINT_STYLE = {
    "text": {"string": "{number}", "size": 10, "color": "white"},
    "features": {"number": []},
    "border_width": 0.1,
    # with depth the discs would hide their numbers
    "blending": "translucent_no_depth",
}


__all__ = ["POINT_STYLE", "dress_points", "landmark_colours"]
