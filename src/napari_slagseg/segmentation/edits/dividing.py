"""What all ways to divide a particle share: distances, the flood, numbers of the pieces."""

from __future__ import annotations

from collections.abc import Sequence

import edt
import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Box
from napari_slagseg.data.cores import cores
from napari_slagseg.segmentation.edits.edited import Edited
from napari_slagseg.segmentation.flooding import flooded, unpack
from napari_slagseg.segmentation.label_kernels import count_into
from napari_slagseg.segmentation.places import Place


def depths(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance to the background in voxels; the array's border does not count as background."""
    # as bytes: of bool it takes three times as long
    depth: NDArray[np.float32] = edt.edt(
        inside.view(np.uint8), black_border=False, parallel=cores()
    )
    # a particle that fills its box has no distances
    depth[~np.isfinite(depth)] = 1
    return depth


def flood(
    inside: NDArray[np.bool_], depth: NDArray[np.float32], markers: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Watershed from the markers that floods the deep voxels first (see `flooding`).

    Each marker's voxels are connected, so each basin is; what no marker reaches is 0.
    """
    top = float(depth.max())
    high = depth * np.float32(255 / top if top > 0 else 0)
    high += np.float32(0.5)
    state = flooded(markers, high.astype(np.uint8), inside.view(np.uint8))
    basins, costs = np.empty(inside.shape, np.uint32), np.empty(inside.shape, np.uint32)
    unpack(state, Place.of(basins), Place.of(costs))
    return basins


def numbered(
    labels: NDArray[np.uint32],
    label: int,
    new_labels: Sequence[int],
    box: Box,
    pieces: NDArray[np.uint32],
    notes: Sequence[str] = (),
) -> Edited:
    """The box with pieces 1, 2, ... of a particle as particles of their own.

    The largest piece (of several, the first) keeps the particle's number; the others get
    the new ones in their order. So does what belongs to no piece keep its number.
    """
    counts = np.zeros(len(new_labels) + 1, dtype=np.int64)
    count_into(pieces.reshape(-1), 1, counts)
    kept = int(counts.argmax())
    table = np.empty(len(new_labels) + 2, dtype=np.uint32)
    table[0] = label
    table[1 + kept] = label
    table[[1 + i for i in range(len(new_labels) + 1) if i != kept]] = list(new_labels)
    changed = labels.copy()
    part = changed[box]
    np.copyto(part, table[pieces], where=pieces > 0)
    loose = int(np.count_nonzero(labels[box] == label)) - int(counts.sum())
    if loose:
        notes = (
            *notes,
            f"Particle {label} was not connected: {loose} voxels apart from the pieces keep "
            "its number.",
        )
    return Edited(changed, notes=tuple(notes))


__all__ = ["depths", "flood", "numbered"]
