"""The focal loss against sums by hand."""

import math

import numpy as np
import pytest
import torch

from napari_slagseg.networks.loss import at_known, focal_loss, soft_loss


def plain_focal_loss(probabilities, truth, weights, gamma):
    """K 2.3.4 as it is printed, voxel by voxel and class by class."""
    total = 0.0
    for p, t, w in zip(probabilities, truth, weights):
        for i, p_i in enumerate(p):
            tilde = p_i if i == t else 1 - p_i
            total -= w * (1 - tilde) ** gamma * math.log(tilde)
    return total


def test_one_voxel_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    found = focal_loss(logits, torch.tensor([0]), torch.tensor([2.0]))
    by_hand = 2 * (0.25 * math.log(2) + 2 * 0.0625 * math.log(4 / 3))
    assert float(found) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("channels", [2, 4, 6])
def test_softmax_against_the_printed_sum(channels, gamma):
    rng = np.random.default_rng(channels)
    logits = rng.normal(0, 2, (50, channels))
    truth, weights = rng.integers(0, channels, 50), rng.uniform(0, 3, 50)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = focal_loss(
        torch.tensor(logits, dtype=torch.float32),
        torch.tensor(truth),
        torch.tensor(weights, dtype=torch.float32),
        gamma,
    )
    assert float(found) == pytest.approx(plain_focal_loss(p, truth, weights, gamma), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_one_logit_stands_for_two_classes(gamma):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 50)
    truth, weights = rng.integers(0, 2, 50), rng.uniform(0, 1, 50)
    p = 1 / (1 + np.exp(-logits))
    found = focal_loss(
        torch.tensor(logits[:, None], dtype=torch.float32),
        torch.tensor(truth),
        torch.tensor(weights, dtype=torch.float32),
        gamma,
    )
    expected = plain_focal_loss(np.stack([1 - p, p], axis=1), truth, weights, gamma)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_without_focus_two_classes_are_the_weighted_cross_entropy():
    """K: gamma = 0 and two classes reduce to it (both classes counted, hence twice)."""
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 1, generator=rng)
    truth = torch.randint(0, 2, (40,), generator=rng)
    weights = torch.rand(40, generator=rng)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[:, 0], truth.float(), weight=weights, reduction="sum"
    )
    assert float(focal_loss(logits, truth, weights, 0.0)) == pytest.approx(2 * float(expected))


@pytest.mark.parametrize("channels", [1, 4])
def test_saturated_logits_stay_finite(channels):
    logits = torch.full((3, channels), -300.0)
    logits[:, 0] = 300.0
    logits.requires_grad_()
    loss = focal_loss(logits, torch.tensor([0, 1, 0]), torch.ones(3))
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert torch.isfinite(logits.grad).all()
    # the wrong one costs its distance, the right ones nothing
    assert 300 < float(loss.detach()) < 1300


def test_unknown_voxels_get_no_gradient_and_weights_scale_it():
    """Loss of a batch with known voxels here and there, gradients at every voxel."""
    rng = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 3, 4, 4, 4, generator=rng)
    known = [np.array([0, 5, 63]), np.array([17])]
    truth, weights = torch.tensor([0, 2, 1, 1]), torch.tensor([1.0, 0.5, 2.0, 4.0])

    def gradient(values, w):
        values = values.clone().requires_grad_()
        loss = focal_loss(at_known(values, known), truth, w)
        loss.backward()
        return float(loss.detach()), values.grad.flatten(2)

    loss, first = gradient(logits, weights)
    is_known = torch.zeros(2, 64, dtype=torch.bool)
    for i, indices in enumerate(known):
        is_known[i, torch.from_numpy(indices)] = True
    at_unknown = first.permute(0, 2, 1)[~is_known]
    assert at_unknown.shape == (124, 3)
    assert torch.equal(at_unknown, torch.zeros_like(at_unknown))
    assert (first.permute(0, 2, 1)[is_known].abs().sum(dim=1) > 0).all()

    changed = logits.clone().flatten(2)
    changed.permute(0, 2, 1)[~is_known] += 50.0
    other_loss, other = gradient(changed.view_as(logits), weights)
    assert other_loss == loss
    assert torch.equal(other, first)

    _, doubled = gradient(logits, weights * torch.tensor([2.0, 1.0, 1.0, 1.0]))
    assert torch.allclose(doubled[0, :, 0], 2 * first[0, :, 0])
    assert torch.equal(doubled[0, :, 5], first[0, :, 5])


def test_known_logits_keep_the_order_of_the_batch():
    logits = torch.arange(2 * 2 * 8.0).view(2, 2, 2, 2, 2)
    rows = at_known(logits, [np.array([7, 1]), np.array([0])])
    assert rows.tolist() == [[7.0, 15.0], [1.0, 9.0], [16.0, 24.0]]


def test_soft_loss_of_one_voxel_by_hand():
    """Targets 0.8 and 0.2, found 0.5 and 0.5, at temperature 1; log 2 apart."""
    teacher = torch.log(torch.tensor([[0.8, 0.2]]))[..., None]
    student = torch.zeros(1, 2, 1)
    by_hand = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
    assert float(soft_loss(student, teacher, 1.0)) == pytest.approx(by_hand, rel=1e-6)
    # at temperature T, logits of T times the size are as far apart, times T squared
    found = soft_loss(3 * student, 3 * teacher, 3.0)
    assert float(found) == pytest.approx(9 * by_hand, rel=1e-6)


def test_soft_loss_of_one_logit_is_that_of_two_classes():
    rng = torch.Generator().manual_seed(1)
    student, teacher = (3 * torch.randn(2, 1, 3, 4, 5, generator=rng) for _ in range(2))
    both = [torch.cat([torch.zeros_like(x), x], dim=1) for x in (student, teacher)]
    for temperature in (1.0, 2.5):
        one = soft_loss(student, teacher, temperature)
        assert float(one) == pytest.approx(float(soft_loss(*both, temperature)), rel=1e-5)
    assert float(soft_loss(teacher, teacher, 2.0)) == pytest.approx(0.0, abs=1e-5)


def test_the_gradient_of_the_soft_loss_is_the_difference_of_the_probabilities():
    rng = torch.Generator().manual_seed(2)
    student, teacher = (torch.randn(7, 4, generator=rng) for _ in range(2))
    student.requires_grad_(True)
    soft_loss(student, teacher, 2.0).backward()
    expected = 2.0 * (torch.softmax(student / 2, 1) - torch.softmax(teacher / 2, 1))
    assert torch.allclose(student.grad, expected, atol=1e-6)
