"""The steps in napari: docks, layers, samples. Imported names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slagseg.widgets.launch import open_project, screenshot_project, view_project
    from napari_slagseg.widgets.measure_dock import MeasureDock
    from napari_slagseg.widgets.workflow_dock import WorkflowDock

_HOMES = {
    "MeasureDock": "measure_dock",
    "WorkflowDock": "workflow_dock",
    "open_project": "launch",
    "screenshot_project": "launch",
    "view_project": "launch",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "MeasureDock",
    "WorkflowDock",
    "open_project",
    "screenshot_project",
    "view_project",
]
