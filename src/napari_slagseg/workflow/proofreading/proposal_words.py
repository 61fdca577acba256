"""What came of teaching, in words and in a table of scores: the same in window and terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

VERSION_WORDS = {
    "present": "present, as segmented",
    "present_edited": "present, with edits",
    "proposal": "new, as segmented",
    "proposal_edited": "new, with edits",
}
"""What is scored: the present segmentation and the proposed one, without and with hand edits."""

VERSIONS = tuple(VERSION_WORDS)

PART_WORDS = {"held_out": "held out", "training": "trained on"}

SHOWN_SCORES = {
    "f1_match": "F1 match",
    "f1_instance": "F1 inst.",
    "merger_ratio": "mergers",
    "splitter_ratio": "splitters",
}
"""Scores of particles that are worth showing, and their short names."""


def shown_score(value: float | None) -> str:
    """A score in three digits; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def score_rows(scores: Mapping[str, Any]) -> list[list[str]]:
    """Rows of the table of scores, held-out truth first: what is scored, then `SHOWN_SCORES`.

    Parameters
    ----------
    scores : mapping
        For each of `VERSIONS` those of the report.
    """
    return [
        [
            f"{said}: {words}",
            *(shown_score(scores[version][part]["particles"][name]) for name in SHOWN_SCORES),
        ]
        for part, said in PART_WORDS.items()
        for version, words in VERSION_WORDS.items()
        if scores[version].get(part) is not None
    ]


def change_sentence(changes: Mapping[str, int]) -> str:
    """How many particles stayed and changed (see `ParticleChanges`)."""
    return (
        f"Of {changes['after']:,} particles {changes['unchanged']:,} are as they were, "
        f"{changes['changed']:,} changed and {changes['new']:,} are new; {changes['gone']:,} of "
        f"{changes['before']:,} are gone."
    )


def worse(scores: dict[str, Any]) -> tuple[str, ...]:
    """Warnings where the new network does worse on held-out truth than the old one."""
    part = "held_out" if "held_out" in scores["present"] else "training"
    said = "held-out" if part == "held_out" else "known"
    before, after = (
        scores[name].get(part, {}).get("particles") for name in ("present", "proposal")
    )
    if not before or not after:
        return ()
    found = []
    for name, better in (("f1_match", 1), ("merger_ratio", -1), ("splitter_ratio", -1)):
        if before[name] is None or after[name] is None:  # NaN has no other form in JSON
            continue
        if better * (after[name] - before[name]) < -0.005:
            found.append(
                f"On the {said} truth the new network does worse than the old one: "
                f"{name.replace('_', ' ')} {before[name]:.3f} before, {after[name]:.3f} now."
            )
    return tuple(found)


__all__ = [
    "PART_WORDS",
    "SHOWN_SCORES",
    "VERSIONS",
    "VERSION_WORDS",
    "change_sentence",
    "score_rows",
    "shown_score",
    "worse",
]
