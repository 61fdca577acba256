"""The networks on one tile: ensembles, mirror images, arg-max and 8-bit probabilities."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from napari_slagseg.networks.prediction.devices import Piece, worker_device
from napari_slagseg.networks.prediction.grey_values import Limits
from napari_slagseg.networks.prediction.references import NetworkReference
from napari_slagseg.networks.prediction.settings import PredictionSettings
from napari_slagseg.networks.prediction.tile_network import Answer, TileNetwork
from napari_slagseg.networks.prediction.torch_engine import TorchEngine

Engine = Callable[[Tensor], Tensor]
Members = Mapping[str, tuple[NetworkReference, ...]]
"""Networks by kind; several are averaged."""

KEPT = 2
"""Predictors kept by a process. One is used; the next piece of work may have another."""

MIRRORS = tuple(f for n in range(4) for f in itertools.combinations((2, 3, 4), n))
"""Axes to flip for each of the 8 mirror images."""


def as_classes(probabilities: Tensor) -> Tensor:
    """(z, y, x) uint8 of (channels, z, y, x): arg-max, or 0 to 255 where there is one channel."""
    if len(probabilities) == 1:
        return (probabilities[0] * 255).round().to(torch.uint8)
    return probabilities.argmax(0).to(torch.uint8)


class TilePredictor:
    """One or both networks, ready on a device.

    Parameters
    ----------
    members : mapping of kind to references
    settings : PredictionSettings
        Chosen.
    device : torch.device
    tiles : int
        How many tiles are to be expected.
    """

    def __init__(
        self, members: Members, settings: PredictionSettings, device: torch.device, tiles: int
    ) -> None:
        self.device, self.settings = device, settings
        self.lock = threading.Lock()
        self.channels: dict[str, int] = {}
        several = any(len(m) > 1 for m in members.values())
        self._averaged = several or settings.mirrored or settings.average
        answer: Answer = "probabilities" if self._averaged else "classes"
        self._engines: dict[str, list[tuple[Engine, Limits]]] = {}
        for kind, references in members.items():
            self._engines[kind] = []
            for reference in references:
                trained = reference.load()
                network = TileNetwork(trained.network, settings.margin, answer)
                self.channels[kind] = network.channels
                engine = _engine(network, settings, device, tiles)
                self._engines[kind].append((engine, trained.card.grey_limits))

    @property
    def notes(self) -> list[str]:
        """What came up on the way, in the user's words."""
        engines = (engine for each in self._engines.values() for engine, _ in each)
        return [note for e in engines if isinstance(e, TorchEngine) for note in e.notes]

    def classes(self, piece: Piece) -> dict[str, Tensor]:
        """(z, y, x) uint8 of the core, rounded up to a multiple of 8, by kind."""
        if self._averaged:
            return {kind: as_classes(p) for kind, p in self.probabilities(piece).items()}
        eight: dict[Limits, Tensor] = {}
        answers = {}
        for kind, [(engine, limits)] in self._engines.items():
            if limits not in eight:
                eight[limits] = piece.eight_bit(limits)
            answers[kind] = engine(eight[limits])[0]
        return answers

    @torch.inference_mode()
    def probabilities(self, piece: Piece) -> dict[str, Tensor]:
        """(channels, z, y, x) float32 of the core, mean of all members and mirror images."""
        flips = MIRRORS if self.settings.mirrored else MIRRORS[:1]
        answers = {}
        for kind, engines in self._engines.items():
            total: Tensor | None = None
            for engine, limits in engines:
                tile = piece.eight_bit(limits)
                for axes in flips:
                    p = engine(tile.flip(axes).contiguous() if axes else tile)
                    p = p.flip(axes) if axes else p
                    total = p if total is None else total + p
            if total is None:
                raise RuntimeError("no pass was made")
            answers[kind] = (total / (len(flips) * len(engines)))[0]
        return answers


def _engine(
    network: TileNetwork, settings: PredictionSettings, device: torch.device, tiles: int
) -> Engine:
    if settings.backend == "openvino":
        from napari_slagseg.networks.prediction.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(network, settings.precision, settings.threads)
    return TorchEngine(network, device, settings.precision, tiles)


_kept: OrderedDict[tuple[object, ...], TilePredictor] = OrderedDict()
_smaller: dict[tuple[object, ...], int] = {}
_keeping = threading.Lock()


def _key(members: Members, settings: PredictionSettings) -> tuple[object, ...]:
    marks = tuple((kind, tuple(r.fingerprint for r in m)) for kind, m in sorted(members.items()))
    return (marks, settings, str(worker_device(settings.device)))


def ready_predictor(members: Members, settings: PredictionSettings, tiles: int) -> TilePredictor:
    """Predictor of this process: loaded and compiled once for its networks and device."""
    key = _key(members, settings)
    with _keeping:
        if key not in _kept:
            _kept[key] = TilePredictor(members, settings, worker_device(settings.device), tiles)
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
        return _kept[key]


def remember_smaller(members: Members, settings: PredictionSettings, edge: int) -> None:
    """Let later blocks of this process begin with smaller tiles."""
    with _keeping:
        _smaller[_key(members, settings)] = edge
        _kept.clear()


def fitting(members: Members, settings: PredictionSettings) -> PredictionSettings:
    """Settings with the tiles that are known to fit this process's device."""
    with _keeping:
        edge = _smaller.get(_key(members, settings), settings.edge)
    return settings if edge == settings.edge else replace(settings, tile=edge)


__all__ = [
    "KEPT",
    "MIRRORS",
    "TilePredictor",
    "as_classes",
    "fitting",
    "ready_predictor",
    "remember_smaller",
]
