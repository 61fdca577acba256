"""The volumes that a history lays its edits over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_slagseg.data import Delta, EditedVolume, SlagsegError, Triple
from napari_slagseg.data.edited_volume import StagedWrite
from napari_slagseg.data.overlay import Chunks, chunk_shape
from napari_slagseg.io.label_chunks import DamagedChunkError, LabelChunk
from napari_slagseg.project.edits.overlays import StoredOverlay

Staged = Sequence[tuple[EditedVolume, StagedWrite]]
"""Edits worked out in several volumes, not yet shown."""


@dataclass(frozen=True)
class LaidVolumes:
    """Volumes that are edited together.

    Attributes
    ----------
    volumes : mapping of name to EditedVolume
    """

    volumes: Mapping[str, EditedVolume]

    def stage(self, deltas: Iterable[Delta]) -> Staged:
        """Work edits out, each upon the one before.

        Raises
        ------
        SlagsegError
            If one is of an unknown array, or does not fit.
        """
        by_array: dict[str, list[Delta]] = {}
        for delta in deltas:
            by_array.setdefault(delta.array, []).append(delta)
        unknown = set(by_array) - set(self.volumes)
        if unknown:
            raise SlagsegError(
                f"There is no array {', '.join(sorted(unknown))} to edit; there are "
                f"{', '.join(sorted(self.volumes))}."
            )
        return [(self.volumes[name], self.volumes[name].stage(of)) for name, of in by_array.items()]

    @staticmethod
    def commit(staged: Staged) -> None:
        """Show what was staged."""
        for volume, write in staged:
            volume.commit(write)

    def facts(self) -> dict[str, Any]:
        """Shapes and types, JSON values."""
        return {
            name: {"shape": list(v.shape), "dtype": v.dtype.name}
            for name, v in sorted(self.volumes.items())
        }

    @property
    def held_bytes(self) -> int:
        """Memory that edited chunks take."""
        return sum(volume.overlay_bytes for volume in self.volumes.values())

    # -- stored chunks -----------------------------------------------------------

    def lay(self, overlay: StoredOverlay) -> bool:
        """Begin with stored chunks; False if one is damaged or does not fit."""
        try:
            chunks = overlay.load()
        except DamagedChunkError:
            return False
        for name, of_volume in chunks.items():
            volume = self.volumes.get(name)
            if volume is None or any(
                c.shape != chunk_shape(i, volume.shape) or c.dtype != volume.dtype
                for i, c in of_volume.items()
            ):
                return False
        for name, of_volume in chunks.items():
            self.volumes[name].lay(of_volume)
        return True

    def now(self) -> dict[str, Chunks]:
        """All edited chunks of this moment."""
        return {name: volume.overlay for name, volume in self.volumes.items()}

    def swap(
        self, upon: Mapping[str, Chunks], packed: Mapping[str, Mapping[Triple, LabelChunk]]
    ) -> None:
        """Hold chunks of a moment compressed, those that were not edited since."""
        for name, volume in self.volumes.items():
            volume.swap(upon[name], packed[name])


def packed_chunks(chunks: Mapping[str, Chunks]) -> dict[str, dict[Triple, LabelChunk]]:
    """Chunks compressed; those that are so already as they are."""
    return {
        name: {
            i: c if isinstance(c, LabelChunk) else LabelChunk.of(np.asarray(c))
            for i, c in of_volume.items()
        }
        for name, of_volume in chunks.items()
    }


__all__ = ["LaidVolumes", "packed_chunks"]
