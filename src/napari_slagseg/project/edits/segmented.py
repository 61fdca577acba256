"""Edits of a project's segmentations: which one they belong to, and where they lie.

::

    edits/ID/journal.slg    every edit of the segmentation of that id
    edits/ID/overlay-N.json, chunks/    the chunks that it changed; see `overlays`

The id is an attribute of ``segmentation.zarr``, new with every run of 'segment'. Edits of an
earlier segmentation stay beside those of the present one, as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from napari_slagseg import io
from napari_slagseg.data import BlockGrid, EditedVolume, SlagsegError, VolumeLike
from napari_slagseg.project.edits.earlier import JOURNAL, EarlierEdits, edits_in
from napari_slagseg.project.edits.history import History
from napari_slagseg.project.edits.journal import CutTail, EditJournal
from napari_slagseg.project.edits.overlays import remove_old, stored_overlays
from napari_slagseg.project.edits.reading import read_course, read_journal
from napari_slagseg.project.edits.stored import StoredEdits
from napari_slagseg.project.lock import ProjectLock
from napari_slagseg.project.stamps import stamp

ID = "id"
LARGEST = "largest_label"
"""Attributes of ``segmentation.zarr``."""

EDITED = ("particles", "phases")
"""Arrays of a segmentation that can be edited."""

WORTH_STORING = 20
"""Steps from which on storing the edited chunks saves more time than it takes."""

_FINGERPRINT_DIGITS = 32


class SegmentationEdits:
    """Edits of the segmentation that a project has now.

    Parameters
    ----------
    folder : Path
        ``edits`` of the project.
    segmentation : Path
        ``segmentation.zarr``.
    fingerprint : callable
        Gives that of the segmentation.
    lock : ProjectLock
    require_lock : callable
        Raises if this process does not hold it.
    """

    def __init__(
        self,
        folder: Path,
        segmentation: Path,
        fingerprint: Callable[[], str],
        lock: ProjectLock,
        require_lock: Callable[[], None],
    ) -> None:
        self.folder = folder
        self._segmentation = segmentation
        self._fingerprint = fingerprint
        self._lock = lock
        self._require_lock = require_lock
        self._opened: tuple[str, History] | None = None
        self._cut: CutTail | None = None
        self._digest: tuple[tuple[str, str], str] | None = None

    def segmentation_id(self) -> str:
        """Of the present segmentation; the start of its fingerprint where it has none.

        Raises
        ------
        SlagsegError
            If there is no segmentation, or it is damaged.
        """
        if not self._segmentation.exists():
            raise SlagsegError(
                f"Project {self._segmentation.parent} has no segmentation yet. Run 'segment' first."
            )
        found = io.read_zarr_attributes(self._segmentation).get(ID)
        if found is None:  # segmented by a version without ids
            return self._fingerprint().removeprefix("sampled-")[:_FINGERPRINT_DIGITS]
        name = str(found)
        if not name.isalnum():
            raise SlagsegError(
                f"{self._segmentation} has the id {name!r}, which is not made of letters and "
                "digits. Run 'segment' again."
            )
        return name

    def folder_of(self, segmentation_id: str | None = None) -> Path:
        """Folder of the edits of a segmentation, by default the present one; may not exist."""
        return self.folder / (segmentation_id or self.segmentation_id())

    def history(self) -> History:
        """Edits of the present segmentation; the same object until it is segmented anew.

        Where another process has written edits since, they are read again, unless this one
        holds the lock.

        Raises
        ------
        SlagsegError
            If there is no segmentation, or the journal cannot be read.
        """
        name = self.segmentation_id()
        known = self._known(name)
        if known is not None:
            return known
        bases = {array: self.base(array) for array in EDITED}
        history = History(
            self._journal(name),
            {array: EditedVolume(base, array) for array, base in bases.items()},
            require_lock=self._require_lock,
            belongs_to=name,
            largest_label=lambda: self._largest_label(bases["particles"]),
        )
        history.cut, self._cut = self._cut, None
        self._opened = (name, history)
        return history

    def _known(self, name: str) -> History | None:
        """The opened history, unless it is another's or others have written since."""
        if self._opened is None or self._opened[0] != name:
            return None
        history = self._opened[1]
        return history if self._lock.held or not history.behind else None

    def _journal(self, name: str) -> EditJournal:
        return EditJournal(self.folder_of(name) / JOURNAL)

    def digest(self) -> str:
        """Of the edits that changed voxels and hold; empty where the segmentation is as it was.

        Takes milliseconds: no volume is opened, and of the journal the heads are read.

        Raises
        ------
        SlagsegError
            If there is no segmentation, or the journal cannot be read.
        """
        name = self.segmentation_id()
        known = self._known(name)
        if known is not None:
            return known.digest()
        journal = self._journal(name)
        if not journal.exists:
            return ""
        state = (name, stamp(journal.path))
        if self._digest is None or self._digest[0] != state:
            self._digest = (state, read_course(journal).digest())
        return self._digest[1]

    def volume(self, array: str) -> VolumeLike:
        """An array of the present segmentation, as edited; see `Project.segmentation_volume`."""
        base = self.base(array)
        if array not in EDITED or not self.digest():
            return base
        history = self.history()
        if history.stored is None and self._lock.held:
            history.store()
        overlay = history.stored
        if overlay is None:
            return history.volumes[array]
        return StoredEdits(base, str(overlay.path), array) if overlay.chunks.get(array) else base

    def levels(self, array: str, stored: list[VolumeLike]) -> list[VolumeLike]:
        """An array at all resolutions, finest first; see `Project.segmentation_levels`."""
        if array not in EDITED:
            return stored
        live = self.history().volumes[array]
        return [live, *(live.coarse(n, level) for n, level in enumerate(stored[1:], 1))]

    def present(self) -> EarlierEdits | None:
        """Edits of the present segmentation for reading, without volumes; None if there are none.

        Raises
        ------
        SlagsegError
            If there is no segmentation.
        """
        found = EarlierEdits(self.segmentation_id(), self.folder_of() / JOURNAL)
        return found if found.journal.exists else None

    def earlier(self) -> list[EarlierEdits]:
        """Edits of segmentations before the present one, oldest first."""
        present = self.segmentation_id() if self._segmentation.exists() else ""
        return [edits for edits in edits_in(self.folder) if edits.id != present]

    def close(self) -> None:
        """Store the edited chunks of an opened history, so that the next start is quick."""
        if self._opened is None or not self._lock.held or self._lock.borrowed:
            return
        history = self._opened[1]
        if history.unstored >= WORTH_STORING and not history.behind:
            with suppress(SlagsegError):  # the journal has it all
                history.store()

    def base(self, array: str) -> io.ZarrVolume:
        """An array of the present segmentation without edits."""
        found = io.open_zarr_array(self._segmentation, array)
        return io.ZarrVolume(str(self._segmentation), found.path)

    def base_levels(self, array: str) -> list[VolumeLike]:
        """An array of the present segmentation without edits, at all stored resolutions."""
        return list(io.multiscale_levels(self._segmentation, array).levels)

    def recover(self) -> None:
        """Cut off what a kill has left of an edit; only for the holder of the lock.

        Where the journal cannot be read, the error comes when the edits are asked for: the
        other steps do not need them.
        """
        self._require_lock()
        known = self._opened
        if known is not None and known[1].behind:
            self._opened = None  # somebody else had the project open for writing meanwhile
        if not self._segmentation.exists():
            return
        if self._lock.borrowed:
            return  # who lent it may be in the middle of an edit
        try:
            folder = self.folder_of()
            journal = EditJournal(folder / JOURNAL)
            if journal.exists:
                found = read_journal(journal, stored_overlays(folder))
                self._tell_of(journal.mend(found.end))
        except SlagsegError:
            return
        remove_old(folder)

    def _tell_of(self, cut: CutTail | None) -> None:
        """Have the history, opened or yet to open, say what was cut off."""
        if cut is not None and self._opened is not None:
            self._opened[1].cut = cut
        else:
            self._cut = cut

    def _largest_label(self, particles: VolumeLike) -> int:
        known = io.read_zarr_attributes(self._segmentation).get(LARGEST)
        return int(known) if isinstance(known, int) else largest_value(particles)


def largest_value(volume: VolumeLike) -> int:
    """Largest value of a volume, read block by block (64 MiB of uint32 in memory)."""
    z, y, x = volume.shape
    blocks = BlockGrid.of((z, y, x), io.SHARD)
    return max((int(np.asarray(volume[b.box]).max(initial=0)) for b in blocks), default=0)


__all__ = ["EDITED", "ID", "LARGEST", "SegmentationEdits", "largest_value"]
