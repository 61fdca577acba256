"""A map in the main viewer: as a curved sheet in 3D, and from above where landmarks put it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels, Surface
from numpy.typing import NDArray

from napari_slagseg.data import UNKNOWN, PlacedMap
from napari_slagseg.project import Project
from napari_slagseg.widgets import layers
from napari_slagseg.widgets.surface_mesh import surface_mesh

if TYPE_CHECKING:
    import napari

FROM_ABOVE_LAYER = "map by landmarks"

_HIDDEN: WeakKeyDictionary[object, list[str]] = WeakKeyDictionary()
"""Layers of each viewer that were shown before 3D and come back after it."""


def surface_layer_name(name: str) -> str:
    """Name of the layer with a map's sheet in 3D."""
    return f"{name} in 3D"


def show_surface(viewer: napari.Viewer, project: Project, placed: PlacedMap) -> Surface:
    """Show a map on its curved surface in 3D, within a faint CT.

    Raises
    ------
    SlagsegError
        If the map has no surface.
    """
    mesh = surface_mesh(placed, project.mineral_map(placed.map_name))
    name = surface_layer_name(placed.map_name)
    if name in viewer.layers:
        viewer.layers.remove(name)
    hidden = _HIDDEN.setdefault(viewer, [])
    for layer in viewer.layers:
        # flat layers would lie across the volume, labels fill it
        sheet = isinstance(layer, Labels) or layer.ndim < 3
        if layer.visible and sheet:
            layer.visible = False
            hidden.append(layer.name)
    if layers.CT_LAYER in viewer.layers and isinstance(viewer.layers[layers.CT_LAYER], Image):
        ct = viewer.layers[layers.CT_LAYER]
        ct.rendering = "attenuated_mip"
        ct.attenuation = 0.5
        ct.opacity = 0.6
        ct.blending = "additive"
    layer = viewer.add_surface(
        (mesh.vertices, mesh.faces),
        texture=mesh.texture,
        texcoords=mesh.texcoords,
        name=name,
        shading="none",
        opacity=0.95,
        **layers.placement(placed.voxel_size_um),
    )
    if viewer.dims.ndisplay != 3:
        viewer.dims.ndisplay = 3
        viewer.reset_view()
        viewer.scene.camera.angles = (0.0, 25.0, 65.0)
        viewer.scene.camera.zoom *= 1.25
    return layer


def leave_3d(viewer: napari.Viewer) -> None:
    """Back to slices, with the layers that were shown before."""
    for layer in [x for x in viewer.layers if isinstance(x, Surface)]:
        layer.visible = False
    if layers.CT_LAYER in viewer.layers and isinstance(viewer.layers[layers.CT_LAYER], Image):
        ct = viewer.layers[layers.CT_LAYER]
        ct.rendering, ct.opacity, ct.blending = "mip", 1.0, "translucent"
    viewer.dims.ndisplay = 2
    for name in _HIDDEN.pop(viewer, []):
        if name in viewer.layers:
            viewer.layers[name].visible = True


def from_above(project: Project, placed: PlacedMap) -> NDArray[np.uint8]:
    """A map as it lies from above, wherever along z: class + 1, 0 elsewhere.

    What landmarks alone say is tilted a little at most, so from above it is right.

    Parameters
    ----------
    project : Project
    placed : PlacedMap
        With a surface.

    Returns
    -------
    picture : (y, x) uint8
    """
    table = project.phase_table()
    _, class_of = table.grouped()
    # no coarser than seven tenths of a voxel, so that no holes are left
    step = max(1, int(0.7 * min(placed.voxel_size_um[1:]) / placed.pixel_size_um))
    rows, columns = (np.arange(0.0, n, step) for n in placed.map_shape)
    phases = project.mineral_map(placed.map_name).phases[::step, ::step]
    classes = table.lookup(class_of)[phases]
    yx = np.rint(placed.surface.on_grid(rows, columns)[..., 1:]).astype(np.int64)
    out = np.zeros(placed.ct_shape[1:], dtype=np.uint8)
    inside = np.all((yx >= 0) & (yx < out.shape), axis=-1) & (classes != UNKNOWN)
    y, x = yx[inside].T
    out[y, x] = (classes[inside] + 1).astype(np.uint8)
    return out


def show_from_above(
    viewer: napari.Viewer, project: Project | None, picture: NDArray[np.uint8] | None
) -> None:
    """Show what `from_above` drew over every slice; None takes it away."""
    if picture is None or project is None:
        if FROM_ABOVE_LAYER in viewer.layers:
            viewer.layers.remove(FROM_ABOVE_LAYER)
        return
    if FROM_ABOVE_LAYER in viewer.layers:
        viewer.layers[FROM_ABOVE_LAYER].data = picture
        return
    active = viewer.layers.selection.active
    layer = viewer.add_labels(
        picture,
        name=FROM_ABOVE_LAYER,
        colormap=layers.phase_colormap(project.phase_table().grouped()[0], shift=1),
        opacity=0.45,
        **layers.placement(project.voxel_size_um, 2),
    )
    layer.editable = False
    if active is not None:
        viewer.layers.selection.active = active


__all__ = [
    "FROM_ABOVE_LAYER",
    "from_above",
    "leave_3d",
    "show_from_above",
    "show_surface",
    "surface_layer_name",
]
