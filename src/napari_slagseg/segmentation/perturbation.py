"""Labels with boundaries one voxel further out, further in, or here and there.

A segmentation is hardly surer of a boundary than by a voxel. What changes little when every
boundary moves by one is safe from it; what changes much is to be reported with that change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import SlagsegError, VolumeLike

Change = Literal["particles_grown", "particles_shrunk", "target_grown", "target_shrunk", "random"]

CHANGES: tuple[Change, ...] = (
    "particles_grown",
    "particles_shrunk",
    "target_grown",
    "target_shrunk",
    "random",
)
"""What can be done to the labels; each moves boundaries by one voxel."""


@dataclass(frozen=True)
class PerturbedVolume:
    """Labels or phases after a change, worked out as they are read.

    A `VolumeLike`: a box of it reads the box of the originals with one voxel around. It
    gives the same whatever the boxes.

    Attributes
    ----------
    particles, phases : (z, y, x) VolumeLike
        As segmented.
    change : str
        One of `CHANGES`.
    what : {"particles", "phases"}
        Which of the two this is.
    target_ids : tuple of int
        Phases that the target is made of.
    seed : int
    chance : float
    """

    particles: VolumeLike
    phases: VolumeLike
    change: Change
    what: Literal["particles", "phases"]
    target_ids: tuple[int, ...] = ()
    seed: int = 0
    chance: float = 0.5

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        return tuple(self.particles.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the original."""
        return np.dtype((self.particles if self.what == "particles" else self.phases).dtype)

    def __getitem__(self, box: Any, /) -> NDArray[Any]:
        chosen = box if isinstance(box, tuple) else (box,)
        chosen = (*chosen, *(slice(None),) * (3 - len(chosen)))
        slices, single = [], []
        for k, (part, n) in enumerate(zip(chosen, self.shape)):
            if isinstance(part, slice):
                start, stop, step = part.indices(n)
                if step != 1:
                    raise IndexError(f"a volume is read by slices of step 1, not {step}")
                slices.append((start, max(start, stop)))
            else:
                at = range(n)[part]
                slices.append((at, at + 1))
                single.append(k)
        found = self._box([a for a, _ in slices], [b for _, b in slices])
        return found.squeeze(tuple(single)) if single else found

    def _box(self, start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        if self.what == "particles" and self.change.startswith("target"):
            # only phases move
            return np.asarray(self.particles[tuple(slice(a, b) for a, b in zip(start, stop))])
        # numba takes a second to import: only those who perturb wait for it
        from napari_slagseg.segmentation.perturbation_kernel import moved

        low = [max(0, a - 1) for a in start]
        high = [min(n, b + 1) for b, n in zip(stop, self.shape)]
        around = tuple(slice(a, b) for a, b in zip(low, high))
        inner = np.array([[a - s, b - s] for a, b, s in zip(start, stop, low)], dtype=np.int64)
        labels = np.asarray(self.particles[around])
        phases = np.asarray(self.phases[around])
        shape = tuple(int(b - a) for a, b in inner)
        out = np.zeros(shape, dtype=labels.dtype), np.zeros(shape, dtype=phases.dtype)
        if min(shape) > 0:
            moved(
                labels, phases, inner, np.array(low, dtype=np.int64), CHANGES.index(self.change),
                np.array(self.target_ids, dtype=np.int64), np.uint64(self.seed), self.chance, *out,
            )  # fmt: skip
        return out[0] if self.what == "particles" else out[1]


def perturbed(
    particles: VolumeLike,
    phases: VolumeLike,
    change: Change,
    *,
    target_ids: Sequence[int] = (),
    seed: int = 0,
    chance: float = 0.5,
) -> tuple[PerturbedVolume, PerturbedVolume]:
    """Particles and phases with boundaries moved by one voxel; nothing is written or copied.

    Neighbours are the six that share a face; beyond the border of the volume nothing moves.

    Parameters
    ----------
    particles, phases : (z, y, x) VolumeLike
        0 and below is no particle.
    change : str
        ``particles_grown``
            A voxel without a particle that has a neighbour in one joins it, with that
            neighbour's phase; beside several particles it joins the one it shares most faces
            with (of equals, that of the lowest label). So particles never overlap, and
            where two touch nothing moves. Pores narrow, too.
        ``particles_shrunk``
            Voxels with a neighbour of another label become background: particles that
            touch come one or two voxels apart.
        ``target_grown``, ``target_shrunk``
            The same between the target and the other phases of one particle; particles
            stay as they are.
        ``random``
            Every voxel beside another particle or phase takes over, with the probability
            `chance`, what one of these neighbours is. Flat boundaries stay where they are on
            average and become rough.
    target_ids : sequence of int
        Phases that the target is made of; needed for ``target_grown`` and ``target_shrunk``.
    seed : int
        For ``random``.
    chance : float

    Returns
    -------
    particles, phases : PerturbedVolume
        To be measured in place of the originals.

    Raises
    ------
    SlagsegError
        If the shapes differ or are not 3-D, the change is not known, there is no target for it,
        or the chance is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((5, 5, 5), np.uint32)
    >>> labels[2, 2, 2] = 7
    >>> grown, _ = perturbed(labels, labels.astype(np.uint8), "particles_grown")
    >>> int((grown[:] == 7).sum())
    7
    """
    particles, phases = (
        v if isinstance(v, VolumeLike) else np.asarray(v) for v in (particles, phases)
    )
    if len(particles.shape) != 3 or tuple(particles.shape) != tuple(phases.shape):
        raise SlagsegError(
            f"Particles of shape {tuple(particles.shape)} and phases of {tuple(phases.shape)} "
            "cannot be perturbed; both need the same three axes (z, y, x)."
        )
    if change not in CHANGES:
        raise SlagsegError(f"There is no change '{change}'. Choose: {', '.join(CHANGES)}.")
    if change.startswith("target") and not len(target_ids):
        raise SlagsegError(f"'{change}' needs to know which phases are the target; none was given.")
    if not 0 <= chance <= 1 or seed < 0:
        raise SlagsegError(
            f"A chance of {chance} and a seed of {seed} do not work; the chance lies between 0 "
            "and 1, the seed is 0 or above."
        )
    ids = tuple(int(i) for i in target_ids)
    rest = (ids, int(seed), float(chance))
    return (
        PerturbedVolume(particles, phases, change, "particles", *rest),
        PerturbedVolume(particles, phases, change, "phases", *rest),
    )


__all__ = ["CHANGES", "Change", "PerturbedVolume", "perturbed"]
