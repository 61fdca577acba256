"""What of a training is stored so that it can go on, as tensors (no code is ever stored)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from napari_slagseg.networks.checkpoints import fill
from napari_slagseg.networks.settings import TrainingSettings
from napari_slagseg.networks.unet import ResidualUNet

_MAY_CHANGE = ("device", "precision", "threads", "loaders", "cache_gb")
"""Settings that a training may go on with another value of."""


def other_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of what is not as it was when a training was stopped, in plain words.

    Parameters
    ----------
    before, now : mapping
        Settings and what else decides over the result. What `before` does not tell, because an
        earlier version stored it, was at its default.
    """
    defaults = json.loads(json.dumps(asdict(TrainingSettings(kind=now["kind"]))))
    free = set(_MAY_CHANGE)
    if not now["decay"]:  # else the learning rate follows the number of epochs
        free.add("epochs")
    return [
        name.replace("_", " ")
        for name in now
        if name not in free and before.get(name, defaults.get(name)) != now[name]
    ]


def training_tensors(network: ResidualUNet, optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """Weights, statistics and Adam's moments, named for `restore_training`."""
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    names = [n for n, _ in network.named_parameters()]
    for i, values in optimiser.state_dict()["state"].items():
        for key, value in values.items():
            tensors[f"adam.{names[i]}.{key}"] = torch.as_tensor(value)
    return tensors


def restore_training(
    network: ResidualUNet,
    optimiser: torch.optim.Adam,
    tensors: Mapping[str, Tensor],
    source: str,
) -> None:
    """Put back what `training_tensors` gave.

    Raises
    ------
    SlagsegError
        If the tensors are of another network; `source` is named.
    """
    of_model = {k[6:]: v for k, v in tensors.items() if k.startswith("model.")}
    fill(network, of_model, source)
    state: dict[int, dict[str, Tensor]] = {}
    for i, (name, _) in enumerate(network.named_parameters()):
        values = {
            key: tensors[f"adam.{name}.{key}"]
            for key in ("step", "exp_avg", "exp_avg_sq")
            if f"adam.{name}.{key}" in tensors
        }
        if values:
            state[i] = values
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


__all__ = ["other_settings", "restore_training", "training_tensors"]
