"""One queue from all suspicions: what is likeliest to be wrong comes first.

Every kind of suspicion has a logistic rule: the score is the chance, among errors planted in
phantoms, that a particle with these numbers is wrong in this way. So scores of different
kinds can be compared, and one list holds all. The weights of "merger", "splitter" and
"shape" were fitted by ``python -m benchmarks.suspects --fit`` (mergers, splitters and holes
planted in phantoms of other seeds than those the queue is tried on); that of "doubt" is set by
hand, as nothing is planted that only doubt would show: four robust standard deviations above
the other particles count as a chance of a quarter, none as one in a thousand.
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
    return {"merger": merger, "splitter": splitter, "shape": shape, "doubt": doubt}


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
}
"""Reasons by kind and number."""


def rule(kind: str, usual: float, terms: Mapping[str, tuple[float, float]]) -> Rule:
    """Rule of a kind from (weight, usual) of each number."""
    return Rule(usual, {k: Term(w, u, WORDS[kind][k]) for k, (w, u) in terms.items()})


RULES: dict[str, Rule] = {
    # python -m benchmarks.suspects --fit 100 101 102 103 104 105 106 107
    "merger": rule(  # 42 errors among 1026
        "merger",
        -4.347,
        {
            "neck": (0.0, 0.028),
            "halves": (7.518, 0.018),
            "weak_cut": (0.7, 0.0),
            "dip": (3.625, 0.008),
            "pieces": (1.681, 0.0),
            "hollow": (0.462, -0.027),
            "size": (1.275, -0.027),
            "long": (0.008, -0.018),
        },
    ),
    "splitter": rule(  # 42 errors among 1970
        "splitter",
        -13.780,
        {
            "contact": (8.778, 0.353),
            "chance": (2.768, 0.554),
            "open": (13.67, 0.791),
            "gain": (10.919, -0.76),
            "small": (0.0, 0.078),
        },
    ),
    "shape": rule(  # 42 errors among 1026
        "shape",
        -7.018,
        {
            "holes": (6.677, 0.0),
            "denied_holes": (1.435, 0.0),
            "hollow": (0.0, -0.001),
            "denied": (0.0, 0.003),
        },
    ),
    "doubt": rule("doubt", -7.0, {"doubt": (1.5, 0.0)}),
}
"""Rules by kind."""


def ranked(features: SuspectFeatures, rules: Mapping[str, Rule] = RULES) -> pd.DataFrame:
    """The queue.

    Each particle has one row, for the likeliest of "merger", "shape" and "doubt"; each pair of
    neighbours that may be one particle cut in two has one more ("splitter"), at the smaller.

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
    for kind in rules:
        parts[kind] = rules[kind].parts(numbers[kind])
        logit = rules[kind].usual + parts[kind].sum(axis=1)
        scores[kind] = 1 / (1 + np.exp(-np.clip(logit, -50, 50)))
    alone = [kind for kind in rules if kind != "splitter"]
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


__all__ = ["LEAST_PAIR_SCORE", "RULES", "SUSPECT_COLUMNS", "Rule", "Term", "numbers_of", "ranked"]
