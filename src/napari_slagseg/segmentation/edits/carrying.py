"""Particles that a user has settled, laid over a new segmentation of the same volume.

Three steps, so that each can be looked at by itself: `shared_voxels` says what a settled
particle shares with the new ones, `settle` decides for all of them together what becomes of
the new particles that they cut, and `lay_over` changes one box. What a rule cannot decide is a
`Clash`: the settled voxels win, the rest keeps its new label, and the user is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, Triple
from napari_slagseg.segmentation.edits.edited import check_box, check_label

ClashKind = Literal["remainder", "cut", "background", "found again", "joined", "overlap"]


@dataclass(frozen=True)
class CarryingRules:
    """When a new particle gives way without the user being asked.

    Attributes
    ----------
    rim : float
        What is left of a new particle that lies mostly within settled ones becomes background
        up to this share of theirs: the same particle, drawn a little wider.
    trim : float
        Share of a new particle that a settled one beside it may take: a border drawn a little
        differently.
    background : float
        Share of a settled particle above which the new segmentation denies it.
    belongs : float
        Share of a settled particle from which it counts as part of a new one.
    """

    rim: float = 0.10
    trim: float = 0.10
    background: float = 0.5
    belongs: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise SlagsegError(f"The share '{name}' is {value}; it must lie between 0 and 1.")


@dataclass(frozen=True)
class Shared:
    """What a settled particle, or a deleted one, shares with a new segmentation.

    Attributes
    ----------
    label : int
        Of the settled particle; of a deleted one, the number that it had.
    voxels : int
        Its size.
    with_new : mapping of int to int
        Voxels shared with each new particle; 0 is the new background.
    places : mapping of int to (z, y, x)
        For each of these a shared voxel in the midst of the shared ones.
    deleted : bool
        Whether the user made it background.
    """

    label: int
    voxels: int
    with_new: Mapping[int, int]
    places: Mapping[int, Triple]
    deleted: bool = False


@dataclass(frozen=True)
class Clash:
    """What the rules do not decide.

    Attributes
    ----------
    kind : str
        ``"remainder"``: much of a new particle is left beside the settled one that took most
        of it. ``"cut"``: a settled particle takes much of a new one beside it.
        ``"background"``: the new segmentation sees background there. ``"found again"``: a
        deleted particle is back. ``"joined"``: a new particle covers several settled ones.
        ``"overlap"``: two settled particles claim the same voxels.
    label : int
        The settled particle, by the number that it had.
    partner : int
        The other one: a new particle, for "overlap" the settled one that was there; 0 none.
    voxels : int
        That it is about.
    place : (z, y, x)
        A voxel to look at.
    """

    kind: ClashKind
    label: int
    partner: int
    voxels: int
    place: Triple


@dataclass(frozen=True)
class Settlement:
    """What becomes of the new particles.

    Attributes
    ----------
    rims : mapping of int to int
        New particles whose rest becomes background, and the settled one that takes them there.
    absorbed : tuple of int
        New particles of which nothing is left.
    trimmed : tuple of int
        New particles that lose a few voxels.
    clashes : tuple of Clash
    """

    rims: Mapping[int, int] = field(default_factory=dict)
    absorbed: tuple[int, ...] = ()
    trimmed: tuple[int, ...] = ()
    clashes: tuple[Clash, ...] = ()


@dataclass(frozen=True)
class Laid:
    """A box with a settled particle in it.

    Attributes
    ----------
    labels : (z, y, x) uint32
    phases : (z, y, x) uint8
    left : mapping of int to int
        Voxels that were left to particles that may not be touched, by their labels.
    """

    labels: NDArray[np.uint32]
    phases: NDArray[np.uint8]
    left: Mapping[int, int]


def shared_voxels(
    label: int,
    inside: NDArray[np.bool_],
    new: NDArray[Any],
    start: Triple = (0, 0, 0),
    *,
    deleted: bool = False,
) -> Shared:
    """Count what a settled particle shares with each new one.

    Parameters
    ----------
    label : int
        Its number.
    inside : (z, y, x) bool
        Its voxels.
    new : (z, y, x) integer
        The new particles in the same box.
    start : (z, y, x)
        First voxel of the box in the volume.
    deleted : bool
        Whether these are the voxels of one that the user deleted.

    Raises
    ------
    SlagsegError
        If the shapes differ or there is no voxel.
    """
    if inside.shape != new.shape:
        raise SlagsegError(
            f"Particle {label} comes in a box of {inside.shape} voxels and the new ones in one of "
            f"{new.shape}; both must be the same box."
        )
    at = np.argwhere(inside)
    if not len(at):
        raise SlagsegError(f"Particle {label} has no voxel in its box.")
    values = new[inside]
    found, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    places: dict[int, Triple] = {}
    for i, value in enumerate(found):
        here = at[which == i]
        middle = here[((here - here.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        z, y, x = (int(m) + s for m, s in zip(middle, start))
        places[int(value)] = (z, y, x)
    with_new = {int(value): int(n) for value, n in zip(found, counts)}
    return Shared(label, len(at), with_new, places, deleted)


def settle(
    pieces: Collection[Shared],
    sizes: Mapping[int, int],
    rules: CarryingRules | None = None,
) -> Settlement:
    """Decide what becomes of the new particles that settled and deleted ones cut.

    Parameters
    ----------
    pieces : collection of Shared
        All settled and deleted particles; none shares a voxel with another.
    sizes : mapping of int to int
        Voxels of each new particle.
    rules : CarryingRules, optional

    Returns
    -------
    Settlement

    Raises
    ------
    SlagsegError
        If a new particle has no size, or fewer voxels than are shared with it.
    """
    rules = rules or CarryingRules()
    cutting: dict[int, list[Shared]] = defaultdict(list)
    clashes = []
    for piece in pieces:
        for new in piece.with_new:
            if new > 0:
                cutting[new].append(piece)
        nothing = piece.with_new.get(0, 0)
        if not piece.deleted and nothing > rules.background * piece.voxels:
            clashes.append(Clash("background", piece.label, 0, nothing, piece.places[0]))
    rims: dict[int, int] = {}
    absorbed, trimmed = [], []
    for new, cut_by in sorted(cutting.items()):
        cut_by.sort(key=lambda piece: (-piece.with_new[new], piece.label))
        first, size = cut_by[0], sizes.get(new, 0)
        taken = sum(piece.with_new[new] for piece in cut_by)
        if size < taken:
            raise SlagsegError(
                f"The new particle {new} is said to have {size} voxels, but shares {taken} with "
                "settled ones. Were they counted in the same segmentation?"
            )
        rest = size - taken
        within = [p for p in cut_by if p.with_new[new] >= rules.belongs * p.voxels]
        mostly = taken > rest
        told = _found_again(new, cut_by, size, rules)
        kept = [piece for piece in within if not piece.deleted]
        if len(kept) > 1:
            told.append(Clash("joined", kept[0].label, new, size, kept[0].places[new]))
        if rest == 0:
            absorbed.append(new)
        elif mostly and rest <= rules.rim * sum(p.voxels for p in within or [first]):
            rims[new] = first.label
        elif mostly:
            told.append(Clash("remainder", first.label, new, rest, first.places[new]))
        elif taken > rules.trim * size:
            if not told:
                told.append(Clash("cut", first.label, new, taken, first.places[new]))
        else:
            trimmed.append(new)
        clashes += told
    return Settlement(rims, tuple(absorbed), tuple(trimmed), tuple(clashes))


def _found_again(new: int, cut_by: list[Shared], size: int, rules: CarryingRules) -> list[Clash]:
    """Deleted particles that a new one brings back."""
    return [
        Clash("found again", piece.label, new, piece.with_new[new], piece.places[new])
        for piece in cut_by
        if piece.deleted and piece.with_new[new] >= rules.belongs * min(piece.voxels, size)
    ]


def lay_over(
    labels: NDArray[np.uint32],
    phases: NDArray[np.uint8],
    inside: NDArray[np.bool_],
    label: int,
    *,
    old_phases: NDArray[np.uint8] | None = None,
    relabelled: NDArray[np.bool_] | None = None,
    erase: Collection[int] = (),
    held: Collection[int] = (),
) -> Laid:
    """Put a settled particle into a box of the new segmentation, or take a deleted one out.

    Parameters
    ----------
    labels, phases : (z, y, x) uint32, uint8
        The new segmentation; not changed.
    inside : (z, y, x) bool
        The particle's voxels.
    label : int
        Its number from now on; 0 makes its voxels background.
    old_phases : (z, y, x) uint8, optional
        Phases that it had. They are taken where the new segmentation has none, and where
        they were chosen by hand.
    relabelled : (z, y, x) bool, optional
        Where they were.
    erase : collection of int
        New particles whose voxels in the box become background.
    held : collection of int
        Particles whose voxels stay as they are.

    Returns
    -------
    Laid

    Raises
    ------
    SlagsegError
        If shapes or types differ, or the label is in the box already.
    """
    check_box(labels, phases=phases, inside=inside, old_phases=old_phases, relabelled=relabelled)
    if label:
        check_label(label)
        if (labels == label).any():
            raise SlagsegError(
                f"The number {label} belongs to another particle already; carried ones need "
                "numbers above all that were ever used."
            )
    theirs = np.isin(labels, list(held)) & inside if held else np.zeros_like(inside)
    found, counts = np.unique(labels[theirs], return_counts=True)
    own = inside & ~theirs
    gone = np.isin(labels, list(erase)) & ~own if erase else np.zeros_like(inside)
    changed, painted = labels.copy(), phases.copy()
    changed[own] = label
    changed[gone] = 0
    painted[gone] = 0
    if not label:
        painted[own] = 0
    elif old_phases is not None:
        taken = own & (phases == 0)
        if relabelled is not None:
            taken |= own & relabelled
        painted[taken] = old_phases[taken]
    return Laid(changed, painted, {int(v): int(n) for v, n in zip(found, counts)})


__all__ = [
    "CarryingRules",
    "Clash",
    "ClashKind",
    "Laid",
    "Settlement",
    "Shared",
    "lay_over",
    "settle",
    "shared_voxels",
]
