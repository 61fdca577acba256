"""Which device a worker computes on, and how tiles get there and back."""

from __future__ import annotations

import os
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slagseg.networks.checkpoints import pick_device
from napari_slagseg.networks.prediction.grey_values import (
    Limits,
    eight_bit,
    eight_bit_tensor,
    for_device,
)

RANK = "SLAGSEG_WORKER"
"""Environment variable with a worker process's number on its machine, from 0."""

_assigned: dict[str, int] = {}


def device_of_worker(rank: int, gpus: int | None = None) -> str:
    """Device of a worker: GPUs in turn, the CPU where there is none.

    Parameters
    ----------
    rank : int
        Number of the worker on its machine, from 0.
    gpus : int or None
        How many GPUs the machine has; None asks torch.
    """
    count = torch.cuda.device_count() if gpus is None else gpus
    return f"cuda:{rank % count}" if count else "cpu"


def assign_worker(rank: int) -> None:
    """Let "cuda" mean this worker's own GPU from now on, in this process."""
    _assigned["rank"] = rank


def worker_device(name: str) -> torch.device:
    """Device of settings, as this worker understands it: "cuda" is the GPU of its number.

    Raises
    ------
    SlagsegError
        If there is none by that name.
    """
    rank = _assigned.get("rank", os.environ.get(RANK))
    if name == "cuda" and rank is not None:
        name = device_of_worker(int(rank))
    return pick_device(name)


class Piece(Protocol):
    """Grey values of a tile on their way to the device."""

    def eight_bit(self, limits: Limits) -> Tensor:
        """(1, 1, z, y, x) uint8 on the device."""
        ...


class Answered(Protocol):
    """An answer on its way back."""

    def array(self) -> NDArray[np.uint8]:
        """The answer; waits for it."""
        ...


class Route(Protocol):
    """The way of tiles to a device and back."""

    def send(self, values: NDArray[Any]) -> Piece:
        """Start a tile on its way; called by the reading thread."""
        ...

    def fetch(self, answer: Tensor) -> Answered:
        """Start an answer on its way back."""
        ...


class _CpuPiece:
    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values

    def eight_bit(self, limits: Limits) -> Tensor:
        return torch.from_numpy(eight_bit(self._values, limits))[None, None]


class _CpuAnswered:
    def __init__(self, answer: Tensor) -> None:
        self._answer = answer

    def array(self) -> NDArray[np.uint8]:
        return self._answer.numpy()  # type: ignore[no-any-return]


class CpuRoute:
    """No way to go."""

    def send(self, values: NDArray[Any]) -> Piece:
        """The values as they are."""
        return _CpuPiece(values)

    def fetch(self, answer: Tensor) -> Answered:
        """The answer as it is."""
        return _CpuAnswered(answer)


class _CudaPiece:
    def __init__(self, cuda: Any, values: Tensor, event: Any, device: torch.device) -> None:
        self._cuda, self._values, self._event, self._device = cuda, values, event, device

    def eight_bit(self, limits: Limits) -> Tensor:
        stream = self._cuda.current_stream(self._device)
        stream.wait_event(self._event)
        # the memory was taken on another stream and must not be given away meanwhile
        self._values.record_stream(stream)
        return eight_bit_tensor(self._values, limits)[None, None]


class _CudaAnswered:
    def __init__(self, host: Tensor, event: Any) -> None:
        self._host, self._event = host, event

    def array(self) -> NDArray[np.uint8]:
        self._event.synchronize()
        return self._host.numpy()  # type: ignore[no-any-return]


class CudaRoute:
    """Copies on streams of their own, through pinned memory, while the GPU computes.

    Parameters
    ----------
    device : torch.device
    cuda : module
        ``torch.cuda``, or what a test puts in its place.
    pin : bool
        Pin the host's memory; copies do not overlap without.
    """

    def __init__(self, device: torch.device, cuda: Any = torch.cuda, pin: bool = True) -> None:
        self._device, self._cuda, self._pin = device, cuda, pin
        self._there, self._back = cuda.Stream(device), cuda.Stream(device)

    def send(self, values: NDArray[Any]) -> Piece:
        """Copy to the device, behind what it computes."""
        host = for_device(values)
        if self._pin:
            host = host.pin_memory()
        with self._cuda.stream(self._there):
            there = host.to(self._device, non_blocking=True)
            event = self._cuda.Event()
            event.record(self._there)
        return _CudaPiece(self._cuda, there, event, self._device)

    def fetch(self, answer: Tensor) -> Answered:
        """Copy to the host once the answer is there."""
        ready = self._cuda.Event()
        ready.record(self._cuda.current_stream(self._device))
        with self._cuda.stream(self._back):
            self._back.wait_event(ready)
            host = torch.empty(answer.shape, dtype=answer.dtype, pin_memory=self._pin)
            host.copy_(answer, non_blocking=True)
            answer.record_stream(self._back)
            done = self._cuda.Event()
            done.record(self._back)
        return _CudaAnswered(host, done)


def route_to(device: torch.device) -> Route:
    """The way to a device."""
    return CudaRoute(device) if device.type == "cuda" else CpuRoute()


__all__ = [
    "RANK",
    "Answered",
    "CpuRoute",
    "CudaRoute",
    "Piece",
    "Route",
    "assign_worker",
    "device_of_worker",
    "route_to",
    "worker_device",
]
