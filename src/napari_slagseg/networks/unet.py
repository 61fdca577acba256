"""The residual U-Net (K 2.3.2, Fig. 4), in 3D and 2D."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_UP = {2: "bilinear", 3: "trilinear"}


class Block(nn.Module):
    """Two convolutions of edge 3, each with batch norm and ReLU; residual if asked.

    The residual is the input, through a 1x1x1 convolution where channels change.
    """

    def __init__(self, dimension: int, inputs: int, outputs: int, residual: bool) -> None:
        super().__init__()
        conv, norm = _CONV[dimension], _NORM[dimension]
        # batch norm has a shift of its own, so the convolutions need no bias
        self.first = conv(inputs, outputs, 3, padding=1, bias=False)
        self.first_norm = norm(outputs)
        self.second = conv(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = norm(outputs)
        self.shortcut: nn.Module | None = None
        if residual:
            self.shortcut = (
                conv(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features of the block."""
        y = torch.relu(self.first_norm(self.first(x)))
        y = torch.relu(self.second_norm(self.second(y)))
        return y if self.shortcut is None else y + self.shortcut(x)


class ResidualUNet(nn.Module):
    """Residual U-Net with one pooling fewer than it has widths.

    Parameters
    ----------
    dimension : {2, 3}
    channels : int
        Of the output (logits: softmax over them, sigmoid where there is one).
    widths : sequence of int
        Feature channels at each level.
    inputs : int
        Channels of the input.
    """

    def __init__(
        self, dimension: int, channels: int, widths: Sequence[int], inputs: int = 1
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.channels = channels
        before = (inputs, *self.widths[:-1])
        self.down = nn.ModuleList(
            Block(dimension, a, b, residual=True) for a, b in zip(before, self.widths)
        )
        self.up = nn.ModuleList(
            Block(dimension, below + here, here, residual=False)
            for here, below in zip(self.widths[-2::-1], self.widths[:0:-1])
        )
        self.pool = _POOL[dimension](2)
        self.upscale = nn.Upsample(scale_factor=2, mode=_UP[dimension], align_corners=False)
        self.head = _CONV[dimension](self.widths[0], channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits; edges of `x` must be multiples of 2 to the number of poolings."""
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else self.pool(x))
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1]):
            x = block(torch.cat([self.upscale(x), skip], dim=1))
        return self.head(x)  # type: ignore[no-any-return]


def build_unet(channels: int, widths: Sequence[int], seed: int | None = None) -> ResidualUNet:
    """3D network with weights drawn from `seed`; torch's own random state is left alone."""
    if seed is None:
        return ResidualUNet(3, channels, widths)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResidualUNet(3, channels, widths)


def fold_batch_norms(network: ResidualUNet) -> ResidualUNet:
    """Copy of the network for inference, batch norms folded into the convolutions."""
    import copy

    from torch.nn.utils.fusion import fuse_conv_bn_eval

    folded = copy.deepcopy(network).eval()
    for block in (*folded.down, *folded.up):
        if not isinstance(block, Block):
            raise TypeError(f"not a block of the network: {block!r}")
        for conv, norm in (("first", "first_norm"), ("second", "second_norm")):
            setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
            setattr(block, norm, nn.Identity())
    return folded


__all__ = ["Block", "ResidualUNet", "build_unet", "fold_batch_norms"]
