"""A volume with edits laid over it; what is below is never written to."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import Triple, VolumeLike
from napari_slagseg.data.coarse_edits import CoarseEdits
from napari_slagseg.data.edits import Delta
from napari_slagseg.data.errors import SlagsegError
from napari_slagseg.data.laid_over import LaidOver
from napari_slagseg.data.overlay import EDGE, ChunkLike, Chunks, by_chunk


@dataclass(frozen=True)
class StagedWrite:
    """Chunks as some edits leave them, not yet shown to readers."""

    chunks: Chunks
    upon: Chunks


class EditedVolume(LaidOver):
    """A volume that is edited: a base, and over it the chunks of 64^3 voxels that were.

    One thread may write while many read. A reader gets a box as it was before an edit or
    as it is after it, never half of it. In memory are the edited chunks alone, each whole
    (1 MiB of uint32, 256 KiB of uint8), or compressed (some kilobytes) from the time they are
    stored until they are edited again: `overlay_bytes` says how much that is.

    It does not go to other processes, which would get all edited chunks with every task:
    pickling it is an error that names the way out.

    Parameters
    ----------
    base : (z, y, x) VolumeLike
        As segmented.
    name : str
        Of the array in deltas: ``"particles"`` or ``"phases"``.
    """

    def __init__(self, base: VolumeLike, name: str = "particles") -> None:
        if len(base.shape) != 3:
            raise SlagsegError(
                f"The {name} have the shape {tuple(base.shape)}; edits need three axes (z, y, x)."
            )
        self.base = base
        self.name = name
        self._chunks: Chunks = {}
        self._writing = threading.Lock()

    def __reduce__(self) -> NoReturn:
        raise SlagsegError(
            f"The edited {self.name} live in this process. Send what "
            "`Project.segmentation_volume` gives while the project is open for writing."
        )

    # -- reading -----------------------------------------------------------------

    def _laid(self) -> Chunks:
        return self._chunks

    @property
    def overlay(self) -> Chunks:
        """Edited chunks by their place in the grid; not to be changed."""
        return self._chunks

    @property
    def overlay_bytes(self) -> int:
        """Memory that the edited chunks take."""
        return sum(c.nbytes for c in self._chunks.values())

    def coarse(self, level: int, base: VolumeLike | None = None) -> CoarseEdits:
        """A coarser level as the edits leave it, always up to date.

        Parameters
        ----------
        level : int
            1 halves every edge, 2 quarters it, ... 0 is the volume itself.
        base : VolumeLike, optional
            The level as it was stored (`io.multiscale_levels`). Without one, voxels are
            picked from the volume: right as well, but a box of level n reads all of the
            8^n times larger box below.

        Returns
        -------
        CoarseEdits
        """
        return CoarseEdits(self, level, base)

    # -- writing -----------------------------------------------------------------

    def write(self, delta: Delta) -> None:
        """Make an edit; readers see it when this returns.

        Raises
        ------
        SlagsegError
            If it is of another array, lies outside the volume, or its old values are not
            what is there; nothing is changed then.
        """
        with self._writing:
            self._chunks = self.stage([delta]).chunks

    def stage(self, deltas: Iterable[Delta]) -> StagedWrite:
        """Work edits out without showing them, to `commit` them when they are on disk.

        Parameters
        ----------
        deltas : iterable of Delta
            Each upon the one before.

        Raises
        ------
        SlagsegError
            As `write`.
        """
        upon = self._chunks
        made: dict[Triple, NDArray[Any]] = {}
        for delta in deltas:
            self._check(delta)
            parts = list(by_chunk(delta, self.shape))
            self._copy([index for index, _ in parts], upon, made)
            for index, part in parts:
                part.apply(made[index])
        for chunk in made.values():
            chunk.flags.writeable = False
        chunks: dict[Triple, ChunkLike] = {**upon}
        chunks.update(made)
        return StagedWrite(chunks, upon)

    def commit(self, staged: StagedWrite) -> None:
        """Show staged edits to readers, all at once.

        Raises
        ------
        RuntimeError
            If something else was written since: there must be one writer.
        """
        with self._writing:
            if staged.upon is not self._chunks:
                raise RuntimeError(f"the {self.name} were written to between stage and commit")
            self._chunks = staged.chunks

    def lay(self, chunks: Chunks) -> None:
        """Begin with chunks that were edited before.

        Raises
        ------
        RuntimeError
            If there are edits already.
        """
        with self._writing:
            if self._chunks:
                raise RuntimeError(f"the {self.name} are edited already")
            self._chunks = dict(chunks)

    def swap(self, upon: Chunks, stored: Chunks) -> None:
        """Hold chunks in another form, of the same voxels; those edited since stay.

        Parameters
        ----------
        upon : mapping
            `overlay` of the time at which they were stored.
        stored : mapping
            Those of them that there are in the other form.
        """
        with self._writing:
            now = self._chunks
            same = {i: c for i, c in stored.items() if now.get(i) is upon[i]}
            self._chunks = {**now, **same}

    def _check(self, delta: Delta) -> None:
        if delta.array != self.name or delta.old.dtype != self.dtype:
            raise SlagsegError(
                f"An edit of {delta.array} ({delta.old.dtype}) does not go into the "
                f"{self.name} ({self.dtype})."
            )
        if any(b > n for b, n in zip(delta.stop, self.shape)):
            raise SlagsegError(
                f"An edit from {delta.start} to {delta.stop} (z, y, x) lies outside the "
                f"{self.name} of {self.shape} voxels."
            )

    def _copy(
        self, needed: Sequence[Triple], upon: Chunks, made: dict[Triple, NDArray[Any]]
    ) -> None:
        """Copies of chunks to work in: of edited ones, else from the base."""
        fresh = []
        for index in needed:
            if index in made:
                continue
            if index in upon:
                made[index] = np.array(upon[index])
            else:
                fresh.append(index)
        if not fresh:
            return
        low = [min(i[k] for i in fresh) for k in range(3)]
        high = [max(i[k] for i in fresh) + 1 for k in range(3)]
        if len(fresh) * 2 > math.prod(b - a for a, b in zip(low, high)):
            # one read of a base on disk takes less than many
            box = tuple(slice(a * EDGE, min(b * EDGE, n)) for a, b, n in zip(low, high, self.shape))
            found = np.asarray(self.base[box])
            for index in fresh:
                inner = tuple(
                    slice(((i - a) * EDGE), (i - a + 1) * EDGE) for i, a in zip(index, low)
                )
                made[index] = found[inner].copy()
            return
        for index in fresh:
            box = tuple(slice(i * EDGE, min((i + 1) * EDGE, n)) for i, n in zip(index, self.shape))
            made[index] = np.array(self.base[box], order="C")


__all__ = ["EditedVolume", "StagedWrite"]
