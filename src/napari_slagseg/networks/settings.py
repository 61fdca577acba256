"""How a network is built and trained; the defaults are the paper's (K 2.3.2, 2.3.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from napari_slagseg.data import SlagsegError

NetworkKind = Literal["phase", "particle"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

SIZES: dict[str, tuple[int, ...]] = {
    "paper": (32, 64, 128, 256),
    "small": (16, 32, 64, 128),
    "tiny": (8, 16, 32, 64),
}
"""Feature channels at each level of the network."""

WEIGHTS = "weights.safetensors"
"""File of a training run that holds its network."""

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
    epochs, steps_per_epoch : int
    batch : int
        Patches a step. With a teacher, as many again are drawn from anywhere.
    accumulate : int
        Parts in which a step's patches are computed one after another, for small GPUs. The
        gradients are added up, so a step is the same but for batch norm, which sees the
        statistics of each part, and for rounding.
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
    precision : {"auto", "fp32", "bf16", "fp16"}
        Of the convolutions; weights and loss are float32 always. "auto": on a GPU bfloat16, or
        float16 with scaled gradients where the GPU has none; on a CPU float32, where
        bfloat16 is refused.
    threads : int or None
        CPU threads; None leaves torch's choice.
    loaders : int or None
        Threads that make patches ahead; None: 1 beside a CPU, up to 8 beside a GPU. 0 makes them
        in between the steps. No effect on the result.
    cache_gb : float
        Memory for the parts of the CT that patches touch, in GB. No effect on the result.
    temperature : float
        At which student and teacher are compared.
    teacher_share : float
        Share of the teacher's loss in the whole loss, where there is a teacher.
    focus : float
        Share of the patches that are drawn around corrections, where there are any; 0 draws them
        around all known voxels alike.
    seed : int
    """

    kind: NetworkKind
    size: str = "paper"
    epochs: int = 150
    steps_per_epoch: int = 100
    batch: int = 4
    accumulate: int = 1
    patch: tuple[int, int, int] = (96, 96, 96)
    learning_rate: float = 1e-4
    decay: bool = False
    gamma: float = 2.0
    rotations: bool = True
    mirrors: bool = False
    grey_shift: int = 10
    elastic: bool = False
    device: str = "auto"
    precision: Precision = "auto"
    threads: int | None = None
    loaders: int | None = None
    cache_gb: float = 2.0
    temperature: float = 2.0
    teacher_share: float = 0.9
    focus: float = 0.0
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
        for name in ("epochs", "steps_per_epoch", "batch", "accumulate"):
            if getattr(self, name) < 1:
                raise SlagsegError(f"{name.replace('_', ' ')} must be at least 1.")
        if self.accumulate > self.batch:
            raise SlagsegError(
                f"A step of {self.batch} patches cannot be computed in {self.accumulate} parts. "
                "Accumulate over no more parts than there are patches in a batch."
            )
        if self.precision not in get_args(Precision):
            raise SlagsegError(
                f"There is no precision '{self.precision}'. "
                f"Choose: {', '.join(get_args(Precision))}."
            )
        if not self.temperature > 0:
            raise SlagsegError(f"The temperature is {self.temperature}; it must be above 0.")
        if not 0 <= self.focus <= 1:
            raise SlagsegError(
                f"The share of patches around corrections is {self.focus}; it must lie between 0 "
                "and 1."
            )
        if not 0 <= self.teacher_share <= 1:
            raise SlagsegError(
                f"The teacher's share is {self.teacher_share}; it must lie between 0 and 1."
            )

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


__all__ = ["EPOCHS", "SIZES", "STRIDE", "WEIGHTS", "NetworkKind", "Precision", "TrainingSettings"]
