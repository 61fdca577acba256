"""What a user changed in labels: boxes of changed voxels, and the actions they belong to."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data.blocks import Box, Triple
from napari_slagseg.data.box_around import box_around
from napari_slagseg.data.errors import SlagsegError


@dataclass(frozen=True, eq=False)
class Delta:
    """Voxels of a box that changed, with the values before and after.

    Attributes
    ----------
    array : str
        Which labels: ``"particles"`` or ``"phases"``.
    start : (z, y, x)
        First voxel of the box in the volume.
    shape : (z, y, x)
        Of the box.
    places : (n,) uint32 or int64
        Flat (C order) places of the changed voxels in the box, rising.
    old, new : (n,)
        Values before and after, of the array's type.

    Raises
    ------
    SlagsegError
        If the arrays do not fit each other, or a place lies outside the box.
    """

    array: str
    start: Triple
    shape: Triple
    places: NDArray[Any]
    old: NDArray[Any]
    new: NDArray[Any]

    def __post_init__(self) -> None:
        for name in ("start", "shape"):
            z, y, x = (int(n) for n in getattr(self, name))
            object.__setattr__(self, name, (z, y, x))
        for name in ("places", "old", "new"):
            kept = np.asarray(getattr(self, name)).view()
            kept.flags.writeable = False  # one history shares it with many readers
            object.__setattr__(self, name, kept)
        self._check()

    def _check(self) -> None:
        n = len(self.places)
        if min(self.start) < 0 or min(self.shape) < 0:
            raise SlagsegError(f"An edit in a box at {self.start} of {self.shape} voxels has none.")
        if self.places.ndim != 1 or self.old.shape != (n,) or self.new.shape != (n,):
            raise SlagsegError(
                f"An edit of {self.array} has {self.places.shape} places, {self.old.shape} old and "
                f"{self.new.shape} new values; it needs as many of each, in a row."
            )
        if self.old.dtype != self.new.dtype or self.places.dtype.kind not in "iu":
            raise SlagsegError(
                f"An edit of {self.array} changes {self.old.dtype} to {self.new.dtype} at places "
                f"of type {self.places.dtype}; old and new need one type, places whole numbers."
            )
        if n and not (
            int(self.places[0]) >= 0
            and int(self.places[-1]) < math.prod(self.shape)
            and bool((self.places[1:] > self.places[:-1]).all())
        ):
            raise SlagsegError(
                f"Places of an edit of {self.array} do not rise from 0 to below "
                f"{math.prod(self.shape)}, the size of its box of {self.shape} voxels."
            )

    def __len__(self) -> int:
        return len(self.places)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Delta):
            return NotImplemented
        return (self.array, self.start, self.shape, self.old.dtype) == (
            other.array,
            other.start,
            other.shape,
            other.old.dtype,
        ) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("places", "old", "new")
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def stop(self) -> Triple:
        """First voxel beyond the box."""
        z, y, x = (a + n for a, n in zip(self.start, self.shape))
        return z, y, x

    @property
    def box(self) -> Box:
        """The box in the volume."""
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop))
        return z, y, x

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays in memory."""
        return int(self.places.nbytes + self.old.nbytes + self.new.nbytes)

    def inverse(self) -> Delta:
        """The edit that takes this one back."""
        return replace(self, old=self.new, new=self.old)

    def apply(self, values: NDArray[Any]) -> None:
        """Make the change in an array of the box, in place.

        Parameters
        ----------
        values : (z, y, x)
            Of the box's shape and the edit's type.

        Raises
        ------
        SlagsegError
            If the array is another, or does not hold the old values; it is then as it was.
        """
        if values.shape != self.shape or values.dtype != self.old.dtype:
            raise SlagsegError(
                f"An edit of {self.shape} voxels of {self.array} ({self.old.dtype}) does not go "
                f"into an array of {values.shape} ({values.dtype})."
            )
        check_old(self, values.take(self.places), slice(None))
        # not `put`: it would work on a copy where the box is a part of a larger array
        values[np.unravel_index(self.places, self.shape)] = self.new


def check_old(delta: Delta, found: NDArray[Any], which: Any) -> None:
    """Refuse an edit whose old values are not what is there.

    Parameters
    ----------
    delta : Delta
    found : (m,)
        What is there, at some of its places.
    which : index
        Those places, of all of the delta's.

    Raises
    ------
    SlagsegError
    """
    differs = found != delta.old[which]
    if not differs.any():
        return
    first = int(np.flatnonzero(differs)[0])
    place = np.unravel_index(int(delta.places[which][first]), delta.shape)
    voxel = tuple(int(p) + a for p, a in zip(place, delta.start))
    raise SlagsegError(
        f"An edit does not fit the {delta.array}: voxel {voxel} (z, y, x) holds "
        f"{found[first]}, where the edit found {delta.old[which][first]}; "
        f"{int(differs.sum())} voxels differ. The labels were changed since by something else; "
        "open the project again and repeat the edit."
    )


def delta_between(array: str, start: Triple, before: NDArray[Any], after: NDArray[Any]) -> Delta:
    """Change from a box as it was to the box as it is.

    Parameters
    ----------
    array : str
        ``"particles"`` or ``"phases"``.
    start : (z, y, x)
        First voxel of the box in the volume.
    before, after : (z, y, x)
        The box; of one shape and type.

    Returns
    -------
    Delta
        In the smallest box around the changes; without a place where there are none.

    Raises
    ------
    SlagsegError
        If the two are not of one shape and type.

    Examples
    --------
    >>> before = np.zeros((4, 4, 4), np.uint32)
    >>> after = before.copy()
    >>> after[1, 2, 3] = 7
    >>> delta = delta_between("particles", (10, 0, 0), before, after)
    >>> delta.start, delta.shape, delta.new.tolist()
    ((11, 2, 3), (1, 1, 1), [7])
    """
    if before.ndim != 3 or before.shape != after.shape or before.dtype != after.dtype:
        raise SlagsegError(
            f"A box of {before.shape} voxels ({before.dtype}) of {array} cannot become one of "
            f"{after.shape} ({after.dtype}); both need the same three axes and type."
        )
    changed = before != after
    nothing = slice(0, 0)
    inner = box_around(changed, margin=0) or (nothing, nothing, nothing)
    changed = changed[inner]
    places = np.flatnonzero(changed)
    if changed.size <= 1 << 32:
        places = places.astype(np.uint32)
    z, y, x = (int(a) + s.start for a, s in zip(start, inner))
    return Delta(
        array,
        (z, y, x),
        changed.shape,  # type: ignore[arg-type]
        places,
        before[inner][changed],
        after[inner][changed],
    )


@dataclass(frozen=True)
class Action:
    """One thing that a user did.

    Attributes
    ----------
    kind : str
        ``"split"``, ``"merge"``, ``"delete"``, ``"paint"``, ...
    parameters : mapping
        JSON values, enough to do it again on another segmentation: points, strokes, labels.
    deltas : tuple of Delta
        What it changed, in order; none for one that only judges ("lock").
    labels_before, labels_after : tuple of int
        Particles that it touched, as they were called before and after.
    who, when : str
        User, and time (UTC, ISO 8601); the history fills them in where they are empty.
    id : str
        Of its own, for references.
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    deltas: tuple[Delta, ...] = ()
    labels_before: tuple[int, ...] = ()
    labels_after: tuple[int, ...] = ()
    who: str = ""
    when: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        object.__setattr__(self, "deltas", tuple(self.deltas))
        for name in ("labels_before", "labels_after"):
            object.__setattr__(self, name, tuple(int(n) for n in getattr(self, name)))

    def inverse(self) -> Action:
        """The action that takes this one back."""
        return replace(
            self,
            deltas=tuple(d.inverse() for d in reversed(self.deltas)),
            labels_before=self.labels_after,
            labels_after=self.labels_before,
        )

    @property
    def voxels(self) -> int:
        """Voxels that it changed, counted once for every delta."""
        return sum(len(d) for d in self.deltas)


__all__ = ["Action", "Delta", "check_old", "delta_between"]
