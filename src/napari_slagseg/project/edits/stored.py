"""Edited labels that any process opens for itself: the segmentation and stored chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from napari_slagseg import io
from napari_slagseg.data import SlagsegError, Triple, VolumeLike
from napari_slagseg.data.laid_over import LaidOver
from napari_slagseg.data.overlay import Chunks
from napari_slagseg.io.label_chunks import DamagedChunkError, LabelChunk, read_label_chunk
from napari_slagseg.project.edits.overlays import StoredOverlay, read_overlay


@dataclass(frozen=True)
class StoredEdits(LaidOver):
    """Labels of a segmentation as edited, read from disk; a `VolumeLike`.

    A handle of two paths, as `io.ZarrVolume` is: it goes to other processes at the cost of
    these. A process reads the list of chunks when it first reads a box, and keeps those
    chunks that it needed, compressed (some kilobytes each).

    Attributes
    ----------
    base : ZarrVolume
        As segmented.
    overlay : str
        File of a `StoredOverlay`; it and its chunks never change.
    name : str
        Of the array.
    """

    base: io.ZarrVolume
    overlay: str
    name: str

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k in self.__dataclass_fields__}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)

    @cached_property
    def _chunks(self) -> _ChunkFiles:
        return _chunk_files(self.overlay, self.name)

    def _laid(self) -> Chunks:
        return self._chunks


def as_segmented(volume: VolumeLike) -> VolumeLike:
    """What lies below the edits of a volume; the volume itself where it has none."""
    return volume.base if isinstance(volume, LaidOver) else volume


class _ChunkFiles(Mapping[Triple, LabelChunk]):
    """Chunks of a list, each read when it is first asked for."""

    def __init__(self, overlay: StoredOverlay, array: str) -> None:
        self._overlay = overlay
        self._names = overlay.chunks.get(array, {})
        self._read: dict[Triple, LabelChunk] = {}

    def __getitem__(self, index: Triple) -> LabelChunk:
        found = self._read.get(index)
        if found is None:
            name = self._names[index]
            try:
                found = read_label_chunk(self._overlay.folder, name)
            except DamagedChunkError as error:
                raise SlagsegError(
                    f"{error} Run the step again: it is made anew from the edit journal then."
                ) from error
            self._read[index] = found
        return found

    def __iter__(self) -> Iterator[Triple]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@lru_cache(maxsize=4)
def _chunk_files(path: str, array: str) -> _ChunkFiles:
    return _ChunkFiles(read_overlay(Path(path)), array)


__all__ = ["StoredEdits", "as_segmented"]
