"""The task that predicts one block of a volume."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from napari_slagseg.data import (
    Block,
    BlockResult,
    SlagsegError,
    VolumeLike,
    VoxelSize,
    WritableVolume,
)
from napari_slagseg.networks.checkpoints import TrainedNetwork
from napari_slagseg.networks.prediction.blend import Blend
from napari_slagseg.networks.prediction.cost import passes_per_voxel, tile_count
from napari_slagseg.networks.prediction.devices import Piece, route_to
from napari_slagseg.networks.prediction.pipeline import flow
from napari_slagseg.networks.prediction.predictor import (
    TilePredictor,
    as_classes,
    fitting,
    ready_predictor,
    remember_smaller,
)
from napari_slagseg.networks.prediction.references import Given, NetworkReference, refer
from napari_slagseg.networks.prediction.settings import (
    PredictionSettings,
    chosen_settings,
    feature_bytes,
)
from napari_slagseg.networks.prediction.tiles import (
    Tile,
    overlapping_tiles,
    read_tile,
    tiles_of,
)
from napari_slagseg.networks.threads import chosen_threads

SMALLEST = 32
"""Edge of a tile below which memory is not the trouble."""

_VOXEL_SIZE_TOLERANCE = 0.05

EachTile = Callable[[int, int], None]
"""Told of a tile's number and how many there are; may raise to stop."""


def no_one(number: int, count: int) -> None:
    """Be told of nothing."""


@dataclass(frozen=True)
class PredictBlock:
    """Predict a block and write it; a `BlockTask`, made by `prediction_task`.

    Attributes
    ----------
    ct : VolumeLike
        Grey values.
    members : tuple of (kind, references)
        Networks of each kind; several of one kind are averaged.
    outputs : tuple of (kind, WritableVolume)
        uint8: classes of the phase network, 0 to 255 for the particle network's
        probabilities 0 to 1.
    settings : PredictionSettings
        Chosen: nothing is left open that could differ between workers.
    widths : tuple of int
        Of the largest network.
    channels : int
        Of the network with most.
    """

    ct: VolumeLike
    members: tuple[tuple[str, tuple[NetworkReference, ...]], ...]
    outputs: tuple[tuple[str, WritableVolume], ...]
    settings: PredictionSettings
    widths: tuple[int, ...]
    channels: int

    @property
    def block_multiple(self) -> int:
        """Edges of blocks must be multiples of this (or end with the volume)."""
        return 1 if self.settings.average else self.settings.edge

    @property
    def passes(self) -> float:
        """Voxels that networks see for each voxel of a large volume; see `passes_per_voxel`."""
        return passes_per_voxel(self.settings, sum(len(m) for _, m in self.members))

    def bytes_needed(self, block_edge: int) -> int:
        """Memory of a worker beside its program, in bytes: features, tiles on their way, sums.

        On the GPU for features and sums, if that is where it runs.
        """
        s = self.settings
        tile = (s.edge + 2 * s.margin) ** 3
        waiting = 5 * tile * max(2, np.dtype(self.ct.dtype).itemsize)
        sums = 4 * (self.channels + 1) * len(self.members) * block_edge**3 if s.average else 0
        weights = 4 * 14 * sum(a * b for a, b in zip(self.widths, self.widths[1:])) * 3
        features = feature_bytes(s.edge, s.margin, self.widths[0], s.precision)
        return features + waiting + sums + weights * sum(len(m) for _, m in self.members)

    def __call__(self, block: Block, given: Any = None, /) -> BlockResult:
        """Predict a block.

        Returns
        -------
        result : dict
            "tile": edge that was used; smaller than the settings' where memory was short.

        Raises
        ------
        SlagsegError
            If not even small tiles fit into the device's memory.
        """
        return {"tile": np.array(self.predict(block).edge)}

    def predict(self, block: Block, each_tile: EachTile = no_one) -> PredictionSettings:
        """Predict a block; gives the settings that were used in the end."""
        members = dict(self.members)
        settings = fitting(members, self.settings)
        with chosen_threads(settings.threads):
            while True:
                try:
                    self._predict(block, settings, each_tile)
                    return settings
                except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
                    if not is_memory_error(error):
                        raise
                    if settings.edge // 2 < SMALLEST:
                        raise SlagsegError(
                            f"The memory of {settings.device} does not even hold a tile of "
                            f"{settings.edge} voxels. Use a smaller network, or --device cpu."
                        ) from None
                    settings = replace(settings, tile=settings.edge // 2)
                remember_smaller(members, self.settings, settings.edge)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()

    def _predict(self, block: Block, settings: PredictionSettings, each_tile: EachTile) -> None:
        tiles = tile_count(self.ct.shape, settings)
        predictor = ready_predictor(dict(self.members), settings, tiles)
        work = _BlockWork(self.ct, dict(self.outputs), block, settings, predictor)
        (work.blended if settings.average else work.plain)(each_tile)


@dataclass
class _BlockWork:
    """One call of `PredictBlock`."""

    ct: VolumeLike
    outputs: dict[str, WritableVolume]
    block: Block
    settings: PredictionSettings
    predictor: TilePredictor
    shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        z, y, x = self.ct.shape
        self.shape = (z, y, x)
        self.route = route_to(self.predictor.device)

    def _read(self, tile: Tile) -> Piece:
        return self.route.send(read_tile(self.ct, tile))

    def plain(self, each_tile: EachTile) -> None:
        """Every tile once; its core is written as it comes."""
        s = self.settings
        tiles = tiles_of(self.block, s.edge, s.margin, self.shape)

        def compute(tile: Tile, piece: Piece) -> Callable[[], None]:
            # one at a time: the networks already use the whole device
            with self.predictor.lock:
                answers = self.predictor.classes(piece)
                fetched = {kind: self.route.fetch(a) for kind, a in answers.items()}
            inside = tuple(slice(0, n) for n in tile.shape)

            def write() -> None:
                for kind, answer in fetched.items():
                    self.outputs[kind][tile.box] = answer.array()[inside]

            return write

        for number, _ in enumerate(flow(tiles, self._read, compute)):
            each_tile(number + 1, len(tiles))

    def blended(self, each_tile: EachTile) -> None:
        """Weighted sums of overlapping tiles in the block; written at its end."""
        s, device = self.settings, self.predictor.device
        tiles = list(overlapping_tiles(self.block, s.edge, s.margin, self.shape))
        sums = {
            kind: Blend(self.block, channels, s.edge, device)
            for kind, channels in self.predictor.channels.items()
        }

        def compute(tile: Tile, piece: Piece) -> Callable[[], None]:
            with self.predictor.lock:
                for kind, p in self.predictor.probabilities(piece).items():
                    sums[kind].add(tile, p)
            return _nothing

        for number, _ in enumerate(flow(tiles, self._read, compute)):
            each_tile(number + 1, len(tiles))
        for kind, blend in sums.items():
            answer = self.route.fetch(as_classes(blend.mean()))
            self.outputs[kind][self.block.box] = answer.array()


def _nothing() -> None:
    """Write nothing."""


def is_memory_error(error: BaseException) -> bool:
    """Whether an error says that memory, the device's or the machine's, was too small."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    words = str(error).lower()
    return any(w in words for w in ("not enough memory", "can't allocate memory", "bad_alloc"))


def prediction_task(
    ct: VolumeLike,
    phase: Given | Iterable[Given] | None,
    particle: Given | Iterable[Given] | None,
    phases_out: WritableVolume | None,
    probability_out: WritableVolume | None,
    settings: PredictionSettings | None = None,
    *,
    voxel_size_um: VoxelSize | None = None,
    memory: int | None = None,
) -> PredictBlock:
    """Task that predicts blocks with one or both networks in one pass over the CT.

    Parameters
    ----------
    ct : VolumeLike
        (z, y, x) grey values.
    phase, particle : folder of a run, TrainedNetwork, several of them to average, or None
        At least one.
    phases_out, probability_out : WritableVolume or None
        uint8, of the CT's shape; each goes with its network.
    settings : PredictionSettings or None
    voxel_size_um : (z, y, x) or None
        Checked against what the networks were trained on.
    memory : int or None
        Bytes that a tile's features may take.

    Raises
    ------
    SlagsegError
        If no network is given, one is of the wrong kind, or voxel sizes differ by more
        than 5 %.
    """
    members: list[tuple[str, tuple[NetworkReference, ...]]] = []
    outputs: list[tuple[str, WritableVolume]] = []
    networks: list[TrainedNetwork] = []
    for kind, given, out in (
        ("phase", phase, phases_out),
        ("particle", particle, probability_out),
    ):
        references, loaded = refer(given, kind)  # type: ignore[arg-type]
        if not references:
            continue
        if out is None:
            raise SlagsegError(f"There is no volume for what the {kind} network says.")
        for trained in loaded:
            check_voxel_size(trained, voxel_size_um)
        members.append((kind, references))
        outputs.append((kind, out))
        networks.extend(loaded)
    if not networks:
        raise SlagsegError("Give at least one network to predict with.")
    widths = max((n.card.widths for n in networks), key=lambda w: w[0])
    chosen = chosen_settings(settings or PredictionSettings(), widths, memory)
    channels = max(n.card.channels for n in networks)
    return PredictBlock(ct, tuple(members), tuple(outputs), chosen, tuple(widths), channels)


def check_voxel_size(trained: TrainedNetwork, given: VoxelSize | None) -> None:
    """Refuse a CT whose voxels are not those of the training.

    Raises
    ------
    SlagsegError
        If they differ by more than 5 %.
    """
    if given is None:
        return
    ratio = np.array(given) / np.array(trained.card.voxel_size_um)
    if np.any(np.abs(np.log(ratio)) > np.log(1 + _VOXEL_SIZE_TOLERANCE)):
        raise SlagsegError(
            f"The {trained.card.kind} network {trained.source} was trained on voxels of "
            f"{trained.card.voxel_size_um} um, but this CT has {given} um (z, y, x). "
            "Resample the CT, or train on it."
        )


__all__ = ["EachTile", "PredictBlock", "check_voxel_size", "is_memory_error", "prediction_task"]
