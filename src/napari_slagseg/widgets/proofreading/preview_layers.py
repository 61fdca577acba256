"""What a network that is being taught predicts, over the CT, next to what it predicted before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slagseg.networks.preview_file import Preview
from napari_slagseg.widgets.layers import placement

if TYPE_CHECKING:
    import napari

    from napari_slagseg.data import VoxelSize

NOW, BEFORE = "preview", "preview, before"
_COLOURS = {NOW: "green", BEFORE: "magenta"}
"""Added up they are white: what only the old network saw is magenta, what is new is green."""


def show_preview(viewer: napari.Viewer, preview: Preview, voxel_size_um: VoxelSize) -> None:
    """Show a preview, or the next one in the same layers.

    Parameters
    ----------
    viewer : napari.Viewer
    preview : Preview
    voxel_size_um : (z, y, x)
    """
    for name, values in ((BEFORE, preview.before), (NOW, preview.now)):
        for number, (start, box) in enumerate(zip(preview.starts, values), start=1):
            title = name if number == 1 else f"{name} {number}"
            translate = [a * s for a, s in zip(start, voxel_size_um)]
            if title in viewer.layers and viewer.layers[title].data.shape == box.shape:
                viewer.layers[title].data = box
                viewer.layers[title].translate = translate
                continue
            hide_one(viewer, title)
            viewer.add_image(
                box,
                name=title,
                translate=translate,
                contrast_limits=(0, 255),
                colormap=_COLOURS[name],
                blending="additive",
                opacity=0.6,
                metadata={"slagseg_preview": True},
                **placement(voxel_size_um),
            )


def hide_one(viewer: napari.Viewer, title: str) -> None:
    """Take a layer away, if it is there."""
    if title in viewer.layers:
        viewer.layers.remove(title)


def hide_preview(viewer: napari.Viewer) -> None:
    """Take the layers of the preview away."""
    for layer in [one for one in viewer.layers if one.metadata.get("slagseg_preview")]:
        viewer.layers.remove(layer)


__all__ = ["BEFORE", "NOW", "hide_preview", "show_preview"]
