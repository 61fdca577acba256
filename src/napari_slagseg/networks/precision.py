"""With how many bits a training computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from napari_slagseg.data import SlagsegError
from napari_slagseg.networks.settings import Precision

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def chosen_precision(precision: Precision, device: torch.device) -> Precision:
    """What to train with; "auto" is bf16 or fp16 on a GPU, fp32 on a CPU.

    Raises
    ------
    SlagsegError
        For bf16 on a CPU: torch 2.13 gives gradients of small convolutions in part random values
        there (in 8 of 40 short trainings some were no numbers); what it predicts is right.
    """
    if precision == "bf16" and device.type == "cpu":
        raise SlagsegError(
            "Training with bf16 on a CPU is refused, as PyTorch's gradients are wrong there now "
            "and then. Leave --precision at auto, which takes fp32 on a CPU, or train on a GPU."
        )
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
