"""The weighted focal loss (K 2.3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def focal_loss(logits: Tensor, truth: Tensor, weights: Tensor, gamma: float = 2.0) -> Tensor:
    """Weighted focal loss, summed over voxels and classes.

    ``- sum_x w_x sum_i (1 - P~_xi)^gamma log P~_xi`` with ``P~ = P`` at the true
    class and ``1 - P`` at the others. One logit stands for two classes, P and
    1 - P, as K builds them. Probabilities are never formed where their logarithm
    is needed, so saturated logits give finite losses and gradients.

    Parameters
    ----------
    logits : (n, channels)
        Of the known voxels only.
    truth : (n,) int64
        Class of each.
    weights : (n,) float
    gamma : float

    Returns
    -------
    loss : scalar
    """
    logits = logits.float()
    if logits.shape[1] == 1:
        signed = torch.where(truth[:, None] == 1, logits, -logits)
        log_p = functional.logsigmoid(signed)[:, 0]
        missed = torch.sigmoid(-signed)[:, 0]
        # both classes of a two-class map say the same
        return -2.0 * (weights * missed**gamma * log_p).sum()
    log_all = functional.log_softmax(logits, dim=1)
    is_true = functional.one_hot(truth, logits.shape[1]).bool()
    # log(1 - p_i) = logsumexp over the other classes - logsumexp over all
    others = logits[:, None, :].expand(-1, logits.shape[1], -1).clone()
    diagonal = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others.masked_fill_(diagonal, float("-inf"))
    log_not = torch.logsumexp(others, dim=2) - torch.logsumexp(logits, dim=1, keepdim=True)
    log_p = torch.where(is_true, log_all, log_not)
    missed = torch.where(is_true, log_not.exp(), log_all.exp())
    return -(weights[:, None] * missed**gamma * log_p).sum()


def at_known(logits: Tensor, known: Sequence[NDArray[np.int64] | Tensor]) -> Tensor:
    """Logits of the known voxels alone; no gradient ever reaches the others.

    Parameters
    ----------
    logits : (batch, channels, z, y, x)
    known : sequence of (n_i,) int64 array or Tensor
        Flat indices of each patch's known voxels.

    Returns
    -------
    (sum of n_i, channels)
        In the order of the batch.
    """
    flat = logits.flatten(2)
    rows = [
        flat[i][:, torch.as_tensor(indices).to(logits.device, non_blocking=True)].T
        for i, indices in enumerate(known)
    ]
    return torch.cat(rows)


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How far a student is from its teacher, summed over voxels.

    ``T^2 sum_x KL(P_teacher(x; T) || P_student(x; T))`` with probabilities at the temperature
    T, those of ``logits / T``: the soft targets of Hinton, Vinyals and Dean, "Distilling the
    knowledge in a neural network", 2015 (arXiv:1503.02531), section 2. The square keeps the
    gradients as large at any temperature. One logit stands for two classes, P and 1 - P.

    Parameters
    ----------
    student, teacher : (batch, channels, ...)
        Logits.
    temperature : float

    Returns
    -------
    loss : scalar
    """
    student, teacher = student.float() / temperature, teacher.float() / temperature
    if student.shape[1] == 1:
        student, teacher = (torch.cat([-x, x], dim=1) / 2 for x in (student, teacher))
    difference = functional.kl_div(
        functional.log_softmax(student, dim=1),
        functional.log_softmax(teacher, dim=1),
        reduction="sum",
        log_target=True,
    )
    return difference * temperature**2


__all__ = ["at_known", "focal_loss", "soft_loss"]
