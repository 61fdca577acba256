"""What is said beside the bar while blocks are worked on."""

from __future__ import annotations

from napari_slagseg.data import ProgressEvent


def blocks_told(event: ProgressEvent) -> str:
    """How far the blocks of a stage are: "12 of 60 blocks, about 40 s left"; "" without blocks."""
    done, of = event.values.get("blocks"), event.values.get("of")
    if not isinstance(done, int) or not isinstance(of, int):
        return ""
    text = f"{done:,} of {of:,} {'block' if of == 1 else 'blocks'}"
    left = event.values.get("seconds_left")
    return text if left is None or done == of else f"{text}, {_about(float(left))} left"


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


__all__ = ["blocks_told"]
