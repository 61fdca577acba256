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
from napari_slagseg.registration.slice_correlator import CorrelatorFactory, SliceCorrelator

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
    radius = _radius(images, block, settings)
    patches = choose_patches(images, grey, radius * block.pitch[1] / images.pitch,
                             settings.maximum_patches)  # fmt: skip
    offsets = np.array(patches, dtype=np.float64) - np.asarray(map_centre)
    block = _between(block, space.heights, float(np.hypot(*images.known.shape)) * images.pitch / 2,
                     settings.maximum_tilt_deg)  # fmt: skip
    slices = (correlator or SliceCorrelator)(block, radius, workers)
    depth = block.data.shape[0]
    low, high = 0.0, depth - 1.0
    if space.heights is not None:
        low, high = (
            float(np.clip((h - block.origin[0]) / block.pitch[0] - 0.5, 0, depth - 1))
            for h in space.heights
        )
    angles = space.angles(settings.angle_step_deg)
    half_step = settings.angle_step_deg / 2
    if space.angles_deg is not None and len(angles) > 1:
        half_step = float(angles[1] - angles[0]) / 2
    subs = [
        (2 * k + 1 - settings.sub_angles) / settings.sub_angles * half_step
        for k in range(settings.sub_angles)
    ]
    pitch_yx = block.pitch[1:]
    steepest = np.tan(np.radians(settings.maximum_tilt_deg)) * pitch_yx / block.pitch[0]
    poses = [(mirrored, float(angle)) for mirrored in space.mirrors for angle in angles]

    def templates(mirrored: bool, angle: float, number: int) -> list[NDArray[np.float32]]:
        """The first patches as they would lie in the CT."""
        turn = _turn(angle, mirrored)
        # CT pixel -> length -> map pixel
        into_map = np.asarray(np.linalg.inv(turn) @ np.diag(pitch_yx) / images.pitch, np.float64)
        return [
            template_of(grey, images.known, centre, into_map, slices.disc)
            for centre in patches[:number]
        ]

    def add(peaks: NDArray[np.float32], shifts: NDArray[np.float64]) -> NDArray[np.float32]:
        summed = add_patches(peaks, shifts)
        if space.centre is not None:
            _restrict(summed, space.centre, block, slices.margin)
        return summed

    def shifts_of(mirrored: bool, turned: list[float], number: int) -> NDArray[np.float64]:
        """(angle, patch, 2) where the patches lie, in CT pixels from the map's centre."""
        turns = np.stack([_turn(angle, mirrored) for angle in turned])
        at = (offsets[:number] * images.pitch) @ turns.transpose(0, 2, 1) / pitch_yx
        return np.asarray(at, np.float64)

    few, kept = settings.first_patches, settings.kept_angles
    both = len(patches) > few and len(poses) > kept
    # the first look is at pairs of neighbouring angles
    pairs = [
        (mirrored, [float(angle) for angle in angles[k : k + 2]])
        for mirrored in space.mirrors
        for k in range(0, len(angles), 2)
    ]
    total = len(pairs) * few + kept * len(patches) if both else len(poses) * len(patches)
    done = 0
    if both:  # most angles are ruled out by a few patches
        best = []
        for first in range(0, len(pairs), AT_ONCE):
            stop_if_cancelled(cancel)
            progress(ProgressEvent("searching all poses", done / total))
            some = pairs[first : first + AT_ONCE]
            peaks = slices.correlate(
                [
                    t
                    for mirrored, pair in some
                    for t in templates(mirrored, float(np.mean(pair)), few)
                ]
            )
            for k, (mirrored, pair) in enumerate(some):
                turned = [angle + sub for angle in pair for sub in subs]
                summed = add(peaks[k * few : (k + 1) * few], shifts_of(mirrored, turned, few))
                best.append(float(summed.max()))
            done += few * len(some)
        order = np.argsort(best, kind="stable")[::-1][: -(-kept // 2)]
        poses = [(pairs[k][0], angle) for k in sorted(order) for angle in pairs[k][1]]
    volumes = np.empty((len(patches), depth, *slices.padded), dtype=np.float32)
    found: list[Candidate] = []
    for mirrored, angle in poses:
        stop_if_cancelled(cancel)
        progress(ProgressEvent("searching all poses", done / total))
        done += len(patches)
        shifts = shifts_of(mirrored, [angle + sub for sub in subs], len(patches))
        summed = add(slices.correlate(templates(mirrored, angle, len(patches)), volumes), shifts)
        places = _best_positions(summed, settings.positions_per_angle)
        voted = vote_at(volumes, shifts, places, low, high, steepest)
        for (sub, y, x), (votes, z, slope_y, slope_x) in zip(places, voted):
            at = np.array([z, y - slices.margin[0], x - slices.margin[1]])
            found.append(
                Candidate(
                    float(votes),
                    block.origin + (at + 0.5) * block.pitch,
                    angle + subs[sub],
                    mirrored,
                    (
                        float(slope_y * block.pitch[0] / pitch_yx[0]),
                        float(slope_x * block.pitch[0] / pitch_yx[1]),
                    ),
                )
            )
    return distinct_candidates(
        found, 4.0 * float(block.pitch[1]), 10.0, number or settings.candidates
    )


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
