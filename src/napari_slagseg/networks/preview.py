"""Predicts small boxes with the weights that a training has at the moment."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slagseg.data.blocks import VolumeLike
from napari_slagseg.networks.gradient_step import as_input
from napari_slagseg.networks.patches import cut_out, fitting_patch
from napari_slagseg.networks.precision import mixed
from napari_slagseg.networks.preview_file import (
    EDGES,
    PreviewBoxes,
    read_preview,
    write_boxes,
    write_values,
)
from napari_slagseg.networks.settings import Precision
from napari_slagseg.networks.unet import ResidualUNet


class PreviewMaker:
    """Writes a preview into a run's folder, as often as its share of the time allows.

    Of a training that goes on, the prediction before stays that of its beginning. It draws no
    random number and leaves the network as it is, so a training with a preview gives
    the same weights as one without.

    Parameters
    ----------
    network : ResidualUNet
        Of one channel.
    data : VolumeLike of uint8
    boxes : PreviewBoxes
    folder : Path
    device : torch.device
    precision : {"fp32", "bf16", "fp16"}
    """

    def __init__(
        self,
        network: ResidualUNet,
        data: VolumeLike,
        boxes: PreviewBoxes,
        folder: Path,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.network, self.data, self.boxes = network, data, boxes
        self.folder, self.device, self.precision = folder, device, precision
        z, y, x = (int(n) for n in data.shape)
        self._size = fitting_patch(EDGES, (z, y, x))
        self._shown = tuple(slice(0, min(e, n)) for e, n in zip(self._size, (z, y, x)))
        self.spent_s = 0.0
        """Seconds spent so far."""
        self._began = time.perf_counter()
        now = self._predicted()
        earlier = read_preview(folder)
        resumed = earlier is not None and (earlier.starts, earlier.now.shape) == (
            boxes.starts,
            now.shape,
        )
        self.before = earlier.before if earlier is not None and resumed else now
        write_boxes(folder, boxes.starts)
        write_values(folder, self.before, now)
        self._end()

    def tell_if_due(self, *, last: bool = False) -> bool:
        """Predict and write, if that leaves the share of the time as it should be, or at last."""
        waited = time.perf_counter() - self._ended
        if not last and waited * self.boxes.share < self._cost * (1 - self.boxes.share):
            return False
        self.tell()
        return True

    def tell(self) -> None:
        """Predict and write now."""
        self._began = time.perf_counter()
        write_values(self.folder, self.before, self._predicted())
        self._end()

    def _end(self) -> None:
        self._ended = time.perf_counter()
        self._cost = self._ended - self._began
        self.spent_s += self._cost

    @torch.no_grad()
    def _predicted(self) -> NDArray[np.uint8]:
        was_training = self.network.training
        self.network.eval()
        found = []
        for start in self.boxes.starts:
            image = torch.from_numpy(cut_out(self.data, start, self._size))[None, None]
            with mixed(self.precision, self.device):
                logits = self.network(as_input(image, self.device))
            chance = torch.sigmoid(logits[0, 0].float())
            found.append((chance * 255).round().to(torch.uint8).cpu().numpy()[self._shown])
        self.network.train(was_training)
        return np.stack(found)


__all__ = ["PreviewMaker"]
