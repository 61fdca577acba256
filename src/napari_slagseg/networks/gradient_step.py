"""One step of a training: forward, backward, Adam; in parts where memory is short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_slagseg.data import SlagsegError
from napari_slagseg.networks.batches import Batch
from napari_slagseg.networks.loss import at_known, focal_loss, soft_loss
from napari_slagseg.networks.precision import mixed
from napari_slagseg.networks.settings import Precision
from napari_slagseg.networks.teaching import Teacher
from napari_slagseg.networks.unet import ResidualUNet


@dataclass(frozen=True)
class StepLoss:
    """What a step says.

    Attributes
    ----------
    loss, weight : float
        Focal loss, summed over the known voxels, and the sum of their weights.
    from_teacher : float or None
        Distance from the teacher, per voxel.
    """

    loss: float
    weight: float
    from_teacher: float | None = None


def as_input(images: Tensor, device: torch.device) -> Tensor:
    """8-bit images (n, 1, z, y, x) as the networks take them."""
    x = images.to(device, non_blocking=True).float() / 255.0
    return x.to(memory_format=torch.channels_last_3d)


class GradientStep:
    """Steps of one training.

    A GPU that runs out of memory in a step makes the parts smaller and the step is done again
    from where it began, with the same patches: the step is that of a training with `parts` from
    the start, bit for bit on the same device.

    Parameters
    ----------
    network, optimiser, scaler
    device : torch.device
    precision : {"fp32", "bf16", "fp16"}
    gamma : float
        Of the focal loss.
    scale : float
        Constant factor of the loss, where there is no teacher.
    teacher : Teacher or None
    temperature, teacher_share : float
    parts : int
        In which a batch is computed.
    on_smaller : callable(int)
        Told the new number of parts.
    """

    def __init__(
        self,
        network: ResidualUNet,
        optimiser: torch.optim.Adam,
        scaler: torch.amp.GradScaler,
        *,
        device: torch.device,
        precision: Precision,
        gamma: float,
        scale: float,
        teacher: Teacher | None = None,
        temperature: float = 1.0,
        teacher_share: float = 0.0,
        parts: int = 1,
        on_smaller: Callable[[int], None] = lambda parts: None,
    ) -> None:
        self.network, self.optimiser, self.scaler = network, optimiser, scaler
        self.device, self.precision = device, precision
        self.gamma, self.scale = gamma, scale
        self.teacher, self.temperature, self.share = teacher, temperature, teacher_share
        self.parts = parts
        self._on_smaller = on_smaller

    def take(self, batch: Batch) -> StepLoss:
        """Change the weights by the gradient of a batch.

        Raises
        ------
        SlagsegError
            If the GPU's memory does not hold a single patch.
        """
        self.network.train()
        while True:
            statistics = [buffer.clone() for buffer in self.network.buffers()]
            try:
                found = self._gradients(batch)
                break
            except torch.cuda.OutOfMemoryError:
                if self.parts >= len(batch):
                    size = tuple(batch.images.shape[2:])
                    raise SlagsegError(
                        f"The GPU's memory does not hold a single patch of {size} voxels. Use "
                        "smaller patches, a smaller size of the network, or --device cpu."
                    ) from None
            # outside of the handler: its traceback keeps the tensors that took the memory
            self.optimiser.zero_grad(set_to_none=True)
            for buffer, before in zip(self.network.buffers(), statistics):
                buffer.copy_(before)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.parts = min(2 * self.parts, len(batch))
            self._on_smaller(self.parts)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return found

    def _gradients(self, batch: Batch) -> StepLoss:
        self.optimiser.zero_grad(set_to_none=True)
        weight, voxels = batch.weight, batch.images.numel()
        losses, distances = [], []
        for part in batch.parts(self.parts):
            x = as_input(part.images, self.device)
            with mixed(self.precision, self.device):
                logits = self.network(x)
            loss = known_loss(logits, part, self.gamma)
            losses.append(loss.detach())
            if self.teacher is None:
                whole = loss * self.scale
            else:
                with torch.no_grad(), mixed(self.precision, self.device):
                    targets = self.teacher.network(x)
                distance = soft_loss(logits, targets, self.temperature) / voxels
                distances.append(distance.detach())
                # both per voxel, so that their shares mean the same for any truth
                whole = (1 - self.share) / weight * loss + self.share * distance
            self.scaler.scale(whole).backward()
        # one look at the device for all parts: each makes it wait
        total = float(torch.stack(losses).sum())
        return StepLoss(total, weight, float(torch.stack(distances).sum()) if distances else None)


def known_loss(logits: Tensor, batch: Batch, gamma: float) -> Tensor:
    """Focal loss of the known voxels of a batch, summed."""
    known = at_known(logits, batch.known)
    classes = torch.cat(batch.classes).to(logits.device, non_blocking=True)
    weights = torch.cat(batch.weights).to(logits.device, non_blocking=True)
    return focal_loss(known, classes, weights, gamma)


__all__ = ["GradientStep", "StepLoss", "as_input", "known_loss"]
