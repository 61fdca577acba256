"""How a network is built and trained; the defaults are the paper's (K 2.3.2, 2.3.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from napari_slagseg.data import SlagsegError

NetworkKind = Literal["phase", "particle"]

SIZES: dict[str, tuple[int, ...]] = {
    "paper": (32, 64, 128, 256),
    "small": (16, 32, 64, 128),
    "tiny": (8, 16, 32, 64),
}
"""Feature channels at each level of the network."""

STRIDE = 8
"""Three poolings: edges of what goes in must be multiples of this."""

EPOCHS: dict[NetworkKind, tuple[int, int]] = {"phase": (150, 150), "particle": (100, 150)}
"""Epochs of a first and of a second training run."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training.

    Attributes
    ----------
    kind : {"phase", "particle"}
    size : {"paper", "small", "tiny"}
    epochs, steps_per_epoch, batch : int
    patch : (z, y, x)
        Voxels; multiples of 8.
    learning_rate : float
        Of Adam.
    decay : bool
        Let the learning rate fall to nearly nothing by the last step, along half a
        cosine. A short training at a high rate ends calmer so.
    gamma : float
        Of the focal loss.
    rotations, mirrors : bool
        Augment by the 24 rotations by quarter turns; by mirror images, too.
    grey_shift : int
        Largest shift of the 8-bit grey values.
    elastic : bool
        Elastic deformation.
    device : str
        "auto", "cpu", "cuda" or a torch device.
    mixed_precision : bool
        bfloat16 on a GPU (no effect on a CPU).
    threads : int or None
        CPU threads; None leaves torch's choice.
    seed : int
    """

    kind: NetworkKind
    size: str = "paper"
    epochs: int = 150
    steps_per_epoch: int = 100
    batch: int = 4
    patch: tuple[int, int, int] = (96, 96, 96)
    learning_rate: float = 1e-4
    decay: bool = False
    gamma: float = 2.0
    rotations: bool = True
    mirrors: bool = False
    grey_shift: int = 10
    elastic: bool = False
    device: str = "auto"
    mixed_precision: bool = True
    threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise SlagsegError(
                f"There is no network size '{self.size}'. Choose: {', '.join(SIZES)}."
            )
        if len(self.patch) != 3 or any(p < STRIDE or p % STRIDE for p in self.patch):
            raise SlagsegError(
                f"The patch {self.patch} must have three edges that are multiples of {STRIDE}."
            )
        for name in ("epochs", "steps_per_epoch", "batch"):
            if getattr(self, name) < 1:
                raise SlagsegError(f"{name.replace('_', ' ')} must be at least 1.")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if not self.decay:
            return self.learning_rate
        done = step / (self.epochs * self.steps_per_epoch)
        return self.learning_rate * max(0.02, (1 + math.cos(math.pi * done)) / 2)

    @property
    def widths(self) -> tuple[int, ...]:
        """Feature channels at each level."""
        return SIZES[self.size]

    @classmethod
    def for_network(
        cls,
        kind: NetworkKind,
        *,
        second_run: bool = False,
        epochs: int | None = None,
        elastic: bool | None = None,
        **others: object,
    ) -> TrainingSettings:
        """The paper's settings for a network; None takes the paper's value."""
        return cls(
            kind=kind,
            epochs=EPOCHS[kind][second_run] if epochs is None else epochs,
            elastic=kind == "particle" if elastic is None else elastic,
            **others,  # type: ignore[arg-type]
        )


__all__ = ["EPOCHS", "SIZES", "STRIDE", "NetworkKind", "TrainingSettings"]
