"""Contents of a project as layers; every layer has scale, units and axis labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_slagseg.data import BACKGROUND, UNKNOWN, PhaseTable, PlacedMap, VoxelSize
from napari_slagseg.project import Project
from napari_slagseg.widgets import outlines
from napari_slagseg.widgets.vector_lines import put_lines
from napari_slagseg.workflow.segment import segmented_phase_table

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels, Vectors

    from napari_slagseg.widgets.session import Session

AXES = ("z", "y", "x")
CT_LAYER = "CT"
PHASES_LAYER = "phases"
PARTICLES_LAYER = "particles"
TRUTH_LAYER = "ground truth"
ERRORS_LAYER = "errors"

_SAMPLE_VOXELS = 2_000_000


def placement(voxel_size_um: VoxelSize, ndim: int = 3) -> dict[str, Any]:
    """Keyword arguments that put a layer in its place, in micrometres."""
    return {
        "scale": voxel_size_um[-ndim:],
        "units": ("um",) * ndim,
        "axis_labels": AXES[-ndim:],
    }


def contrast_limits(data: NDArray[Any]) -> tuple[float, float]:
    """0.5 and 99.5 per cent of the grey values, from a regular sample of the voxels."""
    step = max(1, round((data.size / _SAMPLE_VOXELS) ** (1 / 3)))
    sample = np.asarray(data[::step, ::step, ::step])
    low, high = np.percentile(sample, (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1)


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
    _replace(viewer, CT_LAYER)
    viewer.add_image(
        volume.data,
        name=CT_LAYER,
        colormap="gray",
        contrast_limits=contrast_limits(volume.data),
        **placement(volume.voxel_size_um),
    )
    scale_bar = viewer.canvas.overlays.scale_bar
    scale_bar.visible = True


def map_layer_name(name: str) -> str:
    """Name of the layer with a map in the CT."""
    return f"{name} in the CT"


def cutout_layer_name(name: str) -> str:
    """Name of the layer with a map's cutouts."""
    return f"{name} cutouts"


def sheet(project: Project, placed: PlacedMap, thickness: int) -> NDArray[np.uint8]:
    """Map drawn into the CT for display: class + 1 on the cut, 0 elsewhere.

    Map pixels are finer than voxels, so carrying each to its nearest voxel leaves
    no holes (the ground truth is made the exact way, by inverse mapping).

    Parameters
    ----------
    thickness : int
        Voxels the sheet is drawn thick along z, so that a tilted cut can be seen
        in a slice.
    """
    out = np.zeros(placed.ct_shape, dtype=np.uint8)
    table = project.phase_table()
    _, class_of = table.grouped()
    classes = table.lookup(class_of)[project.mineral_map(placed.map_name).phases]
    zyx = placed.coordinates()
    known = np.isfinite(zyx[..., 0]) & (classes != UNKNOWN)
    voxels = np.rint(zyx[known]).astype(np.int64)
    values = (classes[known] + 1).astype(np.uint8)
    for offset in sorted(range(-(thickness // 2), thickness - thickness // 2), key=abs)[::-1]:
        moved = voxels + np.array([offset, 0, 0])
        inside = np.all((moved >= 0) & (moved < placed.ct_shape), axis=1)
        z, y, x = moved[inside].T
        out[z, y, x] = values[inside]
    return out


def add_map(viewer: napari.Viewer, project: Project, placed: PlacedMap, thickness: int = 3) -> None:
    """Show a placed map on its cut and the outlines of its cutouts."""
    if placed.surface is None or not placed.placed:
        return
    show_sheet(viewer, project, placed, sheet(project, placed, thickness))
    add_cutouts(viewer, placed)


def show_sheet(
    viewer: napari.Viewer, project: Project, placed: PlacedMap, data: NDArray[np.uint8]
) -> None:
    """Show a placed map as `sheet` drew it."""
    grouped, _ = project.phase_table().grouped()
    name = map_layer_name(placed.map_name)
    if name in viewer.layers:
        viewer.layers[name].data = data
    else:
        viewer.add_labels(
            data,
            name=name,
            colormap=phase_colormap(grouped, shift=1),
            opacity=0.6,
            features=pd.DataFrame(
                {"index": [p.id + 1 for p in grouped], "phase": list(grouped.names)}
            ),
            **placement(placed.voxel_size_um),
        ).editable = False


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
    size = project.voxel_size_um
    for name in (PHASES_LAYER, PARTICLES_LAYER):
        _replace(viewer, name)
    viewer.add_labels(
        project.segmentation("phases"),
        name=PHASES_LAYER,
        colormap=phase_colormap(table),
        opacity=0.6,
        features=pd.DataFrame({"index": list(table.ids), "phase": list(table.names)}),
        **placement(size),
    )
    viewer.add_labels(
        project.segmentation("particles"),
        name=PARTICLES_LAYER,
        opacity=0.5,
        visible=False,
        **placement(size),
    )


def show_truth(viewer: napari.Viewer, project: Project) -> None:
    """Show the ground truth: class + 1 where it is known."""
    if not project.ground_truth_path.exists():
        return
    truth = project.ground_truth()
    dense = (truth.dense("phases").astype(np.int16) + 1).astype(np.uint8)
    colours = phase_colormap(truth.table, shift=1)
    features = pd.DataFrame(
        {"index": [p.id + 1 for p in truth.table], "phase": list(truth.table.names)}
    )
    if TRUTH_LAYER in viewer.layers:
        layer = viewer.layers[TRUTH_LAYER]
        layer.data, layer.colormap, layer.features = dense, colours, features
        return
    viewer.add_labels(
        dense,
        name=TRUTH_LAYER,
        colormap=colours,
        visible=False,
        features=features,
        **placement(project.voxel_size_um),
    ).editable = False


def error_layer(viewer: napari.Viewer, project: Project) -> Labels:
    """Layer to paint segmentation errors on, made if it is not there."""
    if ERRORS_LAYER in viewer.layers:
        return viewer.layers[ERRORS_LAYER]
    layer = viewer.add_labels(
        np.zeros(project.description.ct.shape, dtype=np.uint8),
        name=ERRORS_LAYER,
        colormap=DirectLabelColormap(
            color_dict={None: (0, 0, 0, 0), 0: (0, 0, 0, 0), 1: (0.80, 0.47, 0.65, 1.0)}
        ),
        opacity=0.8,
        **placement(project.voxel_size_um),
    )
    layer.brush_size = 3
    layer.mode = "paint"
    return layer


def show_project(viewer: napari.Viewer, session: Session) -> None:
    """Show all that a project holds, the CT undermost."""
    project = session.project
    if project is None:
        return
    add_ct(viewer, session)
    show_truth(viewer, project)
    placed_maps = [p for p in project.placed_maps().values() if p.placed]
    for placed in placed_maps:
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


__all__ = [
    "CT_LAYER",
    "ERRORS_LAYER",
    "PARTICLES_LAYER",
    "PHASES_LAYER",
    "TRUTH_LAYER",
    "add_ct",
    "add_cutouts",
    "add_map",
    "contrast_limits",
    "cutout_layer_name",
    "error_layer",
    "map_layer_name",
    "phase_colormap",
    "placement",
    "sheet",
    "show_project",
    "show_segmentation",
    "show_sheet",
    "show_truth",
]
