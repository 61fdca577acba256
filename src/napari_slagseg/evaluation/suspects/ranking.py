"""One queue from all suspicions: what is likeliest to be wrong comes first.

Every kind of suspicion has a logistic rule: the score is the chance, among errors in phantoms,
that a particle with these numbers is wrong in this way. So scores of different kinds can be
compared, and one list holds all. The weights were fitted by ``python -m benchmarks.suspects
--fit``, on errors planted in phantoms and on those that trained networks made in phantoms, of
other seeds than those the queue is tried on. That of "doubt" is set by hand, as there was no
error that only doubt would show: four robust standard deviations above the other particles
count as a chance of 8 %, none as one in five thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data.joined_tables import joined
from napari_slagseg.evaluation.suspects.features import SuspectFeatures

SUSPECT_COLUMNS = ("label", "kind", "score", "partner", "reasons", "z_um", "y_um", "x_um")
"""Columns of the queue; `partner` is 0 where there is none."""

OWN_ROWS = ("splitter", "missed")
"""Kinds that have rows of their own, beside the one that each particle has."""

LEAST_PAIR_SCORE = 0.02
"""Pairs below this score are no rows of their own; each particle has a row in any case."""


@dataclass(frozen=True)
class Term:
    """One number's part in a rule.

    Attributes
    ----------
    weight : float
        Of the logit, for each unit.
    usual : float
        Median among sound particles of the phantoms; only what is beyond it adds to the score.
    words : str
        Reason, where it raises the score.
    """

    weight: float
    usual: float
    words: str


@dataclass(frozen=True)
class Rule:
    """Logit of a particle with usual numbers, and what each number adds."""

    usual: float
    terms: Mapping[str, Term]

    def parts(self, numbers: pd.DataFrame) -> NDArray[np.float64]:
        """What each term adds to the logit, (n, terms)."""
        weights = np.array([t.weight for t in self.terms.values()])
        usual = np.array([t.usual for t in self.terms.values()])
        return (numbers[list(self.terms)].to_numpy(dtype=np.float64) - usual) * weights

    def reasons(self, parts: NDArray[np.float64]) -> str:
        """Up to three strongest reasons, in words."""
        words = [t.words for t in self.terms.values()]
        order = np.argsort(-parts, kind="stable")[:3]
        said = [words[k] for k in order if parts[k] > 0.3]
        return "; ".join(dict.fromkeys(said)) or "nothing stands out"


def numbers_of(features: SuspectFeatures) -> dict[str, pd.DataFrame]:
    """What the rules are fed with, by kind; shares of a few per cent are spread out by roots."""
    p, q = features.particles, features.pairs
    merger = pd.DataFrame(
        {
            "neck": p["neck"],
            "halves": p["neck"] * np.sqrt(2 * p["neck_share"]),
            "weak_cut": p["weak_cut"] * (p["neck"] > 0),
            "dip": p["dip"],
            "pieces": np.minimum(p["pieces"] - 1, 3),
            "hollow": -p["solidity_z"],
            "size": p["size_z"],
            "long": p["elongation_z"],
        }
    )
    splitter = pd.DataFrame(
        {
            "contact": np.sqrt(q["contact"]),
            "chance": q["chance"],
            "open": q["open"],
            # parts of few voxels have little solidity: together they may have more than apart
            "gain": 10 * np.minimum(q["gain"], 0),
            "small": -q["size_z"],
        }
    )
    shape = pd.DataFrame(
        {
            "holes": np.sqrt(p["holes"]) * 10,
            "denied_holes": np.sqrt(p["denied_holes"]) * 10,
            "hollow": -p["solidity_z"],
            "denied": p["denied_z"],
        }
    )
    doubt = pd.DataFrame({"doubt": np.maximum(0, np.maximum(p["unsure_z"], p["denied_z"]))})
    found = {"merger": merger, "splitter": splitter, "shape": shape, "doubt": doubt}
    m = features.missed
    if m is not None:
        found["missed"] = pd.DataFrame(
            {
                "large": np.log2(m["voxels"] / max(features.population.smallest, 1)),
                "chance": m["chance"],
                "free": 1 - m["contact"],
            }
        )
    return found


WORDS = {
    "merger": {
        "neck": "narrow neck between two parts",
        "halves": "narrow neck between two parts",
        "weak_cut": "the network is less sure at the neck",
        "dip": "a higher marker threshold would split it",
        "pieces": "a watershed of the distance would split it",
        "hollow": "fills little of its convex hull",
        "size": "unusual size",
        "long": "unusual elongation",
    },
    "splitter": {
        "contact": "touches its neighbour over much of its surface",
        "chance": "the network sees no border to its neighbour",
        "open": "no neck at the border to its neighbour",
        "gain": "convex together with its neighbour",
        "small": "small",
    },
    "shape": {
        "holes": "has holes",
        "denied_holes": "has holes where the network sees particle",
        "hollow": "fills little of its convex hull",
        "denied": "phases and particle network disagree",
    },
    "doubt": {"doubt": "the network is unsure here, or disagrees with the phases"},
    "missed": {
        "large": "mineral as large as a particle, without one",
        "chance": "the network sees a particle",
        "free": "touches no particle",
    },
}
"""Reasons by kind and number."""


def rule(kind: str, usual: float, terms: Mapping[str, tuple[float, float]]) -> Rule:
    """Rule of a kind from (weight, usual) of each number."""
    return Rule(usual, {k: Term(w, u, WORDS[kind][k]) for k, (w, u) in terms.items()})


RULES: dict[str, Rule] = {
    # python -m benchmarks.suspects --fit 100 ... 107 --fit-sample 100 101 --fit-project ...
    # the last: phantoms of preset "sample", easy (seeds 11, 13, 16) and medium (12, 15, 17), as
    # the networks of the demo segment them
    "merger": rule(  # 307 errors among 7138
        "merger",
        -5.387,
        {
            "neck": (12.163, 0.028),
            "halves": (0.0, 0.014),
            "weak_cut": (2.741, 0.0),
            "dip": (14.122, 0.016),
            "pieces": (1.321, 0.0),
            "hollow": (0.434, -0.03),
            "size": (0.766, -0.033),
            "long": (0.0, -0.042),
        },
    ),
    "splitter": rule(  # 154 errors among 7115
        "splitter",
        -22.25,
        {
            "contact": (8.075, 0.315),
            "chance": (3.213, 0.529),
            "open": (19.429, 0.707),
            "gain": (17.271, -0.84),
            "small": (0.0, 0.126),
        },
    ),
    "shape": rule(  # 107 errors among 7138
        "shape",
        -8.599,
        {
            "holes": (5.802, 0.0),
            "denied_holes": (1.3, 0.0),
            "hollow": (0.0, 0.005),
            "denied": (0.0, 0.0),
        },
    ),
    "missed": rule(  # 167 errors among 334
        "missed",
        -0.887,
        {
            "large": (1.429, -0.358),
            "chance": (3.922, 0.451),
            "free": (1.031, 0.931),
        },
    ),
    "doubt": rule("doubt", -8.5, {"doubt": (1.5, 0.0)}),
}
"""Rules by kind."""


def ranked(features: SuspectFeatures, rules: Mapping[str, Rule] = RULES) -> pd.DataFrame:
    """The queue.

    Each particle has one row, for the likeliest of "merger", "shape" and "doubt"; each pair of
    neighbours that may be one particle cut in two has one more ("splitter"), at the smaller;
    so has each piece of a phase without a particle ("missed").

    Parameters
    ----------
    features : SuspectFeatures
    rules : mapping of kind to Rule

    Returns
    -------
    DataFrame
        Columns `SUSPECT_COLUMNS`, highest score first; ties in the order of labels.
    """
    numbers = numbers_of(features)
    frames = []
    scores, parts = {}, {}
    for kind in numbers.keys() & rules.keys():
        parts[kind] = rules[kind].parts(numbers[kind])
        logit = rules[kind].usual + parts[kind].sum(axis=1)
        scores[kind] = 1 / (1 + np.exp(-np.clip(logit, -50, 50)))
    alone = [kind for kind in rules if kind not in OWN_ROWS]
    p, q = features.particles, features.pairs
    best = np.argmax(np.stack([scores[kind] for kind in alone]), axis=0) if len(p) else []
    for k, kind in enumerate(alone):
        rows = np.flatnonzero(np.asarray(best) == k)
        here = p.iloc[rows]
        frames.append(_rows(kind, here.index.to_numpy(), np.zeros(len(rows), np.int64), here,
                            scores[kind][rows], parts[kind][rows], rules[kind]))  # fmt: skip
    if "splitter" in rules:
        rows = np.flatnonzero(scores["splitter"] >= LEAST_PAIR_SCORE)
        here = q.iloc[rows]
        frames.append(_rows("splitter", here["label"].to_numpy(), here["partner"].to_numpy(),
                            here, scores["splitter"][rows], parts["splitter"][rows],
                            rules["splitter"]))  # fmt: skip
    if "missed" in scores and features.missed is not None:
        here = features.missed
        frames.append(_rows("missed", np.zeros(len(here), np.int64),
                            here["first"].to_numpy(np.int64), here, scores["missed"],
                            parts["missed"], rules["missed"]))  # fmt: skip
    queue = joined(frames)
    order = np.lexsort((queue["partner"], queue["label"], -queue["score"].to_numpy(np.float64)))
    return queue.iloc[order].reset_index(drop=True)


def _rows(
    kind: str,
    labels: NDArray[np.int64],
    partners: NDArray[np.int64],
    places: pd.DataFrame,
    scores: NDArray[np.float64],
    parts: NDArray[np.float64],
    rule: Rule,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": labels.astype(np.int64),
            "kind": kind,
            "score": scores,
            "partner": partners.astype(np.int64),
            "reasons": [rule.reasons(row) for row in parts],
            "z_um": places["place_z"].to_numpy(np.float64),
            "y_um": places["place_y"].to_numpy(np.float64),
            "x_um": places["place_x"].to_numpy(np.float64),
        },
        columns=list(SUSPECT_COLUMNS),
    )


__all__ = [
    "LEAST_PAIR_SCORE",
    "OWN_ROWS",
    "RULES",
    "SUSPECT_COLUMNS",
    "Rule",
    "Term",
    "numbers_of",
    "ranked",
]
