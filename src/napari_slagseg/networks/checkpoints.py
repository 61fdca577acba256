"""Weights and training states on disk: safetensors with a card, never a pickle."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import atomic_file, write_json
from napari_slagseg.networks.card import NetworkCard
from napari_slagseg.networks.settings import WEIGHTS
from napari_slagseg.networks.unet import ResidualUNet, build_unet

CARD = "card.json"
STATE = "state.safetensors"

_LARGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class TrainedNetwork:
    """A network and its card.

    Attributes
    ----------
    network : ResidualUNet
        In evaluation mode, on the CPU.
    card : NetworkCard
    source : str
        Where it was read from.
    """

    network: ResidualUNet
    card: NetworkCard
    source: str


def save_tensors(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
    """Write tensors with JSON notes as one safetensors file, atomically."""
    # loading gives the tensors back bit for bit; the file appears whole or not at all
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with atomic_file(path) as temporary:
        try:
            save_file(plain, str(temporary), metadata={"slagseg": json.dumps(notes)})
        except SafetensorError as error:
            code = re.search(r"os error (\d+)", str(error))
            if code is None:
                raise
            # a full disk, mostly: said as every other failed write is
            raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and notes of a safetensors file.

    Raises
    ------
    SlagsegError
        If the file is missing, damaged, or no safetensors file (a pickle, say).
    """
    if not path.is_file():
        raise SlagsegError(f"{path} does not exist. Check the name of the checkpoint.")
    with path.open("rb") as file:
        start = file.read(8)
    size = path.stat().st_size
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 0 < length <= min(size - 8, _LARGEST_HEADER):
        is_pickle = start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
        what = (
            "a pickle or a torch archive, which can carry code and is never opened"
            if is_pickle
            else "damaged or cut short"
        )
        raise SlagsegError(
            f"{path} is not a safetensors checkpoint: it is {what}. "
            f"Use the file {WEIGHTS} of a training run."
        )
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        notes = json.loads(metadata.get("slagseg", "{}"))
        if not isinstance(notes, dict):
            raise ValueError("its notes are no JSON object")
    except (SafetensorError, ValueError, OSError) as error:
        raise SlagsegError(
            f"{path} is not a whole safetensors checkpoint ({error}). Train again, or use a backup."
        ) from error
    return tensors, notes


def save_weights(folder: Path, network: ResidualUNet, card: NetworkCard) -> None:
    """Write ``weights.safetensors`` (the card inside) and ``card.json`` to read."""
    save_tensors(folder / WEIGHTS, network.state_dict(), {"card": card.to_json()})
    write_json(folder / CARD, card.to_json())


def fill(network: ResidualUNet, tensors: Mapping[str, Tensor], source: str) -> None:
    """Load weights into a network of their shape, or say what does not fit."""
    own = network.state_dict()
    missing = sorted(set(own) - set(tensors))
    odd = sorted(n for n in own if n in tensors and own[n].shape != tensors[n].shape)
    if missing or odd or set(tensors) - set(own):
        name = (missing or odd or sorted(set(tensors) - set(own)))[0]
        found = tuple(tensors[name].shape) if name in tensors else "nothing"
        wanted = tuple(own[name].shape) if name in own else "nothing"
        raise SlagsegError(
            f"{source} does not fit the network of widths {network.widths} with "
            f"{network.channels} outputs: '{name}' is {found}, expected {wanted}. "
            "It was trained with another size or other phases."
        )
    if next(network.parameters()).is_meta:
        network.to_empty(device="cpu")
    network.load_state_dict(dict(tensors))


def load_network(path: str | Path) -> TrainedNetwork:
    """Load a trained network.

    Parameters
    ----------
    path : path
        A run's folder, or its ``weights.safetensors``.

    Raises
    ------
    SlagsegError
        If it is missing, no safetensors file, or does not fit its card.
    """
    path = Path(path)
    file = path / WEIGHTS if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        raise SlagsegError(f"{path} holds no {WEIGHTS}: no network was trained there.")
    tensors, notes = read_tensors(file)
    if "card" not in notes:
        raise SlagsegError(
            f"{file} has no card, so it is unknown what its network is. "
            "Use weights that this program trained."
        )
    card = NetworkCard.from_json(notes["card"], str(file))
    # without memory until the shapes are known to fit: a card may say anything
    with torch.device("meta"):
        network = build_unet(card.channels, card.widths)
    fill(network, tensors, str(file))
    return TrainedNetwork(network.eval(), card, str(file))


def pick_device(name: str) -> torch.device:
    """Device by name; "auto" is the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SlagsegError(f"'{name}' is no device. Use auto, cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SlagsegError("No CUDA GPU is to be had here. Use --device cpu or auto.")
    return device


__all__ = [
    "CARD",
    "STATE",
    "TrainedNetwork",
    "fill",
    "load_network",
    "pick_device",
    "read_tensors",
    "save_tensors",
    "save_weights",
]
