"""What a prediction will be done with, before anything of the volume is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from napari_slagseg.networks.checkpoints import pick_device
from napari_slagseg.networks.prediction.references import Given, refer
from napari_slagseg.networks.prediction.settings import (
    PredictionSettings,
    chosen_settings,
    feature_bytes,
)
from napari_slagseg.networks.settings import NetworkKind

_KINDS: tuple[NetworkKind, ...] = ("phase", "particle")


def planned_prediction(
    networks: Mapping[str, Given | Iterable[Given]],
    asked: PredictionSettings,
    memory: int | None = None,
) -> tuple[PredictionSettings, int]:
    """Settings with nothing left open, and the memory that a worker needs.

    Parameters
    ----------
    networks : mapping of "phase" and "particle" to a network or several
    asked : PredictionSettings
    memory : int or None
        Bytes that a tile's features may take.

    Returns
    -------
    settings : PredictionSettings
    bytes : int
        Of the worker's own memory: on a GPU, tiles on their way to it and back.

    Raises
    ------
    SlagsegError
        If a network is of the wrong kind or a backend is not to be had.
    """
    loaded = [n for kind in _KINDS if kind in networks for n in refer(networks[kind], kind)[1]]
    widths = max((n.card.widths for n in loaded), key=lambda w: w[0])
    settings = chosen_settings(asked, widths, memory)
    seen = (settings.edge + 2 * settings.margin) ** 3
    needed = 40 * seen
    if pick_device(settings.device).type == "cpu":
        needed += feature_bytes(settings.edge, settings.margin, widths[0], settings.precision)
    if settings.average:
        channels = sum(n.card.channels + 1 for n in loaded)
        needed += 4 * channels * (256 + settings.edge) ** 3
    return settings, needed


def device_count(device: str) -> int:
    """How many predictors a machine has room for: one a GPU; one on a CPU, with all threads.

    Parameters
    ----------
    device : str
        As in `PredictionSettings`; a single GPU by name ("cuda:1") counts as one.
    """
    found = pick_device(device)
    if found.type != "cuda" or ":" in device:
        return 1
    return max(1, torch.cuda.device_count())


__all__ = ["device_count", "planned_prediction"]
