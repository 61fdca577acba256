"""CT grey values in 8 bit, as the networks were trained on: on the CPU and on a GPU, alike."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slagseg.networks.eight_bit import to_eight_bit

Limits = tuple[float, float]


@lru_cache(maxsize=8)
def _table(dtype: str, limits: Limits) -> NDArray[np.uint8]:
    levels = np.arange(np.iinfo(dtype).max + 1)
    return to_eight_bit(levels[None], limits)[0]


def eight_bit(values: NDArray[Any], limits: Limits) -> NDArray[np.uint8]:
    """Grey values from `limits` stretched to 0 to 255, rounded, cut off beyond.

    Parameters
    ----------
    values : (z, y, x) array
        Any real type.
    limits : (low, high)
    """
    if values.dtype in (np.uint8, np.uint16):
        # a look-up is a fifth of the arithmetic's time, and the same
        return _table(values.dtype.name, limits)[values]
    return to_eight_bit(values, limits)


def for_device(values: NDArray[Any]) -> Tensor:
    """CT values as a tensor that `eight_bit_tensor` understands, without more bytes than needed."""
    values = np.ascontiguousarray(values)
    if values.dtype == np.uint8:
        return torch.from_numpy(values)
    if values.dtype == np.uint16:
        # torch knows little of uint16: the same bits travel as int16
        return torch.from_numpy(values.view(np.int16))
    return torch.from_numpy(values.astype(np.float32))


def eight_bit_tensor(values: Tensor, limits: Limits) -> Tensor:
    """As `eight_bit`, of what `for_device` gave."""
    low, high = limits
    if values.dtype == torch.int16:
        values = values.to(torch.int32) & 0xFFFF
    x = (values.to(torch.float32) - float(np.float32(low))) * float(np.float32(255 / (high - low)))
    return x.clamp(0, 255).round().to(torch.uint8)


__all__ = ["Limits", "eight_bit", "eight_bit_tensor", "for_device"]
