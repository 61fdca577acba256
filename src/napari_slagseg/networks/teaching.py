"""A trained network as the teacher of a smaller one (Hinton et al. 2015)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_slagseg.data import PhaseTable, SlagsegError, VoxelSize
from napari_slagseg.networks.card import NetworkCard
from napari_slagseg.networks.checkpoints import load_network
from napari_slagseg.networks.settings import WEIGHTS, NetworkKind
from napari_slagseg.networks.unet import ResidualUNet, fold_batch_norms

_SAME_VOXEL = 0.05


@dataclass(frozen=True)
class Teacher:
    """A trained network that a smaller one learns from.

    Attributes
    ----------
    network : ResidualUNet
        In evaluation mode, batch norms folded, on the device of the training.
    card : NetworkCard
    name : str
        Of its run.
    sha256 : str
        Of its weights file.
    """

    network: ResidualUNet
    card: NetworkCard
    name: str
    sha256: str

    @classmethod
    def load(
        cls,
        path: str | Path,
        kind: NetworkKind,
        table: PhaseTable,
        voxel_size_um: VoxelSize,
        device: torch.device,
    ) -> Teacher:
        """Load a run's network as a teacher.

        Raises
        ------
        SlagsegError
            If it is of another kind, of other phases or of another voxel size.
        """
        trained = load_network(path)
        if trained.card.kind != kind:
            raise SlagsegError(
                f"{path} is a {trained.card.kind} network; a {kind} network cannot learn from it."
            )
        names = [phase.name for phase in table]
        known = [phase.name for phase in trained.card.table]
        if kind == "phase" and names != known:
            raise SlagsegError(
                f"The network {path} tells apart {', '.join(known)}; the ground truth has "
                f"{', '.join(names)}. Train the large network on this ground truth first."
            )
        ratios = [a / b for a, b in zip(voxel_size_um, trained.card.voxel_size_um)]
        if not all(1 / (1 + _SAME_VOXEL) < r < 1 + _SAME_VOXEL for r in ratios):
            raise SlagsegError(
                f"The network {path} was trained on voxels of {trained.card.voxel_size_um} um, "
                f"this CT has {voxel_size_um} um. Choose a teacher trained on this CT."
            )
        file = Path(path) / WEIGHTS if Path(path).is_dir() else Path(path)
        network = fold_batch_norms(trained.network).to(device)
        network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        return cls(
            network.requires_grad_(False).eval(),
            trained.card,
            file.parent.name,
            hashlib.sha256(file.read_bytes()).hexdigest(),
        )

    def notes(self, temperature: float, share: float) -> dict[str, Any]:
        """What the student's card says of its teacher."""
        return {
            "run": self.name,
            "sha256": self.sha256,
            "widths": list(self.card.widths),
            "scores": dict(self.card.scores),
            "temperature": temperature,
            "share": share,
        }


__all__ = ["Teacher"]
