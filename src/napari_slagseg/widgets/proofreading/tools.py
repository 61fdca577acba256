"""The tools of proofreading: what each needs, and what is to be done next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Needs = Literal["chosen", "points", "stroke", "particles", "background", "grain", "paint"]


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes
    ----------
    name : str
        Its action in the table of keys, and its icon.
    title : str
        On its button.
    needs : str
        ``"chosen"``: nothing but chosen particles, so that it works at once; ``"points"``: one
        in each part of a particle; ``"stroke"``: a line in one slice; ``"particles"``: clicked
        ones; ``"background"``, ``"grain"``: one click there; ``"paint"``: a painted mask.
    next : str
        What the user is to do, in one line.
    """

    name: str
    title: str
    needs: Needs
    next: str


TOOLS: tuple[Tool, ...] = (
    Tool("split", "Split", "points",
         "Click a point in each part, in any slices, then Enter; Esc gives up."),
    Tool("split_by_stroke", "Cut", "stroke",
         "Draw along the border between the two parts, in one slice; Esc gives up."),
    Tool("merge", "Merge", "particles",
         "Click the particles that are one, then Enter; Esc gives up."),
    Tool("delete", "Delete", "chosen", "Choose particles first: click on them."),
    Tool("grow", "Grow", "background",
         "Click where a particle is missing: it grows over what is as bright; Esc gives up."),
    Tool("add", "Paint new", "paint",
         "Paint the new particle, in as many slices as it takes, then Enter; Esc gives up."),
    Tool("fill", "Fill holes", "chosen", "Choose particles first: click on them."),
    Tool("smooth", "Smooth", "chosen", "Choose particles first: click on them."),
    Tool("relabel_region", "Set grain", "grain",
         "Choose the phase below, then click the grain that is of it; Esc gives up."),
    Tool("relabel", "Set phase", "paint",
         "Choose the phase below, paint what is of it, then Enter; Esc gives up."),
    Tool("lock", "Lock", "chosen", "Choose particles first: click on them."),
)  # fmt: skip

CHOOSING = "Click a particle to choose it, Shift+click for several; then take a tool."
BRUSHING = (
    "Paint, erase or fill with napari's tools: each stroke is one edit. M takes a new number, "
    "the picker that of a particle."
)


def tool_named(name: str) -> Tool | None:
    """Tool of an action; None where it is none."""
    return next((t for t in TOOLS if t.name == name), None)


__all__ = ["BRUSHING", "CHOOSING", "TOOLS", "Needs", "Tool", "tool_named"]
