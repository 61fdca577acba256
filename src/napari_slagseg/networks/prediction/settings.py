"""How a volume is predicted: what may be asked for, and what is chosen where nothing is."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch

from napari_slagseg.data import SlagsegError
from napari_slagseg.networks.checkpoints import pick_device
from napari_slagseg.networks.precision import chosen_precision
from napari_slagseg.networks.settings import STRIDE, Precision

Backend = Literal["auto", "torch", "openvino"]

HALO = 32
"""Context around a tile. What a network sees reaches 58 voxels, but so weakly beyond
this that 9 voxels in a million changed their phase against 56 on the demo's trained
networks (16: 433; 24: 86; 40: 1; 48: none), none its probability by more than 1 of 255
(``python -m benchmarks.inference --halo``)."""

TILES = {"cpu": (128, 64, 32), "cuda": (256, 128, 64, 32)}
"""Edges of cores by device, the best first; all divide the edges of blocks (256).
Larger tiles have less halo for each voxel, but on a CPU their features leave the caches."""

GPU_SHARE = 0.6
"""Share of a GPU's memory that a tile's features may take."""

_VALUES = {
    "backend": ("auto", "torch", "openvino"),
    "precision": ("auto", "fp32", "bf16", "fp16"),
}


@dataclass(frozen=True)
class PredictionSettings:
    """How to predict; None and "auto" are chosen by `chosen_settings`.

    Attributes
    ----------
    tile, halo : int or None
        Edge of a tile's core and context around it, in voxels; multiples of 8.
    backend : {"auto", "torch", "openvino"}
        What computes. On a CPU OpenVINO where it is installed.
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the network's features. bf16 where the device computes in it, else fp32 on a
        CPU and fp16 on a GPU.
    device : str
        "auto", "cpu", "cuda", or a torch device.
    threads : int or None
        CPU threads; None takes all. Has no influence on results.
    average : bool
        Overlap tiles by half and weigh them with a Gaussian window, as nnU-Net does.
    mirrored : bool
        Average over the 8 mirror images.

    Raises
    ------
    SlagsegError
        If a value is not to be had.
    """

    tile: int | None = None
    halo: int | None = None
    backend: Backend = "auto"
    precision: Precision = "auto"
    device: str = "auto"
    threads: int | None = None
    average: bool = False
    mirrored: bool = False

    def __post_init__(self) -> None:
        for name, values in _VALUES.items():
            if getattr(self, name) not in values:
                raise SlagsegError(
                    f"There is no {name} '{getattr(self, name)}'. Choose: {', '.join(values)}."
                )
        for name, value, least in (("Tile", self.tile, STRIDE), ("Halo", self.halo, 0)):
            if value is not None and (value % STRIDE or value < least):
                raise SlagsegError(f"{name} {value} is not possible: use multiples of {STRIDE}.")
        if self.average and self.tile is not None and self.tile % (2 * STRIDE):
            raise SlagsegError(
                f"Tile {self.tile} cannot be overlapped by half: use a multiple of {2 * STRIDE}."
            )

    @property
    def edge(self) -> int:
        """Edge of a tile's core."""
        if self.tile is None:
            raise RuntimeError("the tile has not been chosen yet")
        return self.tile

    @property
    def margin(self) -> int:
        """Context around a tile."""
        if self.halo is None:
            raise RuntimeError("the halo has not been chosen yet")
        return self.halo

    def to_json(self) -> dict[str, Any]:
        """What of it changes numbers, for records of results."""
        return {k: v for k, v in asdict(self).items() if k != "threads"}


def has_openvino() -> bool:
    """Whether OpenVINO is installed (extra ``fast``)."""
    return importlib.util.find_spec("openvino") is not None


def feature_bytes(edge: int, halo: int, width: int, precision: str) -> int:
    """Memory that a tile's features take at most, in bytes.

    Three tensors of the finest level's width are held at once on the way down.
    """
    return int(3.2 * (4 if precision == "fp32" else 2) * width * (edge + 2 * halo) ** 3)


def chosen_settings(
    asked: PredictionSettings, widths: Sequence[int], memory: int | None = None
) -> PredictionSettings:
    """Settings with nothing left open, to be the same on all workers.

    Parameters
    ----------
    asked : PredictionSettings
    widths : sequence of int
        Of the larger network.
    memory : int or None
        Bytes that a tile's features may take; None: a share of the GPU's memory, no
        bound on a CPU.

    Raises
    ------
    SlagsegError
        If a backend is not installed or not for the device.
    """
    device = pick_device(asked.device)
    kind = "cpu" if device.type == "cpu" else "cuda"
    backend = asked.backend
    if backend == "auto":
        backend = "openvino" if kind == "cpu" and has_openvino() else "torch"
    if backend == "openvino":
        if not has_openvino():
            raise SlagsegError(
                "OpenVINO is not installed. Install it with pip install 'napari-slagseg[fast]', "
                "or use --engine torch."
            )
        if kind != "cpu":
            raise SlagsegError(
                f"OpenVINO computes on the CPU here, but the device is {device}. "
                "Use --engine torch, or --device cpu."
            )
    precision = asked.precision
    if precision == "auto":
        precision = _best_precision(backend, device)
    if precision == "fp16" and kind == "cpu":
        raise SlagsegError("fp16 is for GPUs. Use --precision fp32 or bf16 on a CPU.")
    halo = HALO if asked.halo is None else asked.halo
    tile = asked.tile
    if tile is None:
        if memory is None and kind == "cuda":
            memory = int(GPU_SHARE * torch.cuda.get_device_properties(device).total_memory)
        edges = TILES[kind]
        fits = [
            e
            for e in edges
            if memory is None or feature_bytes(e, halo, widths[0], precision) <= memory
        ]
        tile = (fits or edges[-1:])[0]
    name = "cpu" if kind == "cpu" else asked.device
    return replace(
        asked,
        tile=tile,
        halo=halo,
        backend=backend,
        precision=precision,
        device="cuda" if name == "auto" else name,
    )


def _best_precision(backend: str, device: torch.device) -> Precision:
    if backend == "openvino":
        from napari_slagseg.networks.prediction.openvino_engine import cpu_abilities

        # without the instructions, bf16 is imitated: no faster, and less exact
        return "bf16" if "BF16" in cpu_abilities() else "fp32"
    return chosen_precision("auto", device)


def in_words(settings: PredictionSettings, passes: float) -> Mapping[str, Any]:
    """What was chosen, for progress and records."""
    return {
        "backend": settings.backend,
        "precision": settings.precision,
        "device": settings.device,
        "tile": settings.tile,
        "halo": settings.halo,
        "passes_per_voxel": round(passes, 2),
    }


__all__ = [
    "HALO",
    "TILES",
    "Backend",
    "PredictionSettings",
    "chosen_settings",
    "feature_bytes",
    "has_openvino",
    "in_words",
]
