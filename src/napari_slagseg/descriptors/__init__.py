"""Particles in, one row of descriptors each out (K 2.4)."""

from typing import TYPE_CHECKING, Any

from napari_slagseg.descriptors.definitions import ERODED_COLUMN, definitions, fraction_columns
from napari_slagseg.descriptors.in_box import describe_box
from napari_slagseg.descriptors.mask_area import surface_area
from napari_slagseg.descriptors.particles import (
    Place,
    describe_blocks,
    describe_particles,
)
from napari_slagseg.descriptors.plane_sections import describe_planes
from napari_slagseg.descriptors.planes import (
    Plane,
    parallel_planes,
    random_planes,
    slice_planes,
)
from napari_slagseg.descriptors.retarget import retargeted
from napari_slagseg.descriptors.sections import (
    describe_map,
    describe_plane,
    describe_sections,
    evenly_spaced,
)
from napari_slagseg.descriptors.surface_weights import direction_fractions

if TYPE_CHECKING:
    from napari_slagseg.descriptors.boxes import OrientedBox, minimum_box
    from napari_slagseg.descriptors.rectangles import minimum_rectangle

_LATER = {"OrientedBox": "boxes", "minimum_box": "boxes", "minimum_rectangle": "rectangles"}


def __getattr__(name: str) -> Any:
    # these modules import numba, which takes a second
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ERODED_COLUMN",
    "OrientedBox",
    "Place",
    "Plane",
    "definitions",
    "describe_blocks",
    "describe_box",
    "describe_map",
    "describe_particles",
    "describe_plane",
    "describe_planes",
    "describe_sections",
    "direction_fractions",
    "evenly_spaced",
    "fraction_columns",
    "minimum_box",
    "minimum_rectangle",
    "parallel_planes",
    "random_planes",
    "retargeted",
    "slice_planes",
    "surface_area",
]
