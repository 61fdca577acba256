"""Irregular particles, packed in a cylinder so that many touch.

A particle is the set of points where a gauge g is at most 1. With outward
normals n_k and distances d_k of its faces from the centre,

    polyhedral:  g(x) = max_k  n_k x / d_k
    rounded:     g(x) = (sum_k max(0, n_k x / d_k)^p)^(1/p)

Where two particles overlap a little, each point belongs to the one of smaller
gauge. Along the face at which they would meet most pairs have a thin film of
epoxy, as grains poured into it do: a map shows it, in the CT it is less than two
voxels wide. The others touch, as pressed or sintered grains do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.phantom.presets import PhantomSize

FACES = 14
ROUND_POWER = 7.0
SEEDS = 22
"""Grains a particle is grown together from, at most."""

TRIES = 300
"""Places tried for a particle before it is left out."""

_LARGEST_SHARE_OF_RADIUS = 0.45


@dataclass(frozen=True)
class Packing:
    """Particles and their inner structure, in CT voxels.

    Attributes
    ----------
    centres : (n, 3) float64
        (z, y, x).
    reach : (n,) float64
        Radius of the ball around the centre that holds the particle.
    normals : (n, FACES, 3), distances : (n, FACES) float64
        Faces.
    power : (n,) float64
        0 for polyhedral particles, else p of the rounded gauge.
    seeds : (n, SEEDS, 3) float64
        Grain centres relative to the particle's centre.
    stretch : (n, SEEDS, 3, 3) float64
        Metric of each grain: laths are long, others round.
    seed_phase : (n, SEEDS) int64
        Phase of each grain; 0 is a pore, -1 no grain.
    """

    centres: NDArray[np.float64]
    reach: NDArray[np.float64]
    normals: NDArray[np.float64]
    distances: NDArray[np.float64]
    power: NDArray[np.float64]
    seeds: NDArray[np.float64]
    stretch: NDArray[np.float64]
    seed_phase: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.centres)


def gauge(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    distances: NDArray[np.float64],
    power: float,
) -> NDArray[np.float64]:
    """Gauge of points (m, 3) relative to one particle's centre; the plain reference."""
    ratios = np.maximum(points @ normals.T / distances, 0.0)
    if power <= 0:
        return np.asarray(ratios.max(axis=1))
    return np.asarray((ratios**power).sum(axis=1) ** (1 / power))


def _directions(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    vectors = rng.standard_normal((n, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] = -q[:, 0]
    return np.asarray(q)


def make_shape(
    rng: np.random.Generator, diameter: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """Faces, power and reach of one particle of a given volume-equivalent diameter.

    The volume is measured along 2,000 rays (V = mean of r^3 4 pi / 3), then the
    distances are scaled.
    """
    # faces spread evenly by repelling each other a few times
    normals = _directions(rng, FACES)
    for _ in range(8):
        push = normals[:, None] - normals[None]
        gap = np.linalg.norm(push, axis=-1) + np.eye(FACES)
        normals += 0.08 * (push / gap[..., None] ** 3).sum(axis=1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    axes = np.sort(rng.uniform(0.62, 1.25, 3))
    turn = _rotation(rng)
    # distance of a plane that touches the ellipsoid with these half-axes
    distances = np.linalg.norm((normals @ turn) * axes, axis=1) * rng.uniform(0.82, 1.12, FACES)
    power = ROUND_POWER if rng.random() < 0.5 else 0.0
    rays = _directions(rng, 2000)
    radii = 1 / gauge(rays, normals, distances, power)
    volume = 4 / 3 * np.pi * np.mean(radii**3)
    scale = diameter / (6 * volume / np.pi) ** (1 / 3)
    return normals, distances * scale, power, float(radii.max() * scale * 1.05)


def _inner_structure(
    rng: np.random.Generator, diameter: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Grains of one particle.

    LiAlO2 grows as laths in a common direction, eucryptite as round grains that
    often sit at a lath, in a matrix of gehlenite with minor phases and pores.
    """
    count = int(np.clip(round(diameter / 2.2), 3, SEEDS))
    seeds = np.zeros((SEEDS, 3))
    stretch = np.zeros((SEEDS, 3, 3))
    phase = np.full(SEEDS, -1, dtype=np.int64)
    richness = rng.beta(0.7, 1.1)  # share of target: locked, middlings and liberated particles
    chances = np.array([0.03, 0.0, 0.18, 0.72, 0.05, 0.02])
    chances = chances / chances.sum() * (1 - richness)
    chances[1] = richness
    phase[:count] = rng.choice(6, size=count, p=chances)
    seeds[:count] = _directions(rng, count) * (
        0.55 * diameter * rng.random(count)[:, None] ** (1 / 3)
    )
    turn = _rotation(rng)
    for i in range(count):
        if phase[i] == 1:
            wobble = turn
            long = rng.uniform(2.2, 3.5)
            axes = np.array([1 / long, 1.0, 1.0]) * long ** (1 / 3)
        else:
            wobble = _rotation(rng)
            axes = rng.uniform(0.85, 1.2, 3)
            if phase[i] in (0, 4, 5):
                axes = axes * 2.2  # pores and minor phases stay small
        if phase[i] == 2 and np.any(phase[:i] == 1) and rng.random() < 0.7:
            host = rng.choice(np.flatnonzero(phase[:i] == 1))
            seeds[i] = seeds[host] + _directions(rng, 1)[0] * 0.18 * diameter
        stretch[i] = wobble @ np.diag(axes) @ wobble.T
    return seeds, stretch, phase


def pack(size: PhantomSize, voxel_um: float, radius: float, rng: np.random.Generator) -> Packing:
    """Pack particles into the cylinder until the wanted share of solid is reached.

    Large ones first. Half of the places are sought beside a particle that is
    already there, at a distance at which the two just touch or nearly do.

    Parameters
    ----------
    radius : float
        Of the cylinder, in voxels; its axis is the volume's z axis.
    """
    depth, height, width = size.shape
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    wanted = size.solid * np.pi * radius**2 * depth
    diameters: list[float] = []
    for fraction in size.fractions:
        filled = 0.0
        while filled < fraction.share * wanted:
            d = rng.uniform(fraction.low_um, fraction.high_um) * size.scale / voxel_um
            # no particle so large that it would fill the cylinder
            d = min(d, 2 * radius * _LARGEST_SHARE_OF_RADIUS)
            diameters.append(d)
            filled += np.pi / 6 * d**3
    diameters.sort(reverse=True)
    n = len(diameters)
    packing = Packing(
        np.zeros((n, 3)),
        np.zeros(n),
        np.zeros((n, FACES, 3)),
        np.ones((n, FACES)),
        np.zeros(n),
        np.zeros((n, SEEDS, 3)),
        np.zeros((n, SEEDS, 3, 3)),
        np.full((n, SEEDS), -1, dtype=np.int64),
    )
    radii = np.zeros(n)
    placed = 0
    for diameter in diameters:
        r = diameter / 2
        normals, distances, power, reach = make_shape(rng, diameter)
        spot = None
        for _ in range(TRIES):
            if placed and rng.random() < 0.5:
                near = rng.integers(placed)
                gap = rng.uniform(0.90, 1.08) * (r + radii[near])
                candidate = packing.centres[near] + gap * _directions(rng, 1)[0]
            else:
                candidate = np.array(
                    [
                        rng.uniform(-r * 0.5, depth - 1 + r * 0.5),
                        *(middle + rng.uniform(-radius, radius, 2)),
                    ]
                )
            if not -r < candidate[0] < depth - 1 + r:
                continue
            if np.hypot(*(candidate[1:] - middle)) + reach * 0.95 > radius:
                continue
            apart = np.linalg.norm(packing.centres[:placed] - candidate, axis=1)
            if placed and np.any(apart < 0.89 * (r + radii[:placed])):
                continue
            spot = candidate
            break
        if spot is None:
            continue
        packing.centres[placed] = spot
        packing.reach[placed] = reach
        packing.normals[placed] = normals
        packing.distances[placed] = distances
        packing.power[placed] = power
        inner = _inner_structure(rng, diameter)
        packing.seeds[placed], packing.stretch[placed], packing.seed_phase[placed] = inner
        radii[placed] = r
        placed += 1
    return Packing(
        packing.centres[:placed],
        packing.reach[:placed],
        packing.normals[:placed],
        packing.distances[:placed],
        packing.power[:placed],
        packing.seeds[:placed],
        packing.stretch[:placed],
        packing.seed_phase[:placed],
    )


__all__ = ["FACES", "SEEDS", "Packing", "gauge", "make_shape", "pack"]
