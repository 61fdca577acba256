"""Errors planted in phantoms, with a simulated network: see `suspects`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import edt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter
from skimage.segmentation import expand_labels

from napari_slagseg.phantom import draw_sample

EACH = 0.04
"""Share of the particles that get an error of each kind."""

SMALLEST = 100
TRACES = (0.0, 1.5, 3.0)
"""How strongly an error shows in the simulated network, in its logit."""


class Error(NamedTuple):
    """One error: labels that take part, and its trace in the network (NaN if not known).

    Of a missed particle, -1 less the flat index of each of its voxels.
    """

    kind: str
    labels: tuple[int, ...]
    trace: float


@dataclass
class Segmented:
    """A segmentation with known errors."""

    particles: NDArray[np.uint32]
    probability: NDArray[np.uint8]
    phases: NDArray[np.uint8]
    errors: list[Error] = field(default_factory=list)


def near_pairs(labels: NDArray[np.uint32]) -> pd.DataFrame:
    """Pairs of labels at most three voxels apart along an axis, and the middle between them."""
    found = []
    for axis in range(3):
        for gap in (1, 2, 3):
            low = np.moveaxis(labels, axis, 0)[:-gap]
            high = np.moveaxis(labels, axis, 0)[gap:]
            at = np.nonzero((low != high) & (low > 0) & (high > 0))
            where = np.moveaxis(np.stack(at), 0, 1).astype(float)
            where[:, 0] += gap / 2
            order = [*range(1, axis + 1), 0, *range(axis + 1, 3)]
            place = where[:, order]
            a, b = low[at].astype(np.int64), high[at].astype(np.int64)
            found.append(
                pd.DataFrame(
                    {
                        "a": np.minimum(a, b),
                        "b": np.maximum(a, b),
                        "gap": gap,
                        "z": place[:, 0],
                        "y": place[:, 1],
                        "x": place[:, 2],
                    }
                )
            )
    every = pd.concat(found)
    closest = every["gap"] == every.groupby(["a", "b"])["gap"].transform("min")
    return every[closest].groupby(["a", "b"], as_index=False).mean()


def planted(preset: Any, seed: int, *, each: float = EACH) -> Segmented:
    """A phantom with errors and a simulated network."""
    rng = np.random.default_rng([seed, 6])
    drawn = draw_sample(preset, seed)
    whole = expand_labels(drawn.particles, 2)
    whole[(drawn.particles > 0) & (drawn.phases == 0)] = 0
    counts = np.bincount(whole.reshape(-1))
    keep = counts >= SMALLEST
    keep[0] = False
    particles = np.where(keep, np.cumsum(keep), 0)[whole].astype(np.uint32)
    counts = counts[keep]
    n = len(counts)
    deep = edt.edt(particles, black_border=False) - 0.5
    out = edt.edt(particles == 0, black_border=False) - 0.5
    logit = np.where(particles > 0, deep - 0.8, -out - 0.8) / 0.7
    logit = np.clip(logit, -5, 5).astype(np.float32)
    patches = gaussian_filter(rng.standard_normal(logit.shape).astype(np.float32), 2.0)
    logit += 0.8 * patches / patches.std() + 0.3 * rng.standard_normal(logit.shape)
    phases = np.where(particles > 0, np.maximum(drawn.phases, 1), 0).astype(np.uint8)
    result = Segmented(particles, np.zeros(1, np.uint8), phases)
    grid = np.indices(logit.shape, dtype=np.float32)

    def around(place: Any, reach: float) -> tuple[Any, NDArray[np.float32]]:
        box = tuple(
            slice(max(0, int(c - reach)), int(c + reach) + 2) for c in np.asarray(place, float)
        )
        offset = grid[(slice(None), *box)] - np.asarray(place, np.float32)[:, None, None, None]
        return box, np.sqrt((offset**2).sum(axis=0))

    def blob(place: Any, radius: float, strength: float) -> None:
        box, away = around(place, 3 * radius)
        logit[box] += strength * np.exp(-0.5 * (away / radius) ** 2)

    pairs = near_pairs(particles)
    # doubt without an error, and contacts without doubt
    found = find_objects(particles.astype(np.int32))
    for label in rng.choice(np.arange(1, n + 1), n // 10, replace=False):
        box = found[label - 1]
        spot = rng.choice(np.argwhere(particles[box] == label)) + [part.start for part in box]
        blob(spot, rng.uniform(1.5, 3), -rng.choice(TRACES))
    for _, pair in pairs.sample(frac=0.15, random_state=seed).iterrows():
        blob(pair[["z", "y", "x"]], rng.uniform(1.5, 3), rng.choice(TRACES))

    used: set[int] = set()
    number = max(1, round(each * n))
    waisted = max(1, number // 3)
    made = 0
    for _, pair in pairs.sample(frac=1, random_state=seed + 1).iterrows():
        a, b = int(pair["a"]), int(pair["b"])
        if made == number + waisted or used & {a, b}:
            continue
        used |= {a, b}
        made += 1
        sound = made > number  # waisted, but one particle in truth
        place = pair[["z", "y", "x"]].to_numpy(float)
        least = (3 * min(counts[a - 1], counts[b - 1]) / 12.6) ** (1 / 3)
        radius = max(1.5, rng.uniform(0.25, 0.6) * least)
        box, away = around(place, radius + 2)
        view = particles[box]
        near = edt.edt(view != a) + edt.edt(view != b) <= 2 * pair["gap"] + 1.5
        neck = (view == 0) & near & (away <= radius)
        view[neck] = a
        phases[box][neck] = 1
        particles[particles == b] = a
        logit[box] += neck * 2.0  # the network saw particle here, or there were no neck
        trace = rng.uniform(1.5, 4.0) if sound else rng.choice(TRACES)
        blob(place, radius + 1, trace)
        if not sound:
            result.errors.append(Error("merger", (a,), trace))

    boxes = find_objects(particles.astype(np.int32))

    def voxels_of(label: int) -> NDArray[np.int64]:
        low = [part.start for part in boxes[label - 1]]
        return np.argwhere(particles[boxes[label - 1]] == label) + low

    order = rng.permutation(np.arange(1, n + 1))
    large = [k for k in order if counts[k - 1] >= 4 * SMALLEST]
    fresh = n
    made = 0
    for label in large:
        if made == number or label in used:
            continue
        at = voxels_of(label)
        normal = rng.standard_normal(3)
        normal /= np.linalg.norm(normal)
        along = at @ normal
        level = np.quantile(along, rng.uniform(0.25, 0.5))
        part = at[along < level]
        if len(part) < SMALLEST:
            continue
        used.add(int(label))
        made += 1
        fresh += 1
        particles[tuple(part.T)] = fresh
        trace = rng.choice(TRACES)
        drop = trace * np.exp(-0.5 * ((along - level) / 1.0) ** 2)
        logit[tuple(at.T)] -= drop
        result.errors.append(Error("splitter", (int(label), fresh), trace))
    made = 0
    for label in large:
        if made == number or label in used:
            continue
        inside = edt.edt(np.pad(particles[boxes[label - 1]] == label, 1))[1:-1, 1:-1, 1:-1]
        radius = rng.uniform(0.3, 0.6) * inside.max()
        spots = np.argwhere(inside >= radius + 1.5)
        if radius < 1.4 or not len(spots):
            continue
        used.add(int(label))
        made += 1
        box, away = around(
            rng.choice(spots) + [part.start for part in boxes[label - 1]], radius + 1
        )
        hole = away <= radius
        particles[box][hole] = 0
        phases[box][hole] = 0
        trace = rng.choice(TRACES)
        logit[box] -= trace * hole
        result.errors.append(Error("shape", (int(label),), trace))
    made = 0
    for label in order:
        if made == number or label in used:
            continue
        used.add(int(label))
        made += 1
        at = voxels_of(label)
        particles[tuple(at.T)] = 0
        trace = rng.choice(TRACES)
        logit[tuple(at.T)] -= trace
        flat = np.ravel_multi_index(tuple(at.T), particles.shape)
        result.errors.append(Error("missed", tuple((-1 - flat).tolist()), trace))
    # foreground of the phases where there is nothing, and the network knows it more or less
    for _ in range(2 * number):
        spot = rng.integers(0, particles.shape)
        radius = rng.uniform(2, 4)
        box, away = around(spot, radius + 1)
        speck = (away <= radius) & (particles[box] == 0) & (phases[box] == 0)
        phases[box][speck] = 1
        logit[box] += (rng.choice(TRACES) + 1.5) * speck
    result.probability = np.round(255 / (1 + np.exp(-logit))).astype(np.uint8)
    return result
