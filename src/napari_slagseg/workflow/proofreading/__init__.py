"""Correcting a segmentation by hand: every edit, undoable, on disk, and what follows from it.

Names are looked up when they are asked for: listing edits must not wait for numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slagseg.workflow.proofreading.live_sections import LiveSections
    from napari_slagseg.workflow.proofreading.live_table import LiveTable
    from napari_slagseg.workflow.proofreading.outcome import Outcome
    from napari_slagseg.workflow.proofreading.proofreader import Proofreader
    from napari_slagseg.workflow.proofreading.warming import warm_up

_HOMES = {
    "LiveSections": "live_sections",
    "LiveTable": "live_table",
    "Outcome": "outcome",
    "Proofreader": "proofreader",
    "warm_up": "warming",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["LiveSections", "LiveTable", "Outcome", "Proofreader", "warm_up"]
