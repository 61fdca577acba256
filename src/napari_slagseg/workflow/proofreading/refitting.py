"""Doing edits of one segmentation again on another one of the same volume.

Particles have other numbers there. Which one an edit means is told by the voxels that it
changed, by a voxel that it noted of a particle that only grew (`SEEN`), and by the edits before
it. A voxel *fits* where the other segmentation holds what the edit found there, or already what
it made of it.

What deletes or merges whole particles is done with the whole particles that are there now, if
they are the same (`counterparts.SAME`): voxel by voxel, it would leave crumbs of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import Action, Delta, EditedVolume, SlagsegError
from napari_slagseg.workflow.proofreading.counterparts import SAME, counterpart
from napari_slagseg.workflow.proofreading.places import values_in

SEEN = "seen"
"""Parameter of an action: a voxel (z, y, x), before it, of each particle that it only adds to."""

Fate = Literal["whole", "again", "in part", "conflict"]

OF_WHOLE_PARTICLES = ("delete", "merge")
"""Kinds of edits that give all of a particle one number."""


@dataclass(frozen=True)
class Refitted:
    """What became of an edit.

    Attributes
    ----------
    fate : {"whole", "again", "in part", "conflict"}
        All of its voxels fitted, and no others were changed; it was done with the same particles,
        which have a few other voxels now; enough voxels fitted, and only those were changed;
        nothing was changed.
    fits, voxels : int
        Voxels that fitted, of all that the edit had changed.
    why : str
        Of a conflict.
    """

    fate: Fate
    fits: int
    voxels: int
    why: str = ""


class _ConflictError(Exception):
    def __init__(self, why: str, fits: int = 0) -> None:
        super().__init__(why)
        self.fits = fits


class Refit:
    """Does actions again, oldest first, and keeps what their particles are called now.

    Parameters
    ----------
    volumes : mapping of array to EditedVolume
        The other segmentation; gets the edits.
    largest_then : int
        Largest particle of the segmentation that the actions were made on; larger numbers are
        of particles that the actions made.
    largest_now : int
        Of the other one; new particles are numbered from there on.
    at_least : float
        Share of an action's voxels that must fit; the others are then left as they are.
    """

    def __init__(
        self,
        volumes: Mapping[str, EditedVolume],
        largest_then: int,
        largest_now: int,
        at_least: float = 1.0,
    ) -> None:
        if not 0 < at_least <= 1:
            raise SlagsegError(
                f"The share of voxels that must fit is {at_least}; it must lie above 0 and be at "
                "most 1."
            )
        self.largest = largest_now
        self._volumes = volumes
        self._then = largest_then
        self._at_least = at_least
        self._names: dict[int, int] = {0: 0}

    def do(self, action: Action) -> Refitted:
        """Do an action again, or leave the volumes as they are where it does not fit."""
        names, largest = dict(self._names), self.largest
        done: list[Delta] = []
        try:
            whole = _of_whole_particles(action)
            if whole is not None:
                return self._with_whole(action, whole, done)
            return self._by_voxels(action, done)
        except (_ConflictError, SlagsegError) as error:
            for delta in reversed(done):
                self._volumes[delta.array].write(delta.inverse())
            self._names, self.largest = names, largest
            fits = error.fits if isinstance(error, _ConflictError) else 0
            return Refitted("conflict", fits, action.voxels, str(error))

    def _by_voxels(self, action: Action, done: list[Delta]) -> Refitted:
        fits, voxels = 0, action.voxels
        seen = action.parameters.get(SEEN) or {}
        for delta in action.deltas:
            made, fitting = self._refitted(delta, self._volume(delta.array), seen)
            fits += fitting
            self._write(made, done)
        if fits < self._at_least * voxels:
            raise _ConflictError(
                f"{voxels - fits:,} of its {voxels:,} voxels hold something else now", fits
            )
        return Refitted("whole" if fits == voxels else "in part", fits, voxels)

    def _with_whole(self, action: Action, delta: Delta, done: list[Delta]) -> Refitted:
        """Delete or merge the particles that are there now."""
        volume = self._volume(delta.array)
        if any(b > n for b, n in zip(delta.stop, volume.shape)):
            raise _ConflictError("it lies outside the volume")
        found = np.asarray(volume[delta.box]).reshape(-1)[delta.places]
        self._meet(delta.old, found)
        self._meet_seen(delta.new[:1], volume, action.parameters.get(SEEN) or {})
        value, fits, exact = self._names[int(delta.new[0])], 0, True
        for label in np.unique(delta.old).tolist():
            which = delta.old == label
            now = self._names[label]
            if now == value:
                raise _ConflictError(f"particle {label} is one with what it was merged with")
            if not (found[which] == now).any():
                raise _ConflictError(f"particle {label} is not there any more")
            same = counterpart(volume, now, delta, which)
            if same.overlap <= SAME:
                raise _ConflictError(
                    f"particle {label} is another one now: they share {same.overlap:.0%} of their "
                    "voxels"
                )
            fits, exact = fits + same.shared, exact and same.overlap == 1
            for array in {d.array for d in action.deltas} - {delta.array}:
                # only deleting changes phases: they go with the particle
                self._write(same.changed(self._volume(array), 0), done)
            self._write(same.changed(volume, value), done)
        return Refitted("whole" if exact else "again", fits, len(delta))

    def _volume(self, array: str) -> EditedVolume:
        if array not in self._volumes:
            raise _ConflictError(f"there are no {array}")
        return self._volumes[array]

    def _write(self, delta: Delta, done: list[Delta]) -> None:
        if len(delta):
            self._volumes[delta.array].write(delta)
            done.append(delta)

    def _refitted(
        self, delta: Delta, volume: EditedVolume, seen: Mapping[str, Any]
    ) -> tuple[Delta, int]:
        """The delta as it is to be made now, and how many of its voxels fit."""
        if any(b > n for b, n in zip(delta.stop, volume.shape)):
            raise _ConflictError("it lies outside the volume")
        found = np.asarray(volume[delta.box]).reshape(-1)[delta.places]
        old, new = delta.old, delta.new
        if delta.array == "particles":
            self._meet(old, found)
            old = self._renamed(old)
            self._meet_seen(new, volume, seen)
            new = self._renamed(new)
        fits = (found == old) | (found == new)
        changes = (found == old) & (old != new)
        made = Delta(
            delta.array,
            delta.start,
            delta.shape,
            delta.places[changes],
            old[changes].astype(delta.old.dtype),
            new[changes].astype(delta.old.dtype),
        )
        return made, int(fits.sum())

    def _meet(self, old: NDArray[Any], found: NDArray[Any]) -> None:
        """Learn what particles are called now, from what lies where they were changed."""
        for label in np.unique(old).tolist():
            if label in self._names:
                continue
            if label > self._then:
                raise _ConflictError(
                    f"particle {label} comes from an earlier edit, which does not hold here"
                )
            present, counts = np.unique(found[old == label], return_counts=True)
            most = int(np.argmax(counts))
            if 2 * counts[most] <= counts.sum() or not present[most]:
                raise _ConflictError(f"particle {label} is not there any more")
            self._names[label] = int(present[most])

    def _meet_seen(self, new: NDArray[Any], volume: EditedVolume, seen: Mapping[str, Any]) -> None:
        """Learn what particles are called that an edit only adds to, and number new ones."""
        for label in np.unique(new).tolist():
            if label in self._names:
                continue
            if label > self._then:
                self.largest += 1
                if self.largest > np.iinfo(volume.dtype).max:
                    raise _ConflictError(f"{volume.dtype} has no room for another particle")
                self._names[label] = self.largest
                continue
            now = _at(volume, seen.get(str(label)))
            if not now:
                raise _ConflictError(f"particle {label}, which it adds to, is not there any more")
            self._names[label] = now

    def _renamed(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        values, places = np.unique(labels, return_inverse=True)
        names = np.array([self._names[n] for n in values.tolist()], np.int64)
        return names[places.reshape(-1)]


def _of_whole_particles(action: Action) -> Delta | None:
    """The change of an action that gives whole particles one number; None for another one."""
    deltas = [d for d in action.deltas if d.array == "particles"]
    if action.kind not in OF_WHOLE_PARTICLES or len(deltas) != 1 or not len(deltas[0]):
        return None
    delta = deltas[0]
    if 0 in delta.old or (delta.new != delta.new[0]).any():
        return None
    if delta.new[0] and len(action.deltas) > 1:
        return None  # a merge that changed phases, too, is no mere merge
    return delta


def seen_of(
    delta: Delta, particles: NDArray[Any], start: Sequence[int]
) -> dict[str, dict[str, list[int]]]:
    """The parameter `SEEN` of an edit; empty where it adds to no particle that was there.

    Parameters
    ----------
    delta : Delta
        What it changes.
    particles : (z, y, x)
        A box of the particles before the edit.
    start : (z, y, x)
        First voxel of the box.
    """
    if delta.array != "particles":
        return {}
    grown = set(values_in(delta.new)) - set(values_in(delta.old)) - {0}
    seen = {}
    for label in sorted(grown):
        places = np.flatnonzero(particles == label)
        if len(places):
            # in the middle of them, which lies the least at its rim
            voxel = np.unravel_index(int(places[len(places) // 2]), particles.shape)
            seen[str(label)] = [int(v) + int(a) for v, a in zip(voxel, start)]
    return {SEEN: seen} if seen else {}


def _at(volume: EditedVolume, voxel: Sequence[int] | None) -> int:
    if voxel is None:
        return 0
    z, y, x = (int(n) for n in voxel)
    if not all(0 <= a < n for a, n in zip((z, y, x), volume.shape)):
        return 0
    return int(volume[z, y, x])


__all__ = ["SEEN", "Fate", "Refit", "Refitted", "seen_of"]
