"""Where to look first: errors found along the queue of suspects, beside other orders.

    python -m benchmarks.suspects [--preset tiny] [--seeds 0 1 2 3] [--fit 100 101 ...]

Errors are planted in phantoms, each in particles of its own: mergers (two particles that touch
or are at most three voxels apart, joined by a neck), splitters (a particle cut by a plane into
parts of at least a quarter) and holes (a ball inside set to background). The network is simulated:
its probability follows the distance to the true boundary, with noise in patches, doubt in sound
particles, and missing doubt at sound contacts. Particles are grown by two voxels, so that most
touch others; they have pores; and some sound ones (a third as many as there are mergers) are
waisted, two grown together, of which the network is rather sure. A third of the errors has left
no trace in it, a third a faint one and a third a clear one: at a neck it is surer than at other
contacts, at a cut and in a hole less sure than elsewhere.

The table gives the share of all errors found when the first 5, 10, 20 and 30 % of as many rows
as there are particles were looked at, mean and standard deviation over the seeds. An error is
found by a row of a particle that takes part in it. "perfect" would be an order that knows.
--fit prints the weights of `evaluation.suspects.ranking` fitted on other seeds.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import edt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter
from scipy.optimize import minimize
from skimage.segmentation import expand_labels

sys.path.insert(0, str(Path(__file__).parents[1]))  # also as a script

from napari_slagseg.data import BlockGrid, ThreadRun
from napari_slagseg.evaluation.suspects.features import SuspectFeatures, features_of_blocks
from napari_slagseg.evaluation.suspects.ranking import RULES, Rule, numbers_of, ranked, rule
from napari_slagseg.phantom import draw_sample

SHARES = (0.05, 0.10, 0.20, 0.30)
EACH = 0.04
"""Share of the particles that get an error of each kind."""

SMALLEST = 100
ALONE = ("hollow", "size", "long", "small")
"""Numbers that say something only among many particles."""

NETWORK = ("weak_cut", "dip", "chance", "denied_holes", "denied")
"""Numbers that come from the network."""

TRACES = (0.0, 1.5, 3.0)
"""How strongly an error shows in the simulated network, in its logit."""


class Error(NamedTuple):
    """One planted error: labels that take part, and its trace in the network."""

    kind: str
    labels: tuple[int, ...]
    trace: float


@dataclass
class Planted:
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


def planted(preset: Any, seed: int, *, each: float = EACH) -> Planted:
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
    result = Planted(particles, np.zeros(1, np.uint8), phases)
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
    result.probability = np.round(255 / (1 + np.exp(-logit))).astype(np.uint8)
    return result


def features_of(sample: Planted) -> SuspectFeatures:
    """All numbers of a sample."""
    run = ThreadRun(BlockGrid.of(sample.particles.shape, 96), 1)
    return features_of_blocks(sample.particles, sample.probability, run, phases=sample.phases)


def fitted(
    samples: Sequence[tuple[Planted, SuspectFeatures]], penalty: float = 3.0
) -> dict[str, Rule]:
    """Logistic regressions, weights drawn to 0 by `penalty` (per standard deviation, squared)."""
    rules = {}
    for kind in ("merger", "splitter", "shape"):
        tables, wrong = [], []
        for sample, features in samples:
            table = numbers_of(features)[kind]
            known = {e.labels for e in sample.errors if e.kind == kind}
            if kind == "splitter":
                pairs = features.pairs[["label", "partner"]].to_numpy()
                truth = [(a, b) in known or (b, a) in known for a, b in pairs.tolist()]
            else:
                truth = [(k,) in known for k in features.particles.index]
            tables.append(table)
            wrong.append(np.array(truth))
        table, y = pd.concat(tables), np.concatenate(wrong)
        x = table.to_numpy(float)
        middle = np.median(x[~y], axis=0)
        scale = np.maximum(x.std(axis=0), 1e-6)
        z = (x - middle) / scale
        # no rule may lean on one witness alone: each sample counts four times, also without
        # what compares with the other particles, without the network, and without both
        silent = [~np.isin(table.columns, out) for out in ((), ALONE, NETWORK, ALONE + NETWORK)]
        z = np.concatenate([z * kept for kept in silent])
        y = np.tile(y, len(silent))

        n_wrong, n_all = int(y.sum()) // len(silent), len(y) // len(silent)

        def loss(w: NDArray[Any], z: Any = z, y: Any = y) -> float:
            margin = (w[0] + z @ w[1:]) * np.where(y, 1, -1)
            return float(np.logaddexp(0, -margin).sum() + 0.5 * penalty * (w[1:] ** 2).sum())

        # no number may speak against itself: more of each is more suspicious
        bounds = [(None, None), *[(0, None)] * z.shape[1]]
        best = minimize(loss, np.zeros(z.shape[1] + 1), method="L-BFGS-B", bounds=bounds).x
        terms = {
            name: (round(float(w / s), 3), round(float(m), 3))
            for name, w, s, m in zip(table.columns, best[1:], scale, middle)
        }
        rules[kind] = rule(kind, round(float(best[0]), 3), terms)
        print(f'    "{kind}": rule(  # {n_wrong} errors among {n_all}')
        print(f'        "{kind}", {best[0]:.3f}, {terms},\n    ),', flush=True)
    rules["doubt"] = RULES["doubt"]
    return rules


def shares_found(errors: Sequence[Error], order: Sequence[int], n: int) -> list[float]:
    """Share of the errors with a label among the first rows, for each of `SHARES`."""
    first: dict[int, int] = {}
    for row, label in enumerate(order):
        first.setdefault(int(label), row)
    at = np.array([min(first.get(k, n * 9) for k in e.labels) for e in errors])
    return [float((at < round(share * n)).mean()) for share in SHARES]


def orders_of(sample: Planted, features: SuspectFeatures, rules: Any, seed: int) -> dict[str, Any]:
    """Labels in the order of the queue, and in others."""
    p = features.particles
    rng = np.random.default_rng(seed)
    wrong = [e.labels[0] for e in sample.errors]
    single = {
        "neck in the distance map": p["neck"],
        "pieces of a watershed": p["pieces"] + p["neck"],
        "higher marker threshold": p["dip"],
        "low solidity": -p["solidity"],
        "size, either way": p["size_z"].abs(),
        "elongation": p["elongation"],
        "network doubt": p["unsure"],
        "phases against network": p["denied"],
        "contact with others": p["contact"],
        "sure at contacts": p["contact_chance"].fillna(0),
        "holes": p["holes"],
    }
    return {
        "queue": ranked(features, rules)["label"].tolist(),
        **{
            name: p.index[np.lexsort((rng.random(len(p)), -values))]
            for name, values in single.items()
        },
        "random": rng.permutation(p.index),
        "perfect": [*wrong, *p.index],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--fit", type=int, nargs="+", help="seeds to fit on, and print")
    parser.add_argument("--fit-presets", nargs="+", default=["tiny"])
    args = parser.parse_args(argv)
    rules: Any = RULES
    if args.fit:
        if set(args.fit) & set(args.seeds):
            parser.error("seeds to fit on must be others than those to try on")
        presets = itertools.cycle(args.fit_presets)
        made = [planted(preset, seed) for preset, seed in zip(presets, args.fit)]
        rules = fitted([(sample, features_of(sample)) for sample in made])
    rows, by_kind, right = [], [], []
    for seed in args.seeds:
        sample = planted(args.preset, seed)
        began = time.perf_counter()
        features = features_of(sample)
        seconds = time.perf_counter() - began
        n = len(features.particles)
        print(
            f"seed {seed}: {n} particles, {len(sample.errors)} errors, {seconds:.1f} s", flush=True
        )
        for name, order in orders_of(sample, features, rules, seed).items():
            rows.append((name, *shares_found(sample.errors, order, n)))
        queue = ranked(features, rules)
        for kind in ("merger", "splitter", "shape"):
            some = [e for e in sample.errors if e.kind == kind]
            by_kind.append((kind, *shares_found(some, queue["label"].tolist(), n)))
        for trace, what in zip(TRACES, ("no trace", "a faint trace", "a clear trace")):
            some = [e for e in sample.errors if e.trace == trace]
            if some:
                by_kind.append((what, *shares_found(some, queue["label"].tolist(), n)))
        kinds = dict(zip(queue["label"][::-1], queue["kind"][::-1]))
        right += [any(kinds.get(k) == e.kind for k in e.labels) for e in sample.errors]
    for title, these in (("order", rows), ("queue, errors of", by_kind)):
        frame = pd.DataFrame(these, columns=[title, *(f"{s:.0%}" for s in SHARES)])
        groups = frame.groupby(title, sort=False)
        mean, spread = 100 * groups.mean(), 100 * groups.std(ddof=0)
        print(f"\n{title:28s}" + "".join(f"{c:>14s}" for c in mean.columns))
        for name in mean.index:
            cells = [f"{mean.loc[name, c]:.0f} ± {spread.loc[name, c]:.0f}" for c in mean.columns]
            print(f"{name:28s}" + "".join(f"{c:>14s}" for c in cells))
    print(f"\nfirst suspicion of the right kind: {100 * np.mean(right):.0f} % of errors")


if __name__ == "__main__":
    main()
