"""What the columns of the long tables beside a particle table mean: contacts and grains."""

from __future__ import annotations

from napari_slagseg.data import (
    CONTACT_COLUMNS,
    GRAIN_COLUMNS,
    SECTION_CONTACT_COLUMNS,
    ColumnDefinition,
)

_SURFACE = "Schladitz, Ohser & Nagel 2006; Voronoi weights of Lehmann & Legland 2012"

_NAMED = {
    "phase": ColumnDefinition("", "Name of the phase."),
    "partner": ColumnDefinition("", "Name of the partner; outside, or no phase."),
}

_CONTACTS = {
    "section": ColumnDefinition("", "Index of the section, or number of the map."),
    "label": ColumnDefinition("", "Particle, as in the particle table."),
    "phase_id": ColumnDefinition("", "Id of the phase in the legend; -1: voxels of no phase."),
    "partner_id": ColumnDefinition(
        "",
        "Id of what the phase touches; 0 is all outside the particle (epoxy, pores, other "
        "particles), -1 voxels of no phase. Two phases that touch have a row from each side.",
    ),
    "area_um2": ColumnDefinition("um^2", "Area of the contact, by weighted pairs of voxels in 13 "
                                 "directions.", _SURFACE),
    "length_um": ColumnDefinition("um", "Length of the contact, by weighted pairs of pixels in 4 "
                                  "directions (Crofton).", "Lehmann & Legland 2012"),
}  # fmt: skip

_GRAINS = {
    "label": ColumnDefinition("", "Particle that the grain lies in."),
    "grain": ColumnDefinition("", "Number of the grain, from 1 on."),
    "phase_id": ColumnDefinition("", "Id of its phase in the legend."),
    "n_voxels": ColumnDefinition("voxel", "Voxels of the grain (connected by faces)."),
    "volume_um3": ColumnDefinition("um^3", "Voxels times the volume of a voxel."),
    "equivalent_diameter_um": ColumnDefinition("um", "Diameter of the ball of the same volume."),
    "surface_area_um2": ColumnDefinition("um^2", "Whole surface of the grain.", _SURFACE),
    "exposed_area_um2": ColumnDefinition("um^2", "Part of it against the outside of the particle.",
                                         _SURFACE),
    "sphericity": ColumnDefinition("", "pi^(1/3) (6 V)^(2/3) / S of the grain."),
    "centroid_z_um": ColumnDefinition("um", "Mean voxel index along z times the voxel edge."),
    "centroid_y_um": ColumnDefinition("um", "The same along y."),
    "centroid_x_um": ColumnDefinition("um", "The same along x."),
}  # fmt: skip


def contact_columns(dimension: int) -> dict[str, ColumnDefinition]:
    """Columns of the table of contacts."""
    names = CONTACT_COLUMNS if dimension == 3 else SECTION_CONTACT_COLUMNS
    return {**{name: _CONTACTS[name] for name in names}, **_NAMED}


def grain_columns() -> dict[str, ColumnDefinition]:
    """Columns of the table of grains."""
    return {**{name: _GRAINS[name] for name in GRAIN_COLUMNS}, "phase": _NAMED["phase"]}


__all__ = ["contact_columns", "grain_columns"]
