"""A network on tiles by torch: the reference, and what runs on GPUs."""

from __future__ import annotations

import threading
import time
from typing import Any

import torch
from torch import Tensor

from napari_slagseg.networks.prediction.tile_network import TileNetwork

MANY_TILES = 48
"""From here on, the half minute that compiling takes may come back."""

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchEngine:
    """`TileNetwork` on a device, channels last.

    On a GPU with many tiles ahead, ``torch.compile`` is tried on the first tile and
    kept if it is faster. CUDA graphs are not: a tile of 300^3 voxels keeps every kernel
    busy for far longer than its launch takes.

    Parameters
    ----------
    network : TileNetwork
    device : torch.device
    precision : {"fp32", "bf16", "fp16"}
    tiles : int
        How many tiles are to be expected.
    """

    def __init__(
        self, network: TileNetwork, device: torch.device, precision: str, tiles: int = 0
    ) -> None:
        self.device = device
        self.notes: list[str] = []
        network = network.eval().to(device=device, dtype=_TYPES[precision])
        self._network: Any = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self._try_compiling = device.type == "cuda" and tiles >= MANY_TILES
        self._compiled: Any = None
        self._compiled_shape: tuple[int, ...] = ()
        self._lock = threading.Lock()

    @torch.inference_mode()
    def __call__(self, tile: Tensor) -> Tensor:
        """Answer of a (1, 1, z, y, x) uint8 tile, as `TileNetwork` gives it."""
        if self._try_compiling:
            with self._lock:
                if self._try_compiling:
                    self._try_compiling = False
                    self._compile(tile)
        if self._compiled is not None and tuple(tile.shape) == self._compiled_shape:
            return self._compiled(tile)  # type: ignore[no-any-return]
        return self._network(tile)  # type: ignore[no-any-return]

    def _compile(self, tile: Tensor) -> None:
        """Keep ``torch.compile``'s form for tiles of this shape if it is faster."""
        plain = self._seconds(self._network, tile)
        try:
            compiled = torch.compile(self._network, dynamic=False)
            seconds = self._seconds(compiled, tile)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the plain form works
            first = str(error).strip().splitlines()
            self.notes.append(
                f"torch.compile failed ({type(error).__name__}: {first[0] if first else ''}); "
                "the network runs without it."
            )
            return
        if seconds < 0.97 * plain:
            self._compiled, self._compiled_shape = compiled, tuple(tile.shape)
            self.notes.append(f"torch.compile: {plain / seconds:.2f} times as fast")

    def _seconds(self, network: Any, tile: Tensor) -> float:
        """Time of a tile after a first pass, which may compile and allocate."""
        network(tile)
        self._wait()
        start = time.perf_counter()
        for _ in range(2):
            network(tile)
        self._wait()
        return (time.perf_counter() - start) / 2

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


__all__ = ["MANY_TILES", "TorchEngine"]
