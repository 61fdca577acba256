"""Overlap-tile prediction (K 2.3.5; Ronneberger et al. 2015)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slagseg.data import (
    CancelToken,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    VoxelSize,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.networks.checkpoints import TrainedNetwork, pick_device
from napari_slagseg.networks.settings import STRIDE
from napari_slagseg.networks.threads import chosen_threads
from napari_slagseg.networks.unet import fold_batch_norms

HALO = 32
"""Context around a tile. What a network sees reaches 58 voxels, but so weakly beyond
this that labels hardly change; `tests/networks` bounds it on a trained network."""

CPU_BYTES = 3_000_000_000
"""Memory that the features of one tile may take on a CPU."""

_FEATURES_AT_ONCE = 6
_VOXEL_SIZE_TOLERANCE = 0.05


@dataclass(frozen=True)
class Prediction:
    """What the networks say about every voxel.

    Attributes
    ----------
    phases : (z, y, x) uint8 or None
        Class of the highest probability.
    particle_probability : (z, y, x) uint8 or None
        0 to 255 for probabilities 0 to 1.
    """

    phases: NDArray[np.uint8] | None
    particle_probability: NDArray[np.uint8] | None


def _check_voxel_size(trained: TrainedNetwork, voxel_size_um: VoxelSize | None) -> None:
    if voxel_size_um is None:
        return
    ratio = np.array(voxel_size_um) / np.array(trained.card.voxel_size_um)
    if np.any(np.abs(np.log(ratio)) > np.log(1 + _VOXEL_SIZE_TOLERANCE)):
        raise SlagsegError(
            f"The {trained.card.kind} network {trained.source} was trained on voxels of "
            f"{trained.card.voxel_size_um} um, but this CT has {voxel_size_um} um (z, y, x). "
            "Resample the CT, or train on it."
        )


def _automatic_tile(width: int, device: torch.device) -> int:
    """Largest edge whose features fit, halo included."""
    budget = float(CPU_BYTES)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        budget = 0.6 * free
    edge = (budget / (4.0 * width * _FEATURES_AT_ONCE)) ** (1 / 3)
    return max(STRIDE * 4, int(edge) // STRIDE * STRIDE - 2 * HALO)


def _tiles(shape: tuple[int, ...], tile: int) -> Iterator[tuple[int, int, int]]:
    return itertools.product(*(range(0, n, tile) for n in shape))  # type: ignore[return-value]


def _read(
    ct: VolumeLike,
    start: tuple[int, ...],
    stop: tuple[int, ...],
    limits: tuple[float, float],
) -> NDArray[np.uint8]:
    """Box in 8 bit; beyond the volume its voxels are mirrored at the edge."""
    box = tuple(slice(max(0, a), min(n, b)) for a, b, n in zip(start, stop, ct.shape))
    low, high = limits
    piece = (np.asarray(ct[box]).astype(np.float32) - np.float32(low)) * np.float32(
        255 / (high - low)
    )
    eight = np.rint(np.clip(piece, 0, 255)).astype(np.uint8)
    widths = [(max(0, -a), max(0, b - n)) for a, b, n in zip(start, stop, ct.shape)]
    if not any(w for pair in widths for w in pair):
        return eight
    return np.pad(eight, widths, mode="symmetric")


def predict_volume(
    ct: VolumeLike,
    *,
    phase: TrainedNetwork | None,
    particle: TrainedNetwork | None,
    voxel_size_um: VoxelSize | None = None,
    tile: int | None = None,
    halo: int | None = None,
    average: bool = False,
    mirrored: bool = False,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Prediction:
    """Predict with one or both networks in one pass over tiles.

    Tiles start at multiples of 8, so pooling falls on the same voxels as in a
    whole-volume run; only a tile's core is kept, and written once. The arg-max
    is taken per tile: no volume of probabilities is ever held but the particle
    network's, in 8 bit. Memory: 2 bytes a voxel, beside one tile's features.

    Parameters
    ----------
    ct : (z, y, x) array
        Grey values; may be memory-mapped.
    phase, particle : TrainedNetwork or None
        At least one.
    voxel_size_um : (z, y, x) or None
        Checked against what the networks were trained on.
    tile, halo : int or None
        Edge of a core and context around it, multiples of 8; None is chosen by
        memory, and `HALO`.
    average : bool
        Overlap tiles by half and weigh them with a Gaussian window (as nnU-Net);
        8 times the work and 4 (channels + 1) bytes a voxel.
    mirrored : bool
        Average over the 8 mirror images; 8 times the work.
    device, threads
        As in `TrainingSettings`.
    progress, cancel
        See `napari_slagseg.data.running`; both once a tile.

    Returns
    -------
    prediction : Prediction

    Raises
    ------
    SlagsegError
        If no network is given or the voxel sizes differ by more than 5 %.
    """
    networks = [n for n in (phase, particle) if n is not None]
    if not networks:
        raise SlagsegError("Give at least one network to predict with.")
    for expected, trained in (("phase", phase), ("particle", particle)):
        if trained is not None:
            if trained.card.kind != expected:
                raise SlagsegError(
                    f"{trained.source} is a {trained.card.kind} network, but was given as the "
                    f"{expected} network. Were the two exchanged?"
                )
            _check_voxel_size(trained, voxel_size_um)
    where = pick_device(device)
    margin = HALO if halo is None else halo
    edge = tile or _automatic_tile(max(n.card.widths[0] for n in networks), where)
    if edge % STRIDE or margin % STRIDE or edge < STRIDE or margin < 0:
        raise SlagsegError(f"Tile {edge} and halo {margin} must be multiples of {STRIDE}.")
    with chosen_threads(threads):
        while True:
            job = _Prediction(ct, phase, particle, where, edge, margin, mirrored)
            try:
                return job.averaged(progress, cancel) if average else job.plain(progress, cancel)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                if edge <= 4 * STRIDE:
                    raise SlagsegError(
                        "The GPU's memory does not even hold a tile of "
                        f"{edge} voxels. Use --device cpu."
                    ) from None
                edge = max(4 * STRIDE, edge // 2 // STRIDE * STRIDE)


class _Prediction:
    def __init__(
        self,
        ct: VolumeLike,
        phase: TrainedNetwork | None,
        particle: TrainedNetwork | None,
        device: torch.device,
        edge: int,
        halo: int,
        mirrored: bool,
    ) -> None:
        self.ct, self.device, self.edge, self.halo = ct, device, edge, halo
        self.mirrored = mirrored
        self.parts: dict[str, tuple[Any, tuple[float, float]]] = {}
        for name, trained in (("phase", phase), ("particle", particle)):
            if trained is not None:
                network = fold_batch_norms(trained.network).to(device)
                if device.type == "cuda":
                    network = network.to(torch.bfloat16)
                network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
                self.parts[name] = (network, trained.card.grey_limits)
        shape = ct.shape
        self.phases = np.zeros(shape, np.uint8) if phase is not None else None
        self.probability = np.zeros(shape, np.uint8) if particle is not None else None

    def _box(self, start: tuple[int, ...], edge: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tile with its halo; the far end is rounded up to a multiple of 8."""
        first = tuple(s - self.halo for s in start)
        last = tuple(
            s + -(-min(edge, n - s) // STRIDE) * STRIDE + self.halo
            for s, n in zip(start, self.ct.shape)
        )
        return first, last

    @torch.inference_mode()
    def _probabilities(self, name: str, first: tuple[int, ...], last: tuple[int, ...]) -> Tensor:
        """(channels, z, y, x) probabilities of a box."""
        network, limits = self.parts[name]
        image = torch.from_numpy(_read(self.ct, first, last, limits)).to(self.device)
        x = (image.float() / 255.0)[None, None]
        if self.device.type == "cuda":
            x = x.to(torch.bfloat16)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        flips: list[tuple[int, ...]] = [()]
        if self.mirrored:
            flips = [f for n in range(4) for f in itertools.combinations((2, 3, 4), n)]
        total: Tensor | None = None
        for axes in flips:
            logits = network(x.flip(axes) if axes else x).float()
            p = torch.softmax(logits, 1) if logits.shape[1] > 1 else torch.sigmoid(logits)
            p = p.flip(axes) if axes else p
            total = p if total is None else total + p
        if total is None:
            raise RuntimeError("no pass was made")
        return (total / len(flips))[0]

    def _store(self, name: str, box: tuple[slice, ...], p: Tensor) -> None:
        if name == "phase" and self.phases is not None:
            self.phases[box] = p.argmax(0).to(torch.uint8).cpu().numpy()
        elif name == "particle" and self.probability is not None:
            self.probability[box] = (p[0] * 255).round().to(torch.uint8).cpu().numpy()

    def plain(self, progress: Progress, cancel: CancelToken | None) -> Prediction:
        starts = list(_tiles(self.ct.shape, self.edge))
        for i, start in enumerate(starts):
            first, last = self._box(start, self.edge)
            box = tuple(slice(s, min(s + self.edge, n)) for s, n in zip(start, self.ct.shape))
            core = tuple(slice(self.halo, self.halo + b.stop - b.start) for b in box)
            for j, name in enumerate(self.parts):
                stop_if_cancelled(cancel)
                done = (i + j / len(self.parts)) / len(starts)
                progress(ProgressEvent(f"predicting ({name} network)", done))
                p = self._probabilities(name, first, last)
                self._store(name, box, p[(slice(None), *core)])
        progress(ProgressEvent("predicting", 1.0))
        return Prediction(self.phases, self.probability)

    def averaged(self, progress: Progress, cancel: CancelToken | None) -> Prediction:
        step = max(STRIDE, self.edge // 2 // STRIDE * STRIDE)
        axis = (np.arange(self.edge) - (self.edge - 1) / 2) / (self.edge / 8)
        line = np.exp(-0.5 * axis**2).astype(np.float32)
        window = line[:, None, None] * line[None, :, None] * line[None, None, :]
        window = np.maximum(window, window.max() * 1e-4)
        starts = list(_tiles(self.ct.shape, step))
        for j, (name, (network, _)) in enumerate(self.parts.items()):
            total = np.zeros((network.channels, *self.ct.shape), dtype=np.float32)
            weight = np.zeros(self.ct.shape, dtype=np.float32)
            for i, start in enumerate(starts):
                stop_if_cancelled(cancel)
                done = (j + i / len(starts)) / len(self.parts)
                progress(ProgressEvent(f"predicting ({name} network)", done))
                first, last = self._box(start, self.edge)
                box = tuple(slice(s, min(s + self.edge, n)) for s, n in zip(start, self.ct.shape))
                size = tuple(b.stop - b.start for b in box)
                core = tuple(slice(self.halo, self.halo + n) for n in size)
                inside = window[tuple(slice(0, n) for n in size)]
                p = self._probabilities(name, first, last)[(slice(None), *core)]
                total[(slice(None), *box)] += p.cpu().numpy() * inside
                weight[box] += inside
            total /= weight
            everything = tuple(slice(0, n) for n in self.ct.shape)
            self._store(name, everything, torch.from_numpy(total))
        progress(ProgressEvent("predicting", 1.0))
        return Prediction(self.phases, self.probability)


__all__ = ["HALO", "Prediction", "predict_volume"]
