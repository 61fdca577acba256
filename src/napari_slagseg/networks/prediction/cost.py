"""What a prediction costs, known before it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_slagseg.networks.prediction.settings import PredictionSettings

if TYPE_CHECKING:
    from napari_slagseg.networks.prediction.block_task import PredictBlock


def repeats(settings: PredictionSettings, members: int = 1) -> int:
    """Times that each voxel is predicted: overlaps, mirror images, networks.

    Parameters
    ----------
    settings : PredictionSettings
        Chosen.
    members : int
        Networks in all, both kinds together.
    """
    return members * (8 if settings.average else 1) * (8 if settings.mirrored else 1)


def passes_per_voxel(settings: PredictionSettings, members: int = 1) -> float:
    """Voxels that networks see for each voxel of a large volume, halos included.

    1 would be one network on the whole volume in one piece. Blocks of overlapping tiles
    share none, which adds (1 + edge / (2 block edge))^3 to it.
    """
    halo = (1 + 2 * settings.margin / settings.edge) ** 3
    return repeats(settings, members) * halo


def tile_count(shape: Sequence[int], settings: PredictionSettings) -> int:
    """Tiles of a volume."""
    step = settings.edge // 2 if settings.average else settings.edge
    return math.prod(-(-n // step) for n in shape)


def estimate_seconds(
    task: PredictBlock, shape: Sequence[int] | None = None, *, workers: int = 1
) -> float:
    """Time that a prediction will take, from one tile that is predicted now.

    Parameters
    ----------
    task : PredictBlock
        Its volumes are not touched.
    shape : (z, y, x) or None
        Of the volume; None: the task's own.
    workers : int
        How many share the work, each as fast as this process is now.

    Returns
    -------
    seconds : float
    """
    from napari_slagseg.networks.prediction.devices import route_to
    from napari_slagseg.networks.prediction.predictor import ready_predictor

    whole = tuple(task.ct.shape if shape is None else shape)
    settings = task.settings
    edge = min(settings.edge, max(-(-n // 8) * 8 for n in whole))
    seen = (edge + 2 * settings.margin,) * 3
    predictor = ready_predictor(dict(task.members), settings, 0)
    route = route_to(predictor.device)
    grey = np.random.default_rng(0).integers(0, 256, seen).astype(np.uint8)

    def once() -> float:
        start = time.perf_counter()
        for answer in predictor.classes(route.send(grey)).values():
            route.fetch(answer).array()
        return time.perf_counter() - start

    once()
    seconds = once()
    step = settings.edge // 2 if settings.average else settings.edge
    # tiles at the far sides are smaller, and cost by what they see
    cost = math.prod(
        sum(
            (min(edge, -(-(n - a) // 8) * 8) + 2 * settings.margin) / seen[0]
            for a in range(0, n, step)
        )
        for n in whole
    )
    return seconds * cost / workers


__all__ = ["estimate_seconds", "passes_per_voxel", "repeats", "tile_count"]
