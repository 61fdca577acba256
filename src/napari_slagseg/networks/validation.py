"""How well a network does on held-out truth, during its training."""

from __future__ import annotations

import torch

from napari_slagseg.data.blocks import VolumeLike
from napari_slagseg.networks.batches import Batch
from napari_slagseg.networks.gradient_step import as_input
from napari_slagseg.networks.loss import at_known, focal_loss
from napari_slagseg.networks.patches import Patch, SparseLabels, cut_out, fixed_windows
from napari_slagseg.networks.precision import mixed
from napari_slagseg.networks.settings import Precision
from napari_slagseg.networks.unet import ResidualUNet

VALIDATION_WINDOWS = 12
"""Windows that the validation looks at after each epoch, at most."""


@torch.no_grad()
def validate(
    network: ResidualUNet,
    data: VolumeLike,
    labels: SparseLabels,
    patch: tuple[int, int, int],
    *,
    gamma: float,
    device: torch.device,
    precision: Precision,
) -> dict[str, float]:
    """Loss per unit of weight, Dice of the foreground and accuracy on fixed windows."""
    network.eval()
    loss = weight = right = both = either = count = 0.0
    for start in fixed_windows(labels, patch, VALIDATION_WINDOWS):
        which, local = labels.inside(start, patch)
        if not len(which):
            continue
        image = cut_out(data, start, patch)
        batch = Batch.of([Patch(image, local, labels.classes[which], labels.weights[which])])
        with mixed(precision, device):
            logits = network(as_input(batch.images, device))
        known = at_known(logits, batch.known)
        classes, weights = batch.classes[0].to(device), batch.weights[0].to(device)
        loss += float(focal_loss(known, classes, weights, gamma))
        weight += float(weights.sum())
        found = known.argmax(1) if known.shape[1] > 1 else (known[:, 0] > 0).long()
        right += float((found == classes).sum())
        both += float(((found > 0) & (classes > 0)).sum())
        either += float((found > 0).sum() + (classes > 0).sum())
        count += len(which)
    return {
        "validation_loss": loss / weight,
        "validation_dice": 2 * both / either if either else float("nan"),
        "validation_accuracy": right / count,
    }


__all__ = ["VALIDATION_WINDOWS", "validate"]
