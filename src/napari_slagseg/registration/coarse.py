"""Coarse search: where in the CT, at which angle and which way round?

Round patches of the map are correlated with every slice of the CT by FFT, for both
mirror states and all in-plane angles; each patch's best height is added up at the
patches' relative offsets; then the patches vote for one plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_slagseg.data import CancelToken, Progress, ProgressEvent, stop_if_cancelled
from napari_slagseg.registration.fractions import FractionImages
from napari_slagseg.registration.plane_vote import add_patches, vote_at
from napari_slagseg.registration.pyramid import Block, FloatArray
from napari_slagseg.registration.settings import RegistrationSettings


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


def choose_patches(
    images: FractionImages, grey: NDArray[np.float32], radius: float, maximum: int
) -> list[tuple[int, int]]:
    """Centres (pixels of the images) of round patches spread over the map.

    Patches need known pixels under most of the disc and some contrast; the first is the
    one with most contrast, each next one the farthest from those chosen.
    """
    rows, columns = grey.shape
    r = int(radius)
    disc = _disc(radius)
    known = ndimage.convolve(images.known, disc / disc.sum(), mode="constant")
    local = images.known * grey
    mean = ndimage.convolve(local, disc, mode="constant")
    square = ndimage.convolve(local * grey, disc, mode="constant")
    area = np.maximum(known * disc.sum(), 1e-6)
    contrast = np.maximum(square / area - (mean / area) ** 2, 0.0) * known
    floor = min(0.75, 0.9 * float(known.max()))
    step = max(1, r // 3)
    grid = [
        (i, j)
        for i in range(0, rows, step)
        for j in range(0, columns, step)
        if known[i, j] >= floor and contrast[i, j] > 0.05 * contrast.max()
    ]
    if not grid:
        i, j = np.unravel_index(int(np.argmax(contrast)), contrast.shape)
        return [(int(i), int(j))]
    points = np.asarray(grid, dtype=np.float64)
    value = np.array([contrast[i, j] for i, j in grid])
    chosen = [int(np.argmax(value))]
    distance = np.full(len(grid), np.inf)
    while len(chosen) < min(maximum, len(grid)):
        distance = np.minimum(distance, np.hypot(*(points - points[chosen[-1]]).T))
        if distance.max() < 0.5 * radius:
            break
        chosen.append(int(np.argmax(distance * (0.5 + value / value.max()))))
    return [grid[i] for i in chosen]


def _disc(radius: float) -> NDArray[np.float32]:
    r = int(np.ceil(radius))
    y, x = np.mgrid[-r : r + 1, -r : r + 1]
    return (np.hypot(y, x) <= radius).astype(np.float32)


class Correlator(Protocol):
    """What the search needs of a correlator; on the CPU, `SliceCorrelator`."""

    disc: NDArray[np.float32]
    reach: int
    padded: tuple[int, int]

    def correlate(self, template: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Fill `out` (slice, y, x) with the normalised correlation with a template."""


CorrelatorFactory = Callable[[Block, float, int], Correlator]
"""Takes the block, the radius of the patches in pixels, and a number of threads."""


class SliceCorrelator:
    """Normalised correlation of round patches with all slices of a block."""

    def __init__(self, block: Block, radius: float, workers: int) -> None:
        data = block.data
        self.disc = _disc(radius)
        self.reach = self.disc.shape[0] // 2
        self.workers = workers
        spread = float(data.std()) or 1.0
        # single bright grains and metal must not decide alone
        clipped = np.clip(data, -3.0 * spread, 3.0 * spread)
        pad = self.reach
        self.padded = (data.shape[1] + 2 * pad, data.shape[2] + 2 * pad)
        # a disc beyond the rim wraps round into the padding on the other side: zeros
        self.size = tuple(fft.next_fast_len(n, real=True) for n in self.padded)
        grown = np.pad(clipped, ((0, 0), (pad, pad), (pad, pad)))
        self.spectra = self._transform(grown)
        area = float(self.disc.sum())
        mean = self._correlate_with(self.spectra, self.disc) / area
        variance = self._correlate_with(self._transform(grown**2), self.disc) / area - mean**2
        deviation = np.sqrt(np.maximum(variance, 0.0))
        # where there is next to nothing to see, noise must not be blown up
        floor = 0.4 * float(np.median(deviation[deviation > 0.05 * deviation.max()]))
        self.scale = (1.0 / np.maximum(deviation, floor)).astype(np.float32)
        self._product = np.empty_like(self.spectra)

    def _transform(self, data: NDArray[np.float32]) -> NDArray[np.complex64]:
        out = fft.rfft2(data.astype(np.float32), s=self.size, workers=self.workers)
        return np.asarray(out, dtype=np.complex64)

    def _kernel(self, template: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Conjugate transform of a template whose middle lies at pixel (0, 0)."""
        edge, r = template.shape[0], self.reach
        whole = np.zeros(self.size, dtype=np.float32)
        whole[:edge, :edge] = template
        return np.asarray(np.conj(fft.rfft2(np.roll(whole, (-r, -r), axis=(0, 1)))), np.complex64)

    def _correlate_with(
        self,
        spectra: NDArray[np.complex64],
        template: NDArray[np.float32],
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.float32]:
        """(slice, y, x) correlation, centred: entry (y, x) is at padded pixel (y, x)."""
        product = np.multiply(spectra, self._kernel(template), out=out)
        full = fft.irfft2(product, s=self.size, workers=self.workers, overwrite_x=True)
        return np.asarray(full[:, : self.padded[0], : self.padded[1]], dtype=np.float32)

    def correlate(self, template: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Normalised correlation with a template of zero mean inside the disc.

        Parameters
        ----------
        template : (edge, edge) float32
        out : (slice, y, x) float32
            Filled.
        """
        norm = float(np.sqrt((template**2).sum() * self.disc.sum()))
        full = self._correlate_with(self.spectra, template, self._product)
        np.multiply(full, self.scale, out=out)
        out *= np.float32(1.0 / max(norm, 1e-9))


def _template(
    grey: NDArray[np.float32],
    known: NDArray[np.float32],
    centre: tuple[int, int],
    matrix: FloatArray,
    disc: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The patch around `centre`, turned into the CT's frame, zero mean in the disc."""
    r = disc.shape[0] // 2
    y, x = np.mgrid[-r : r + 1, -r : r + 1].astype(np.float64)
    at = np.tensordot(matrix, np.stack([y, x]), axes=1)
    at[0] += centre[0]
    at[1] += centre[1]
    value = ndimage.map_coordinates(grey, at, order=1, mode="constant")
    weight = ndimage.map_coordinates(known, at, order=1, mode="constant") * disc
    total = float(weight.sum())
    if total <= 0:
        return np.zeros_like(disc)
    mean = float((value * weight).sum()) / total
    return ((value - mean) * weight).astype(np.float32)


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
        Threads of the FFT.
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
    reach = slices.reach
    pitch_yx = block.pitch[1:]
    steepest = np.tan(np.radians(settings.maximum_tilt_deg)) * pitch_yx / block.pitch[0]
    volumes = np.empty((len(patches), depth, *slices.padded), dtype=np.float32)
    poses = [(mirrored, float(angle)) for mirrored in space.mirrors for angle in angles]

    def correlate(mirrored: bool, angle: float, first: int, last: int) -> NDArray[np.float64]:
        """Fill the volumes of some patches; where the patches lie, by sub-angle."""
        turn = _turn(angle, mirrored)
        # CT pixel -> length -> map pixel
        into_map = np.asarray(np.linalg.inv(turn) @ np.diag(pitch_yx) / images.pitch, np.float64)
        for k in range(first, last):
            template = _template(grey, images.known, patches[k], into_map, slices.disc)
            slices.correlate(template, volumes[k])
        turns = np.stack([_turn(angle + sub, mirrored) for sub in subs])
        return np.asarray((offsets * images.pitch) @ turns.transpose(0, 2, 1) / pitch_yx)

    def add(shifts: NDArray[np.float64], last: int) -> NDArray[np.float32]:
        summed = add_patches(volumes[:last].max(axis=1), shifts[:, :last])
        if space.centre is not None:
            _restrict(summed, space.centre, block, reach)
        return np.asarray(summed, np.float32)

    few, kept = settings.first_patches, settings.kept_angles
    both = len(patches) > few and len(poses) > kept
    total = len(poses) * (few if both else len(patches)) + (kept * len(patches) if both else 0)
    done = 0
    if both:  # most angles are ruled out by a few patches
        best = []
        for mirrored, angle in poses:
            stop_if_cancelled(cancel)
            progress(ProgressEvent("searching all poses", done / total))
            best.append(float(add(correlate(mirrored, angle, 0, few), few).max()))
            done += few
        poses = [poses[k] for k in sorted(np.argsort(best, kind="stable")[::-1][:kept])]
    found: list[Candidate] = []
    for mirrored, angle in poses:
        stop_if_cancelled(cancel)
        progress(ProgressEvent("searching all poses", done / total))
        done += len(patches)
        shifts = correlate(mirrored, angle, 0, len(patches))
        summed = add(shifts, len(patches))
        places = _best_positions(summed, settings.positions_per_angle)
        voted = vote_at(volumes, shifts, places, low, high, steepest)
        for (sub, y, x), (votes, z, slope_y, slope_x) in zip(places, voted):
            at = np.array([z, y - reach, x - reach])
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
    summed: NDArray[np.float32], centre: tuple[float, float, float], block: Block, reach: int
) -> None:
    _, rows, columns = summed.shape
    y = (np.arange(rows) - reach + 0.5) * block.pitch[1] - centre[0]
    x = (np.arange(columns) - reach + 0.5) * block.pitch[2] - centre[1]
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
    "Correlator",
    "CorrelatorFactory",
    "SearchSpace",
    "SliceCorrelator",
    "coarse_search",
    "distinct_candidates",
]
