"""Where to look first: errors found along the queue of suspects, beside other orders.

    python -m benchmarks.suspects [--preset tiny] [--seeds 0 1 2 3]
    python -m benchmarks.suspects --project DIR --truth SAMPLE
    python -m benchmarks.suspects --fit 100 101 ... [--fit-project DIR ... --fit-truth SAMPLE ...]

Errors are planted in phantoms, each in particles of its own: mergers (two particles that touch
or are at most three voxels apart, joined by a neck), splitters (a particle cut by a plane into
parts of at least a quarter), holes (a ball inside set to background) and missed particles (the
phases stay, the label goes). The network is simulated: its probability follows the distance to
the true boundary, with noise in patches, doubt in sound particles, and missing doubt at sound
contacts. Particles are grown by two voxels, so that most touch others; they have pores; some
sound ones (a third as many as there are mergers) are waisted, two grown together, of which the
network is rather sure; and there are specks of a phase where there is no particle. A third of
the errors has left no trace in the network, a third a faint one and a third a clear one: at a
neck it is surer than at other contacts, at a cut, in a hole and in a missed particle less sure
than elsewhere.

With --project, the errors are those of a network: the found particles of a project (or of a
store of ``slagseg predict``) are matched with the exact truth of its phantom, see `real_errors`.
Several can be given, with as many truths.

The table gives the share of all errors found when the first 5, 10, 20 and 30 % of as many rows
as there are particles were looked at, mean and standard deviation over the samples. An error is
found by a row of a particle that takes part in it. "perfect" is an order that knows.
--fit prints the weights of `evaluation.suspects.ranking` fitted on other samples: planted
errors of those seeds, and the errors of networks in --fit-project.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parents[1]))  # also as a script

from benchmarks.planted_errors import TRACES, Error, Segmented, planted
from benchmarks.real_errors import read_real

from napari_slagseg.data import BlockGrid, ThreadRun
from napari_slagseg.evaluation.suspects.features import SuspectFeatures, features_of_blocks
from napari_slagseg.evaluation.suspects.ranking import RULES, Rule, numbers_of, ranked, rule

SHARES = (0.05, 0.10, 0.20, 0.30)
FITTED = ("merger", "splitter", "shape", "missed")
"""Kinds whose rules are fitted."""

ALONE = ("hollow", "size", "long", "small")
"""Numbers that say something only among many particles."""

NETWORK = ("weak_cut", "dip", "chance", "denied_holes", "denied")
"""Numbers that come from the network."""


def features_of(sample: Segmented) -> SuspectFeatures:
    """All numbers of a sample."""
    run = ThreadRun(BlockGrid.of(sample.particles.shape, 96), 1)
    return features_of_blocks(sample.particles, sample.probability, run, phases=sample.phases)


@dataclass(frozen=True)
class Cases:
    """Samples to try on, or to fit on."""

    preset: str
    seeds: Sequence[int]
    projects: Sequence[Path]
    truths: Sequence[Path]

    def __iter__(self) -> Iterator[tuple[str, Segmented]]:
        """Made or read one by one."""
        if self.projects:
            for store, truth in zip(self.projects, self.truths, strict=True):
                yield str(store), read_real(store, truth)
        for seed in self.seeds:
            yield f"{self.preset}, seed {seed}", planted(self.preset, seed)


def known(sample: Segmented, features: SuspectFeatures, kind: str) -> NDArray[np.bool_]:
    """Which rows of `numbers_of` are errors of a kind."""
    errors = [set(e.labels) for e in sample.errors if e.kind == kind]
    every = set().union(*errors)
    if kind == "splitter":
        pairs = features.pairs[["label", "partner"]].to_numpy().tolist()
        return np.array([any(a in e and b in e for e in errors) for a, b in pairs], dtype=bool)
    if kind == "missed":
        assert features.missed is not None
        return np.array([-k in every for k in features.missed["first"].to_numpy().tolist()], bool)
    return np.array([k in every for k in features.particles.index.tolist()], dtype=bool)


def fitted(
    samples: Sequence[tuple[Segmented, SuspectFeatures]], penalty: float = 3.0
) -> dict[str, Rule]:
    """Logistic regressions, weights drawn to 0 by `penalty` (per standard deviation, squared)."""
    rules = {}
    for kind in FITTED:
        tables = [numbers_of(features)[kind] for _, features in samples]
        wrong = [known(sample, features, kind) for sample, features in samples]
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
    at = np.array([min((first.get(k, n * 9) for k in e.labels), default=n * 9) for e in errors])
    return [float((at < round(share * n)).mean()) for share in SHARES]


def names_in_order(queue: pd.DataFrame) -> NDArray[np.int64]:
    """Labels of the rows; of missed particles, minus the number of their first voxel."""
    missed = (queue["kind"] == "missed").to_numpy()
    return np.where(missed, -queue["partner"].to_numpy(), queue["label"].to_numpy())


def orders_of(sample: Segmented, features: SuspectFeatures, rules: Any) -> dict[str, Any]:
    """Labels in the order of the queue, and in others."""
    p = features.particles
    rng = np.random.default_rng(len(p))
    queue = names_in_order(ranked(features, rules))
    missed = queue[queue < 0]
    # of a missed particle the row that finds it, if there is one
    wrong = [min(e.labels, key=lambda k: k not in missed) for e in sample.errors if e.labels]
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
        "queue": queue,
        **{
            name: p.index[np.lexsort((rng.random(len(p)), -values))]
            for name, values in single.items()
        },
        "random": rng.permutation(np.concatenate([p.index, missed])),
        "perfect": [*wrong, *p.index],
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--project", type=Path, nargs="+", default=[])
    parser.add_argument("--truth", type=Path, nargs="+", default=[])
    parser.add_argument("--fit", type=int, nargs="+", default=[], help="seeds of preset tiny")
    parser.add_argument("--fit-sample", type=int, nargs="+", default=[], help="of preset sample")
    parser.add_argument("--fit-project", type=Path, nargs="+", default=[])
    parser.add_argument("--fit-truth", type=Path, nargs="+", default=[])
    args = parser.parse_args(argv)
    rules: Any = RULES
    seeds = [] if args.project else args.seeds
    if args.fit or args.fit_sample or args.fit_project:
        if set(seeds) & {*args.fit, *args.fit_sample}:
            parser.error("seeds to fit on must be others than those to try on")
        if {p.resolve() for p in args.project} & {p.resolve() for p in args.fit_project}:
            parser.error("projects to fit on must be others than those to try on")
        made = itertools.chain(
            Cases("tiny", args.fit, args.fit_project, args.fit_truth),
            Cases("sample", args.fit_sample, (), ()),
        )
        rules = fitted([(sample, features_of(sample)) for _, sample in made])
    rows, by_kind, right = [], [], []
    for name, sample in Cases(args.preset, seeds, args.project, args.truth):
        began = time.perf_counter()
        features = features_of(sample)
        seconds = time.perf_counter() - began
        n = len(features.particles)
        voxels = sample.particles.size
        print(
            f"{name}: {n} particles, {len(sample.errors)} errors, {seconds:.1f} s, "
            f"{voxels / seconds / 1e6:.2g} Mvoxel/s",
            flush=True,
        )
        for order_name, order in orders_of(sample, features, rules).items():
            rows.append((order_name, *shares_found(sample.errors, order, n)))
        queue = ranked(features, rules)
        names = names_in_order(queue)
        for kind in dict.fromkeys(e.kind for e in sample.errors):
            some = [e for e in sample.errors if e.kind == kind]
            by_kind.append((kind, *shares_found(some, names, n)))
        for trace, what in zip(TRACES, ("no trace", "a faint trace", "a clear trace")):
            some = [e for e in sample.errors if e.trace == trace]
            if some:
                by_kind.append((what, *shares_found(some, names, n)))
        kinds = dict(zip(names[::-1].tolist(), queue["kind"][::-1]))
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
