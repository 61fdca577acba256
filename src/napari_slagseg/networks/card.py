"""The card of a network: all that is needed to use it, and where it came from."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from napari_slagseg.data import Phase, PhaseTable, SlagsegError, VoxelSize
from napari_slagseg.data.volume import checked_voxel_size
from napari_slagseg.networks.settings import NetworkKind

FORMAT = 1
LEVELS = 4
"""Widths of a network: one more than it has poolings."""


class NewerCardError(SlagsegError):
    """A card of a later version."""


@dataclass(frozen=True)
class NetworkCard:
    """What a trained network is.

    Attributes
    ----------
    kind : {"phase", "particle"}
    architecture : str
        "residual-unet-3d".
    widths : tuple of int
    channels : int
        Of the output.
    table : PhaseTable
        Classes; the phase network's channels in order of id.
    grey_limits : (low, high)
        CT grey values that become 0 and 255.
    voxel_size_um : (z, y, x)
        Of the CT it was trained on.
    settings : dict
        As `TrainingSettings`.
    scores : dict
        Of the stored weights on the validation voxels (on the training ones if
        none were held out).
    training : dict
        Epochs done, hashes of the data, versions, device, time.
    """

    kind: NetworkKind
    widths: tuple[int, ...]
    channels: int
    table: PhaseTable
    grey_limits: tuple[float, float]
    voxel_size_um: VoxelSize
    architecture: str = "residual-unet-3d"
    settings: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def with_results(self, scores: dict[str, Any], training: dict[str, Any]) -> NetworkCard:
        """Same card with other scores and notes of the training."""
        return replace(self, scores=scores, training=training)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        values = {k: v for k, v in vars(self).items() if k != "table"}
        values["table"] = {
            "target": self.table.target,
            "phases": [asdict(phase) for phase in self.table],
        }
        # through text, so that tuples are lists on both sides
        return {"format": FORMAT, **json.loads(json.dumps(values))}

    @classmethod
    def from_json(cls, values: Any, source: str) -> NetworkCard:
        """Card from JSON values, or a clear error."""
        try:
            content = dict(values)
            if int(content.pop("format")) > FORMAT:
                raise NewerCardError(
                    f"{source} was written by a newer version of napari-slagseg. Update it."
                )
            table = content.pop("table")
            low, high = content.pop("grey_limits")
            z, y, x = content.pop("voxel_size_um")
            if content["kind"] not in ("phase", "particle"):
                raise ValueError(f"unknown kind {content['kind']!r}")
            if content["architecture"] != "residual-unet-3d":
                raise ValueError(f"unknown architecture {content['architecture']!r}")
            content["widths"] = tuple(int(w) for w in content["widths"])
            if len(content["widths"]) != LEVELS or min(content["widths"]) < 1:
                raise ValueError(f"the widths are {content['widths']}")
            limits = (float(low), float(high))
            if not (math.isfinite(limits[0]) and math.isfinite(limits[1]) and low < high):
                raise ValueError(f"the grey limits are {limits}")
            phases = PhaseTable(tuple(Phase(**p) for p in table["phases"]), table["target"])
            classes = len(phases) if content["kind"] == "phase" else 1
            if content["channels"] != classes or phases.ids != tuple(range(len(phases))):
                raise ValueError(
                    f"{content['channels']} outputs, but classes {phases.ids} for a "
                    f"{content['kind']} network"
                )
            return cls(
                table=phases,
                grey_limits=limits,
                voxel_size_um=checked_voxel_size((float(z), float(y), float(x))),
                **content,
            )
        except NewerCardError:
            raise
        except (
            AttributeError,
            KeyError,
            OverflowError,
            SlagsegError,
            TypeError,
            ValueError,
        ) as error:
            raise SlagsegError(
                f"{source} holds no valid card of a network ({error}). "
                "Use weights that this program trained."
            ) from error


__all__ = ["NetworkCard"]
