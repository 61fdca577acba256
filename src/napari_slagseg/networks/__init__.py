"""U-Nets, their training and their use: the one room with torch.

Names load on first use, as importing torch takes seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_slagseg.networks.settings import SIZES, NetworkKind, TrainingSettings

if TYPE_CHECKING:
    from napari_slagseg.networks.card import NetworkCard
    from napari_slagseg.networks.checkpoints import TrainedNetwork, load_network
    from napari_slagseg.networks.inference import Prediction, predict_volume
    from napari_slagseg.networks.slice_correlation import TorchSliceCorrelator
    from napari_slagseg.networks.training import train_network
    from napari_slagseg.networks.unet import ResidualUNet

_HOMES = {
    "NetworkCard": "card",
    "Prediction": "inference",
    "ResidualUNet": "unet",
    "TorchSliceCorrelator": "slice_correlation",
    "TrainedNetwork": "checkpoints",
    "load_network": "checkpoints",
    "predict_volume": "inference",
    "train_network": "training",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "SIZES",
    "NetworkCard",
    "NetworkKind",
    "Prediction",
    "ResidualUNet",
    "TorchSliceCorrelator",
    "TrainedNetwork",
    "TrainingSettings",
    "load_network",
    "predict_volume",
    "train_network",
]
