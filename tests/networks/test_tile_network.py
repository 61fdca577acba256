"""What tiles leave out of the network changes nothing."""

import numpy as np
import pytest
import torch

from napari_slagseg.networks.prediction.openvino_engine import OpenVinoEngine
from napari_slagseg.networks.prediction.tile_network import (
    TileNetwork,
    flops_per_voxel,
    upward_margins,
)
from napari_slagseg.networks.prediction.torch_engine import TorchEngine
from napari_slagseg.networks.settings import SIZES
from napari_slagseg.networks.unet import build_unet

WIDTHS = (4, 6, 8, 8)


@pytest.fixture(scope="module")
def network():
    built = build_unet(3, WIDTHS, seed=2).eval()
    with torch.no_grad():
        for value in built.parameters():
            value.mul_(1.4)
    return built


@pytest.fixture(scope="module")
def tile():
    rng = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (1, 1, 80, 88, 72), dtype=torch.uint8, generator=rng)


@pytest.mark.parametrize("halo", [0, 8, 16, 24, 32])
def test_the_core_is_what_the_whole_network_says(network, tile, halo):
    with torch.inference_mode():
        whole = network(tile.float() / 255)
        found = TileNetwork(network, halo).logits(tile.float())
    core = (slice(None), slice(None), *[slice(halo, n - halo) for n in tile.shape[2:]])
    scale = float(whole.std())
    assert scale > 1e-3
    assert float((found - whole[core]).abs().max()) < 1e-4 * scale


def test_margins_by_hand():
    """Up: two voxels for two convolutions, then what interpolation needs of the coarser level."""
    assert upward_margins(4, 56) == (0, 2, 3, 3)
    assert upward_margins(4, 16) == (0, 2, 3, 2)


def test_answers_are_classes_and_probabilities(network, tile):
    with torch.inference_mode():
        logits = network(tile.float() / 255)[..., 8:-8, 8:-8, 8:-8]
        classes = TileNetwork(network, 8)(tile)
        probabilities = TileNetwork(network, 8, "probabilities")(tile)
    assert classes.dtype == torch.uint8
    assert torch.equal(classes, logits.argmax(1).to(torch.uint8))
    assert torch.allclose(probabilities, torch.softmax(logits, 1), atol=1e-4)


def test_one_channel_becomes_a_probability_of_8_bit(tile):
    built = build_unet(1, WIDTHS, seed=4).eval()
    with torch.inference_mode():
        expected = torch.sigmoid(built(tile.float() / 255)[0, 0]) * 255
        found = TileNetwork(built, 0)(tile)[0]
    assert float((found - expected).abs().max()) <= 0.501


def test_openvino_says_what_torch_says(network, tile):
    for answer in ("classes", "probabilities"):
        cut = TileNetwork(network, 16, answer)
        expected = TorchEngine(cut, torch.device("cpu"), "fp32")(tile)
        found = OpenVinoEngine(TileNetwork(network, 16, answer), "fp32", 1)(tile)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        if answer == "classes":
            assert float((found == expected).float().mean()) > 0.9999
        else:
            assert torch.allclose(found, expected, atol=1e-4)


def test_bf16_says_nearly_the_same(network, tile):
    cut = TileNetwork(network, 16, "probabilities")
    exact = TorchEngine(cut, torch.device("cpu"), "fp32")(tile)
    coarse = TorchEngine(TileNetwork(network, 16, "probabilities"), torch.device("cpu"), "bf16")(
        tile
    )
    assert 0 < float((exact - coarse).abs().max()) < 0.1


def counted(widths, channels, edge):
    """Multiplications of the convolutions of a cube, counted as torch runs them."""
    built = build_unet(channels, widths, seed=0).eval()
    total = 0

    def count(module, inputs, output):
        nonlocal total
        total += 2 * output.numel() * module.in_channels * int(np.prod(module.kernel_size))

    for module in built.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        built(torch.zeros(1, 1, edge, edge, edge))
    return total


def test_flops_are_those_that_torch_does():
    assert flops_per_voxel(WIDTHS, 3) * 32**3 == counted(WIDTHS, 3, 32)
    assert flops_per_voxel(SIZES["paper"], 4) == 517_888
    # without a halo nothing can be left out
    assert flops_per_voxel(WIDTHS, 3, tile=32) * 32**3 == counted(WIDTHS, 3, 32)


def test_leaving_out_the_way_up_in_the_halo_saves_half():
    paper = SIZES["paper"]
    whole = flops_per_voxel(paper, 4) * 1.5**3
    assert flops_per_voxel(paper, 4, tile=128, halo=32) < 0.57 * whole
