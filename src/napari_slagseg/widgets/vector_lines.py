"""Lines put into a napari Vectors layer that is there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Vectors


def put_lines(
    layer: Vectors,
    lines: NDArray[np.float64],
    colours: Sequence[str],
    features: pd.DataFrame | None = None,
) -> None:
    """Exchange a layer's lines and colours; whether it is shown stays.

    A hidden layer does not look at its new lines, and takes the colours for as many
    lines as it had before: it is shown while they are exchanged.
    """
    shown = layer.visible
    if not shown and len(lines) != len(layer.data):
        layer.visible = True
    layer.data = lines
    if features is not None:
        layer.features = features
    layer.edge_color = list(colours)
    if layer.visible != shown:
        layer.visible = shown


__all__ = ["put_lines"]
