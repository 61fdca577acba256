"""The network's size, shapes and reach."""

import numpy as np
import pytest
import torch

from napari_slagseg.networks.settings import SIZES
from napari_slagseg.networks.unet import ResidualUNet, build_unet, fold_batch_norms

REACH = 58
"""Voxels to either side that a voxel's logits depend on, at most."""


def parameters_by_hand(widths, channels):
    total, before = 0, 1
    for w in widths:  # two convolutions, two batch norms, a projection
        total += 27 * before * w + 27 * w * w + 4 * w + before * w
        before = w
    for below, here in zip(widths[:0:-1], widths[-2::-1]):
        total += 27 * (below + here) * here + 27 * here * here + 4 * here
    return total + widths[0] * channels + channels


@pytest.mark.parametrize(
    ("size", "channels", "count"),
    [("paper", 4, 5_880_580), ("paper", 1, 5_880_481), ("small", 4, 1_471_108)],
)
def test_parameter_count(size, channels, count):
    found = sum(p.numel() for p in build_unet(channels, SIZES[size]).parameters())
    assert found == count == parameters_by_hand(SIZES[size], channels)


def test_residuals_are_in_the_encoder_only():
    network = build_unet(4, SIZES["tiny"])
    assert [block.shortcut is None for block in network.down] == [False] * 4
    assert [block.shortcut is None for block in network.up] == [True] * 3


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("shape", [(8, 8, 8), (16, 24, 40)])
def test_logits_have_the_shape_of_the_image(channels, shape):
    network = build_unet(channels, (2, 4, 6, 8), seed=0).eval()
    x = torch.rand(2, 1, *shape)
    with torch.inference_mode():
        y = network(x)
        laid_out = network.to(memory_format=torch.channels_last_3d)(
            x.to(memory_format=torch.channels_last_3d)
        )
    assert y.shape == (2, channels, *shape)
    assert y.is_contiguous()
    assert laid_out.shape == y.shape
    assert torch.allclose(laid_out, y, atol=1e-5)


def test_edges_that_are_no_multiple_of_eight_are_refused_by_torch():
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        build_unet(1, (2, 2, 2, 2)).eval()(torch.zeros(1, 1, 12, 8, 8))


def test_two_dimensions():
    network = ResidualUNet(2, 4, (2, 4, 6, 8), inputs=3).eval()
    assert network(torch.zeros(1, 3, 16, 24)).shape == (1, 4, 16, 24)


def test_weights_follow_the_seed_and_leave_torch_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, again, other = (build_unet(2, (2, 4, 6, 8), seed=s) for s in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    states = [n.state_dict() for n in (first, again, other)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])


def test_folded_batch_norms_change_no_logit():
    network = build_unet(3, (4, 8, 16, 32), seed=1).double()
    rng = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.5, generator=rng)
            module.running_var.uniform_(0.3, 3, generator=rng)
            module.weight.data.uniform_(0.5, 2, generator=rng)
            module.bias.data.normal_(0, 0.5, generator=rng)
    network.eval()
    x = torch.rand(1, 1, 16, 16, 16, dtype=torch.float64)
    with torch.inference_mode():
        expected, found = network(x), fold_batch_norms(network)(x)
        plain = build_unet(3, (4, 8, 16, 32), seed=1).double().eval()(x)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-10)
    # the copy is folded, the network itself is not
    assert isinstance(network.down[0].first_norm, torch.nn.BatchNorm3d)
    assert float((expected - plain).abs().max()) > 0.01


def reach_by_hand(position):
    """First and last voxel that can change the logits at a position, through the lowest level."""
    low = high = position
    for _ in range(3):  # up: two convolutions, then trilinear scaling from two coarse voxels
        low, high = (low - 2 - 1) // 2, (high + 2 + 1) // 2
    for _ in range(3):  # down: two convolutions, then pooling of two
        low, high = 2 * (low - 2), 2 * (high + 2) + 1
    return low - 2, high + 2


def test_reach():
    """Context beyond it cannot change a voxel: what halos are compared with."""
    network = build_unet(1, (2, 2, 2, 2), seed=0).double().eval()
    for p in network.parameters():
        p.data.abs_()  # so that no ReLU cuts a path off
    # a maximum lets one voxel of eight through; their mean has the same support
    network.pool = torch.nn.AvgPool3d(2)
    furthest = 0
    for position in range(104, 112):  # every place within a coarse voxel
        x = torch.rand(1, 1, 8, 8, 208, dtype=torch.float64, requires_grad=True)
        network(x)[0, 0, 4, 4, position].backward()
        seen = np.flatnonzero((x.grad[0, 0].numpy() != 0).any(axis=(0, 1)))
        assert (seen.min(), seen.max()) == reach_by_hand(position)
        furthest = max(furthest, position - seen.min(), seen.max() - position)
    assert furthest == REACH
