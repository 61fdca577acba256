"""How long work tells of itself and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from napari_slagseg.data.errors import CancelledError


@dataclass(frozen=True)
class ProgressEvent:
    """One sign of life from a long step.

    Attributes
    ----------
    stage : str
        What is being done, in the user's words ("training the phase network").
    fraction : float or None
        Share of this stage that is done, 0 to 1; None where it cannot be known.
    values : mapping of str to JSON values
        Numbers worth showing live (``{"epoch": 3, "loss": 0.12}``).
    """

    stage: str
    fraction: float | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


Progress = Callable[[ProgressEvent], None]


class CancelToken(Protocol):
    """Anything with ``is_set``: a ``threading.Event``, a ``multiprocessing.Event``."""

    def is_set(self) -> bool:
        """Whether the work should stop."""
        ...


def no_progress(event: ProgressEvent) -> None:
    """Listen to nothing: the default listener."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Listener that maps a stage's 0 to 1 into a part of a longer bar."""

    def tell(event: ProgressEvent) -> None:
        fraction = None if event.fraction is None else start + event.fraction * (end - start)
        progress(ProgressEvent(event.stage, fraction, event.values))

    return tell


def stop_if_cancelled(cancel: CancelToken | None) -> None:
    """Raise `CancelledError` if the token is set."""
    if cancel is not None and cancel.is_set():
        raise CancelledError("cancelled by the user")


__all__ = [
    "CancelToken",
    "Progress",
    "ProgressEvent",
    "no_progress",
    "part_of",
    "stop_if_cancelled",
]
