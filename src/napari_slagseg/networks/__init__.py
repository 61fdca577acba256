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
    from napari_slagseg.networks.prediction.block_task import PredictBlock, prediction_task
    from napari_slagseg.networks.prediction.cost import estimate_seconds
    from napari_slagseg.networks.prediction.devices import assign_worker, device_of_worker
    from napari_slagseg.networks.prediction.planning import device_count, planned_prediction
    from napari_slagseg.networks.prediction.settings import PredictionSettings
    from napari_slagseg.networks.slice_correlation import TorchSliceCorrelator
    from napari_slagseg.networks.training import train_network
    from napari_slagseg.networks.unet import ResidualUNet

_HOMES = {
    "NetworkCard": "card",
    "PredictBlock": "prediction.block_task",
    "Prediction": "inference",
    "PredictionSettings": "prediction.settings",
    "ResidualUNet": "unet",
    "TorchSliceCorrelator": "slice_correlation",
    "TrainedNetwork": "checkpoints",
    "assign_worker": "prediction.devices",
    "device_count": "prediction.planning",
    "device_of_worker": "prediction.devices",
    "estimate_seconds": "prediction.cost",
    "load_network": "checkpoints",
    "planned_prediction": "prediction.planning",
    "predict_volume": "inference",
    "prediction_task": "prediction.block_task",
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
    "PredictBlock",
    "Prediction",
    "PredictionSettings",
    "ResidualUNet",
    "TorchSliceCorrelator",
    "TrainedNetwork",
    "TrainingSettings",
    "assign_worker",
    "device_count",
    "device_of_worker",
    "estimate_seconds",
    "load_network",
    "planned_prediction",
    "predict_volume",
    "prediction_task",
    "train_network",
]
