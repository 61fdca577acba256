"""The card of a network: all that is needed to use it, and where it came from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from napari_slagseg.data import Phase, PhaseTable, SlagsegError, VoxelSize
from napari_slagseg.networks.settings import NetworkKind

FORMAT = 1


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
                raise SlagsegError(
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
            return cls(
                table=PhaseTable(tuple(Phase(**p) for p in table["phases"]), table["target"]),
                grey_limits=(float(low), float(high)),
                voxel_size_um=(float(z), float(y), float(x)),
                **content,
            )
        except SlagsegError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise SlagsegError(
                f"{source} holds no valid card of a network ({error}). "
                "Use weights that this program trained."
            ) from error


__all__ = ["NetworkCard"]
