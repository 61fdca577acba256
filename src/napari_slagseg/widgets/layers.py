"""Contents of a project as layers; every layer has scale, units and axis labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.utils.colormaps import DirectLabelColormap

from napari_slagseg.data import BACKGROUND, UNKNOWN, PhaseTable, PlacedMap, VoxelSize
from napari_slagseg.project import Project
from napari_slagseg.widgets import outlines
from napari_slagseg.widgets.lazy_array import LazyArray
from napari_slagseg.widgets.levels import (
    contrast_limits,
    layer_data,
    levels_needed,
    levels_of,
)
from napari_slagseg.widgets.quick_reader import Arrivals, quickened
from napari_slagseg.widgets.sparse_volume import sparse_levels
from napari_slagseg.widgets.vector_lines import put_lines
from napari_slagseg.workflow.segment import segmented_phase_table

if TYPE_CHECKING:
    import napari
    from napari.layers import Vectors

    from napari_slagseg.project.store import SegmentationArray
    from napari_slagseg.widgets.session import Session

AXES = ("z", "y", "x")
CT_LAYER = "CT"
PHASES_LAYER = "phases"
PARTICLES_LAYER = "particles"
PROBABILITY_LAYER = "particle probability"
TRUTH_LAYER = "ground truth"

DRAWN_AT_ONCE = 250_000
"""Map pixels that are carried into the CT in a tenth of a second or so."""


def placement(voxel_size_um: VoxelSize, ndim: int = 3) -> dict[str, Any]:
    """Keyword arguments that put a layer in its place, in micrometres."""
    return {
        "scale": voxel_size_um[-ndim:],
        "units": ("um",) * ndim,
        "axis_labels": AXES[-ndim:],
    }


def phase_colormap(table: PhaseTable, shift: int = 0) -> DirectLabelColormap:
    """Colours of the phase table; background is clear unless ids are shifted."""
    colours: dict[int | None, Any] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    for phase in table:
        if phase.id != BACKGROUND or shift:
            red, green, blue = phase.rgb
            colours[phase.id + shift] = (red / 255, green / 255, blue / 255, 1.0)
    return DirectLabelColormap(color_dict=colours)


def _replace(viewer: napari.Viewer, name: str) -> int | None:
    """Take a layer away; where it stood."""
    if name in viewer.layers:
        index = viewer.layers.index(name)
        viewer.layers.remove(name)
        return index
    return None


def add_ct(viewer: napari.Viewer, session: Session) -> None:
    """Show the CT."""
    volume = session.volume()
    stored = session.ct_levels()
    _replace(viewer, CT_LAYER)
    levels, arrivals = _quick(levels_of(stored))
    layer = viewer.add_image(
        layer_data(levels),
        name=CT_LAYER,
        colormap="gray",
        contrast_limits=contrast_limits(stored[0]),
        **placement(volume.voxel_size_um),
    )
    arrivals.follow(layer)
    scale_bar = viewer.canvas.overlays.scale_bar
    scale_bar.visible = True


def map_layer_name(name: str) -> str:
    """Name of the layer with a map in the CT."""
    return f"{name} in the CT"


def cutout_layer_name(name: str) -> str:
    """Name of the layer with a map's cutouts."""
    return f"{name} cutouts"


def sheet(project: Project, placed: PlacedMap, thickness: int) -> list[LazyArray]:
    """Map drawn into the CT for display: class + 1 on the cut, 0 elsewhere.

    Map pixels are finer than voxels, so carrying each to its nearest voxel leaves
    no holes (the ground truth is made the exact way, by inverse mapping).

    Parameters
    ----------
    thickness : int
        Voxels the sheet is drawn thick along z, so that a tilted cut can be seen
        in a slice.

    Returns
    -------
    list of LazyArray
        Levels of uint8, finest first; their memory follows the map's pixels.
    """
    table = project.phase_table()
    _, class_of = table.grouped()
    classes = table.lookup(class_of)[project.mineral_map(placed.map_name).phases]
    zyx = placed.coordinates()
    known = np.isfinite(zyx[..., 0]) & (classes != UNKNOWN)
    voxels = np.rint(zyx[known]).astype(np.int32)
    values = (classes[known] + 1).astype(np.uint8)
    zyx_parts, value_parts = [], []
    # where sheets of several offsets meet, the one nearest to the cut comes last and stays
    for offset in sorted(range(-(thickness // 2), thickness - thickness // 2), key=abs)[::-1]:
        moved = voxels + np.array([offset, 0, 0], dtype=np.int32)
        inside = np.all((moved >= 0) & (moved < placed.ct_shape), axis=1)
        zyx_parts.append(moved[inside])
        value_parts.append(values[inside])
    return sparse_levels(
        placed.ct_shape,
        np.concatenate(zyx_parts),
        np.concatenate(value_parts),
        levels_needed(placed.ct_shape),
    )


def add_map(viewer: napari.Viewer, project: Project, placed: PlacedMap, thickness: int = 3) -> None:
    """Show a placed map on its cut and the outlines of its cutouts."""
    if placed.surface is None or not placed.placed:
        return
    show_sheet(viewer, project, placed, sheet(project, placed, thickness))
    add_cutouts(viewer, placed)


def show_sheet(
    viewer: napari.Viewer,
    project: Project,
    placed: PlacedMap,
    levels: list[LazyArray],
    visible: bool = True,
) -> None:
    """Show a placed map as `sheet` drew it, under the segmentation if there is one.

    Parameters
    ----------
    viewer, project, placed
    levels : list of LazyArray
    visible : bool
        Of a layer that is not there yet.
    """
    grouped, _ = project.phase_table().grouped()
    name = map_layer_name(placed.map_name)
    if name in viewer.layers:
        viewer.layers[name].data = layer_data(levels)
        return
    active = viewer.layers.selection.active
    viewer.add_labels(
        layer_data(levels),
        name=name,
        colormap=phase_colormap(grouped, shift=1),
        opacity=0.6,
        visible=visible,
        features=pd.DataFrame({"index": [p.id + 1 for p in grouped], "phase": list(grouped.names)}),
        **placement(placed.voxel_size_um),
    ).editable = False
    above = cutout_layer_name(placed.map_name)
    above = above if above in viewer.layers else PHASES_LAYER
    if above in viewer.layers:
        viewer.layers.move(len(viewer.layers) - 1, viewer.layers.index(above))
        viewer.layers.selection.active = active


def add_cutouts(viewer: napari.Viewer, placed: PlacedMap) -> Vectors | None:
    """Show the cutouts' frames from above, coloured as in the Alignment dock.

    The layer has the axes (y, x) only, so that it is seen in every slice. It holds
    plain lines: hundreds of shapes would hold the window up at every nudge.
    """
    surface = placed.surface
    if surface is None or not placed.cutouts:
        return None
    lines, colours, of = [], [], []
    for i, (cutout, frame) in enumerate(zip(placed.cutouts, outlines.frames(placed.cutouts))):
        sides = outlines.rectangle(frame, outlines.DASHES if not cutout.accepted else 0)
        lines.append(sides)
        colours += [outlines.colour_of(cutout)] * len(sides)
        of += [i] * len(sides)
    start, extent = np.moveaxis(np.concatenate(lines), 1, 0)
    ends = start + extent
    begin = surface.at(start[:, 0], start[:, 1])[:, 1:]
    data = np.stack([begin, surface.at(ends[:, 0], ends[:, 1])[:, 1:] - begin], axis=1)
    features = pd.DataFrame(
        {
            "cutout": of,
            "score": [placed.cutouts[i].score for i in of],
            "state": [placed.cutouts[i].state for i in of],
        }
    )
    name = cutout_layer_name(placed.map_name)
    if name in viewer.layers:
        layer = viewer.layers[name]
        put_lines(layer, data, colours, features)
        return layer
    return viewer.add_vectors(
        data,
        name=name,
        vector_style="line",
        edge_color=colours,
        edge_width=1.2,
        features=features,
        **placement(placed.voxel_size_um, 2),
    )


def show_segmentation(viewer: napari.Viewer, project: Project) -> None:
    """Show phases and particles, replacing older ones."""
    if not project.segmentation_path.exists():
        return
    table = segmented_phase_table(project)
    for name in (PHASES_LAYER, PARTICLES_LAYER, PROBABILITY_LAYER):
        _replace(viewer, name)
    _add_stored(
        viewer,
        project,
        PHASES_LAYER,
        colormap=phase_colormap(table),
        opacity=0.6,
        features=pd.DataFrame({"index": list(table.ids), "phase": list(table.names)}),
    )
    _add_stored(viewer, project, PARTICLES_LAYER, opacity=0.5, visible=False)
    levels, arrivals = _quick(levels_of(project.segmentation_levels("particle_probability")))
    probability = viewer.add_image(
        layer_data(levels),
        name=PROBABILITY_LAYER,
        colormap="magma",
        contrast_limits=(0, 255),
        opacity=0.6,
        visible=False,
        **placement(project.voxel_size_um),
    )
    arrivals.follow(probability)


def _add_stored(
    viewer: napari.Viewer, project: Project, name: SegmentationArray, **options: Any
) -> None:
    """Show labels of the segmentation as edited, read as they are looked at."""
    levels, arrivals = _quick(levels_of(project.segmentation_levels(name)))
    layer = viewer.add_labels(
        layer_data(levels), name=name, **options, **placement(project.voxel_size_um)
    )
    layer.editable = False
    arrivals.follow(layer)


def _quick(levels: list[LazyArray]) -> tuple[list[LazyArray], Arrivals]:
    """Levels of which no plane is waited for, and what draws a layer anew when it is there."""
    arrivals = Arrivals()
    return quickened(levels, arrivals), arrivals


def show_truth(viewer: napari.Viewer, project: Project) -> None:
    """Show the ground truth: class + 1 where it is known."""
    if not project.ground_truth_path.exists():
        return
    truth = project.ground_truth()
    data = layer_data(
        sparse_levels(
            truth.shape,
            truth.zyx(),
            (truth.phases + 1).astype(np.uint8),
            levels_needed(truth.shape),
        )
    )
    colours = phase_colormap(truth.table, shift=1)
    features = pd.DataFrame(
        {"index": [p.id + 1 for p in truth.table], "phase": list(truth.table.names)}
    )
    if TRUTH_LAYER in viewer.layers:
        layer = viewer.layers[TRUTH_LAYER]
        layer.data, layer.colormap, layer.features = data, colours, features
        return
    viewer.add_labels(
        data,
        name=TRUTH_LAYER,
        colormap=colours,
        visible=False,
        features=features,
        **placement(project.voxel_size_um),
    ).editable = False


def show_project(viewer: napari.Viewer, session: Session) -> list[PlacedMap]:
    """Show all that a project holds, the CT undermost.

    Returns
    -------
    list of PlacedMap
        Maps that are too large to be drawn while somebody waits: of them only the
        cutouts' outlines are there yet.
    """
    project = session.project
    if project is None:
        return []
    add_ct(viewer, session)
    show_truth(viewer, project)
    placed_maps = [p for p in project.placed_maps().values() if p.placed]
    later = [p for p in placed_maps if np.prod(p.map_shape) > DRAWN_AT_ONCE]
    for placed in placed_maps:
        if placed in later:
            add_cutouts(viewer, placed)
        else:
            add_map(viewer, project, placed)
    if project.segmentation_path.exists():
        # the maps would hide what was predicted; they stay one click away
        for placed in placed_maps:
            for name in (map_layer_name(placed.map_name), cutout_layer_name(placed.map_name)):
                if name in viewer.layers:
                    viewer.layers[name].visible = False
    show_segmentation(viewer, project)
    for placed in placed_maps[1:]:
        viewer.layers[cutout_layer_name(placed.map_name)].visible = False
    viewer.reset_view()
    return later


__all__ = [
    "CT_LAYER",
    "PARTICLES_LAYER",
    "PHASES_LAYER",
    "PROBABILITY_LAYER",
    "TRUTH_LAYER",
    "add_ct",
    "add_cutouts",
    "add_map",
    "cutout_layer_name",
    "map_layer_name",
    "phase_colormap",
    "placement",
    "sheet",
    "show_project",
    "show_segmentation",
    "show_sheet",
    "show_truth",
]
