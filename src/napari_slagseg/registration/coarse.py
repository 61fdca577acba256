"""Coarse search: where in the CT, at which angle and which way round?

Round patches of the map are correlated with every slice of the CT by FFT, for both
mirror states and all in-plane angles; each patch's best height is added up at the
patches' relative offsets; then the patches vote for one plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import CancelToken, Progress, ProgressEvent, stop_if_cancelled
from napari_slagseg.registration.fractions import FractionImages
from napari_slagseg.registration.patches import choose_patches, template_of
from napari_slagseg.registration.plane_vote import add_patches, vote_at
from napari_slagseg.registration.pyramid import Block, FloatArray
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.slice_correlator import (
    Correlator,
    CorrelatorFactory,
    SliceCorrelator,
)

AT_ONCE = 4
"""Poses whose patches are correlated together, so that no thread waits for another."""


@dataclass(frozen=True)
class SearchSpace:
    """What is known beforehand; all heights, angles and mirror states if nothing is.

    Attributes
    ----------
    heights : (low, high) or None
        Lengths between which the map's centre lies.
    angles_deg : (low, high) or None
    mirrors : tuple of bool
    centre : (y, x, radius) or None
        Lengths: the map's centre lies within `radius` of (y, x).
    """

    heights: tuple[float, float] | None = None
    angles_deg: tuple[float, float] | None = None
    mirrors: tuple[bool, ...] = (False, True)
    centre: tuple[float, float, float] | None = None

    def angles(self, step: float) -> FloatArray:
        """Angles to try, in degrees."""
        if self.angles_deg is None:
            return np.arange(0.0, 360.0, 360.0 / max(1, round(360.0 / step)))
        low, high = self.angles_deg
        return np.linspace(low, high, max(1, int(np.ceil((high - low) / step)) + 1))


@dataclass(frozen=True)
class Candidate:
    """A pose the coarse search found.

    Attributes
    ----------
    votes : float
        Mean correlation of the patches on the plane.
    centre : (3,) float64
        Lengths of the map's centre.
    angle_deg, mirrored
    slopes : (float, float)
        Height gained per length along y and x.
    """

    votes: float
    centre: FloatArray
    angle_deg: float
    mirrored: bool
    slopes: tuple[float, float]

    def distinct_from(self, other: Candidate, distance: float, angle: float) -> bool:
        """Whether this is another pose, not the same one a few pixels off."""
        turn = abs((self.angle_deg - other.angle_deg + 180.0) % 360.0 - 180.0)
        apart = float(np.abs(self.centre - other.centre).max())
        return self.mirrored != other.mirrored or turn > angle or apart > distance


def coarse_search(
    block: Block,
    images: FractionImages,
    grey: NDArray[np.float32],
    map_centre: tuple[float, float],
    space: SearchSpace,
    settings: RegistrationSettings,
    *,
    workers: int,
    correlator: CorrelatorFactory | None = None,
    number: int | None = None,
    progress: Progress,
    cancel: CancelToken | None,
) -> list[Candidate]:
    """Search a block of one coarse level for the poses a map may have.

    Parameters
    ----------
    block : Block
        The whole CT at the coarse level (or the slices in question).
    images : FractionImages
        The map at about the same pitch.
    grey : (row, column) float32
        Expected grey value.
    map_centre : (row, column)
        The map's centre in pixels of `images`.
    space : SearchSpace
    settings : RegistrationSettings
    workers : int
        Threads.
    correlator : CorrelatorFactory, optional
        Another one than `SliceCorrelator`, for example on a GPU.
    number : int, optional
        How many candidates are wanted; none given: the settings'.
    progress, cancel

    Returns
    -------
    list of Candidate
        Distinct poses, best first.
    """
    block = _between(block, space.heights, float(np.hypot(*images.known.shape)) * images.pitch / 2,
                     settings.maximum_tilt_deg)  # fmt: skip
    radius = _radius(images, block, settings)
    slices = (correlator or SliceCorrelator)(block, radius, workers)
    search = _PatchSearch(block, images, grey, map_centre, space, settings, slices, radius)
    angles = search.angles
    poses = [(mirrored, float(angle)) for mirrored in space.mirrors for angle in angles]
    # the first look is at pairs of neighbouring angles
    pairs = [
        (mirrored, [float(angle) for angle in angles[k : k + 2]])
        for mirrored in space.mirrors
        for k in range(0, len(angles), 2)
    ]
    n, few, kept = len(search.patches), settings.first_patches, settings.kept_angles
    two_looks = n > few and len(poses) > kept
    total = len(pairs) * few + kept * n if two_looks else len(poses) * n
    done = 0

    def advance(patches: int) -> None:
        nonlocal done
        stop_if_cancelled(cancel)
        progress(ProgressEvent("searching all poses", min(done / total, 1.0)))
        done += patches

    if two_looks:  # most angles are ruled out by a few patches
        best: list[float] = []
        for first in range(0, len(pairs), AT_ONCE):
            some = pairs[first : first + AT_ONCE]
            advance(few * len(some))
            best += search.standing(some, few)
        order = np.argsort(best, kind="stable")[::-1][: -(-kept // 2)]
        poses = [(pairs[k][0], angle) for k in sorted(order) for angle in pairs[k][1]]
    found: list[Candidate] = []
    for mirrored, angle in poses:
        advance(n)
        found += search.candidates(mirrored, angle)
    return distinct_candidates(
        found, 4.0 * float(block.pitch[1]), 10.0, number or settings.candidates
    )


class _PatchSearch:
    """Patches of one map and the slices that they are looked for in."""

    def __init__(
        self,
        block: Block,
        images: FractionImages,
        grey: NDArray[np.float32],
        map_centre: tuple[float, float],
        space: SearchSpace,
        settings: RegistrationSettings,
        slices: Correlator,
        radius: float,
    ) -> None:
        self._block, self._images, self._grey, self._space = block, images, grey, space
        self._slices, self._positions = slices, settings.positions_per_angle
        self.patches = choose_patches(
            images, grey, radius * block.pitch[1] / images.pitch, settings.maximum_patches
        )
        self._offsets = np.array(self.patches, dtype=np.float64) - np.asarray(map_centre)
        self.angles = space.angles(settings.angle_step_deg)
        half_step = settings.angle_step_deg / 2
        if space.angles_deg is not None and len(self.angles) > 1:
            half_step = float(self.angles[1] - self.angles[0]) / 2
        self._subs = [
            (2 * k + 1 - settings.sub_angles) / settings.sub_angles * half_step
            for k in range(settings.sub_angles)
        ]
        self._steepest = (
            np.tan(np.radians(settings.maximum_tilt_deg)) * block.pitch[1:] / block.pitch[0]
        )
        self._volumes: NDArray[np.float32] | None = None

    def standing(self, some: list[tuple[bool, list[float]]], number: int) -> list[float]:
        """Best sum of the first patches for each (mirrored, angles); the angles share templates."""
        peaks = self._slices.correlate(
            [
                t
                for mirrored, angles in some
                for t in self._templates(mirrored, float(np.mean(angles)), number)
            ]
        )
        out = []
        for k, (mirrored, angles) in enumerate(some):
            shifts = self._shifts(mirrored, [a + sub for a in angles for sub in self._subs], number)
            out.append(float(self._sum(peaks[k * number : (k + 1) * number], shifts).max()))
        return out

    def candidates(self, mirrored: bool, angle: float) -> list[Candidate]:
        """The best positions at an angle, with the planes that the patches vote for."""
        n, block, slices = len(self.patches), self._block, self._slices
        if self._volumes is None:
            self._volumes = np.empty((n, len(block.data), *slices.padded), dtype=np.float32)
        shifts = self._shifts(mirrored, [angle + sub for sub in self._subs], n)
        peaks = slices.correlate(self._templates(mirrored, angle, n), self._volumes)
        places = _best_positions(self._sum(peaks, shifts), self._positions)
        voted = vote_at(self._volumes, shifts, places, *self._heights(), self._steepest)
        found = []
        for (sub, y, x), (votes, z, slope_y, slope_x) in zip(places, voted):
            at = np.array([z, y - slices.margin[0], x - slices.margin[1]])
            slopes = np.array([slope_y, slope_x]) * block.pitch[0] / block.pitch[1:]
            found.append(
                Candidate(
                    float(votes),
                    block.origin + (at + 0.5) * block.pitch,
                    angle + self._subs[sub],
                    mirrored,
                    (float(slopes[0]), float(slopes[1])),
                )
            )
        return found

    def _heights(self) -> tuple[float, float]:
        """Slices between which the map's centre lies."""
        block, last = self._block, len(self._block.data) - 1
        if self._space.heights is None:
            return 0.0, float(last)
        low, high = (
            float(np.clip((h - block.origin[0]) / block.pitch[0] - 0.5, 0, last))
            for h in self._space.heights
        )
        return low, high

    def _templates(self, mirrored: bool, angle: float, number: int) -> list[NDArray[np.float32]]:
        """The first patches as they would lie in the CT."""
        turn, images = _turn(angle, mirrored), self._images
        # CT pixel -> length -> map pixel
        scale = np.diag(self._block.pitch[1:]) / images.pitch
        into_map = np.asarray(np.linalg.inv(turn) @ scale, np.float64)
        return [
            template_of(self._grey, images.known, centre, into_map, self._slices.disc)
            for centre in self.patches[:number]
        ]

    def _shifts(self, mirrored: bool, angles: list[float], number: int) -> NDArray[np.float64]:
        """(angle, patch, 2) where the patches lie, in CT pixels from the map's centre."""
        turns = np.stack([_turn(angle, mirrored) for angle in angles])
        lengths = (self._offsets[:number] * self._images.pitch) @ turns.transpose(0, 2, 1)
        return np.asarray(lengths / self._block.pitch[1:], np.float64)

    def _sum(self, peaks: NDArray[np.float32], shifts: NDArray[np.float64]) -> NDArray[np.float32]:
        summed = add_patches(peaks, shifts)
        if self._space.centre is not None:
            _restrict(summed, self._space.centre, self._block, self._slices.margin)
        return summed


def _between(
    block: Block, heights: tuple[float, float] | None, half_map: float, tilt_deg: float
) -> Block:
    """The slices of a block that a map can reach whose middle lies between two heights."""
    if heights is None:
        return block
    room = half_map * float(np.tan(np.radians(tilt_deg)))
    ends = ((h - block.origin[0]) / block.pitch[0] for h in (heights[0] - room, heights[1] + room))
    depth = block.data.shape[0]
    first = int(np.clip(np.floor(next(ends)), 0, depth - 1))
    last = int(np.clip(np.ceil(next(ends)), first + 1, depth))
    origin = block.origin + np.array([first * block.pitch[0], 0.0, 0.0])
    return Block(block.data[first:last], origin, block.pitch)


def _radius(images: FractionImages, block: Block, settings: RegistrationSettings) -> float:
    """Patch radius in CT pixels: smaller where the map is too small for the usual one."""
    side = min(images.known.shape) * images.pitch / float(block.pitch[1])
    return float(max(5.0, min(settings.patch_radius, 0.3 * side)))


def _turn(angle_deg: float, mirrored: bool) -> FloatArray:
    """Matrix from map (row, column) to CT (y, x)."""
    angle = np.radians(angle_deg)
    sign = -1.0 if mirrored else 1.0
    return np.array([[sign * np.cos(angle), np.sin(angle)], [-sign * np.sin(angle), np.cos(angle)]])


def _restrict(
    summed: NDArray[np.float32],
    centre: tuple[float, float, float],
    block: Block,
    margin: tuple[int, int],
) -> None:
    _, rows, columns = summed.shape
    y = (np.arange(rows) - margin[0] + 0.5) * block.pitch[1] - centre[0]
    x = (np.arange(columns) - margin[1] + 0.5) * block.pitch[2] - centre[1]
    summed[:, np.hypot(y[:, None], x[None, :]) > centre[2]] = -1.0


def _best_positions(summed: NDArray[np.float32], number: int) -> NDArray[np.int64]:
    """(k, 3) local maxima (angle, y, x), the best `number` of each angle."""
    is_peak = summed == ndimage.maximum_filter(summed, size=(1, 5, 5))
    best = []
    for a, plane in enumerate(summed):
        y, x = np.nonzero(is_peak[a] & (plane > -1.0))
        order = np.argsort(-plane[y, x], kind="stable")[:number]
        best += [(a, int(y[k]), int(x[k])) for k in order]
    return np.array(best, dtype=np.int64).reshape(-1, 3)


def distinct_candidates(
    found: list[Candidate], distance: float, angle: float, number: int
) -> list[Candidate]:
    """Best poses that differ from each other."""
    kept: list[Candidate] = []
    for candidate in sorted(found, key=lambda c: -c.votes):
        if all(candidate.distinct_from(other, distance, angle) for other in kept):
            kept.append(candidate)
            if len(kept) == number:
                break
    return kept


__all__ = [
    "Candidate",
    "SearchSpace",
    "coarse_search",
    "distinct_candidates",
]
