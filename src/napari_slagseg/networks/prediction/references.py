"""Trained networks as tasks carry them to workers: by path and fingerprint, or whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_slagseg.data import SlagsegError
from napari_slagseg.networks.checkpoints import TrainedNetwork, load_network
from napari_slagseg.networks.settings import WEIGHTS, NetworkKind


@dataclass(frozen=True)
class NetworkReference:
    """One trained network.

    Attributes
    ----------
    fingerprint : str
        Of its weights and grey limits.
    path : str or None
        Folder of the run, to be read by every worker.
    content : TrainedNetwork or None
        The network itself, where there is no path.
    """

    fingerprint: str
    path: str | None
    content: TrainedNetwork | None = None

    def load(self) -> TrainedNetwork:
        """The network.

        Raises
        ------
        SlagsegError
            If the file is not what it was when the work began.
        """
        if self.content is not None:
            return self.content
        if self.path is None:
            raise RuntimeError("a reference to nothing")
        trained = load_network(self.path)
        if fingerprint(trained) != self.fingerprint:
            raise SlagsegError(
                f"{self.path} was changed while it was used for prediction. Start the step again."
            )
        return trained


def fingerprint(trained: TrainedNetwork) -> str:
    """Hash of all that changes a network's answers."""
    digest = hashlib.sha256(repr((trained.card.grey_limits, trained.card.channels)).encode())
    for name, tensor in sorted(trained.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


Given = TrainedNetwork | str | Path
"""A network, or the folder of its training run (or its weights)."""


def refer(
    given: Given | Iterable[Given] | None, kind: NetworkKind
) -> tuple[tuple[NetworkReference, ...], tuple[TrainedNetwork, ...]]:
    """References to one network or to an ensemble, and the networks.

    Raises
    ------
    SlagsegError
        If one is of another kind, or an ensemble's members know different phases.
    """
    if given is None:
        return (), ()
    members = (given,) if isinstance(given, TrainedNetwork | str | Path) else tuple(given)
    references: list[NetworkReference] = []
    networks: list[TrainedNetwork] = []
    for member in members:
        whole = member if isinstance(member, TrainedNetwork) else load_network(member)
        if whole.card.kind != kind:
            raise SlagsegError(
                f"{whole.source} is a {whole.card.kind} network, but was given as the "
                f"{kind} network. Were the two exchanged?"
            )
        first = networks[0] if networks else whole
        if [p.name for p in whole.card.table] != [p.name for p in first.card.table]:
            raise SlagsegError(
                f"{whole.source} and {first.source} were trained on different phases, so their "
                "answers cannot be averaged. Leave one of them out."
            )
        if isinstance(member, TrainedNetwork):
            references.append(NetworkReference(fingerprint(whole), None, whole))
        else:
            path = Path(member)
            folder = path.parent if path.name == WEIGHTS else path
            references.append(NetworkReference(fingerprint(whole), str(folder.resolve())))
        networks.append(whole)
    return tuple(references), tuple(networks)


__all__ = ["Given", "NetworkReference", "fingerprint", "refer"]
