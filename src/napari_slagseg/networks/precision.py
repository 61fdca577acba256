"""With how many bits a training computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from napari_slagseg.networks.settings import Precision

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def chosen_precision(precision: Precision, device: torch.device) -> Precision:
    """What "auto" means on a device: bf16 or fp16 on a GPU, fp32 on a CPU."""
    if precision != "auto":
        return precision
    if device.type != "cuda":
        return "fp32"
    # GPUs before compute capability 8 only emulate bfloat16, slowly
    return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"


def mixed(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Context in which convolutions compute with that precision."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_TYPES[precision])


def gradient_scaler(precision: Precision, device: torch.device) -> torch.amp.GradScaler:
    """Scaler that keeps small gradients above float16's smallest number; idle otherwise."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")


__all__ = ["chosen_precision", "gradient_scaler", "mixed"]
