"""Project folders, dropped on napari."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_slagseg.widgets.layers import placement
from napari_slagseg.widgets.levels import contrast_limits, layer_data, levels_of


def get_reader(
    path: str | list[str],
) -> Callable[[str], list[tuple[Any, dict[str, Any], str]]] | None:
    """Reader for a project folder; None for anything else."""
    if isinstance(path, list) or not (Path(path) / "project.json").is_file():
        return None
    return read_project


def read_project(path: str) -> list[tuple[Any, dict[str, Any], str]]:
    """Open a project in the current viewer, with its docks where there is a window.

    Returns the CT alone where napari runs without a viewer of its own.
    """
    import napari

    from napari_slagseg.project import Project
    from napari_slagseg.widgets.launch import open_project

    viewer = napari.current_viewer()
    if viewer is not None:
        open_project(viewer, path)
        return [(None,)]  # napari's sign for "read, but no layers to add"
    volume = Project(path).volume()
    levels = levels_of([volume.data])
    return [
        (
            layer_data(levels),
            {
                "name": "CT",
                "contrast_limits": contrast_limits(volume.data),
                **placement(volume.voxel_size_um),
            },
            "image",
        )
    ]


__all__ = ["get_reader", "read_project"]
