"""Which particle lies under the mouse, whatever resolution is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Labels


def label_in_sight(layer: Labels, event: Any) -> int:
    """Label that is drawn under the mouse, 0 for none; nothing is read for it.

    On a coarse level it may be that of a neighbour a few voxels away.
    """
    value = layer.get_value(
        event.position,
        view_direction=event.view_direction,
        dims_displayed=event.dims_displayed,
        world=True,
    )
    if isinstance(value, tuple):  # (level, value) of a layer with levels
        value = value[-1]
    return int(value or 0)


def label_at(layer: Labels, event: Any) -> int:
    """Label under the mouse at full resolution, 0 for none.

    In 3D it is the first one that the line of sight meets on the level that is shown.
    """
    if len(event.dims_displayed) == 3:
        return label_in_sight(layer, event)
    finest = layer.data[0] if layer.multiscale else layer.data
    place = np.rint(layer.world_to_data(event.position)[-3:]).astype(int)
    if np.any(place < 0) or np.any(place >= finest.shape):
        return 0
    return int(finest[tuple(place)])


__all__ = ["label_at", "label_in_sight"]
