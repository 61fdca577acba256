"""Colours of numbered landmarks: the same in the map, in the CT and in the list."""

from __future__ import annotations

_COLOURS = (
    "#cc79a7", "#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#8c564b", "#7f3c8d",
)  # fmt: skip


def landmark_colours(n: int) -> list[str]:
    """Colours of the first n landmarks; they repeat from the ninth on."""
    return [_COLOURS[i % len(_COLOURS)] for i in range(n)]


__all__ = ["landmark_colours"]
