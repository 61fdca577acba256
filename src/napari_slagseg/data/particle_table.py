"""The particle table: one row a particle, every column defined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from napari_slagseg.data.phases import PhaseTable
from napari_slagseg.data.volume import VoxelSize

PARTICLE_COLUMNS: tuple[str, ...] = (
    "label",
    "touches_border",
    "n_voxels",
    "volume_um3",
    "equivalent_diameter_um",
    "surface_area_um2",
    "sphericity",
    "axis_major_um",
    "axis_intermediate_um",
    "axis_minor_um",
    "elongation",
    "flatness",
    "volume_liberation",
    "surface_liberation",
    "intergrowth_boundary_um2",
    "amstutz_giger_index",
    "normalized_intergrowth_boundary",
    "centroid_z_um",
    "centroid_y_um",
    "centroid_x_um",
    "border_weight",
    "extent_z_um",
    "extent_y_um",
    "extent_x_um",
    "feret_max_um",
    "feret_min_um",
    "sieve_diameter_um",
    "convex_volume_um3",
    "convex_surface_um2",
    "solidity",
    "convexity",
    "exposed_target_area_um2",
    "density_g_cm3",
    "mass_ug",
)
"""First columns of a 3D particle table, in this order; those of phases follow."""

SECTION_COLUMNS: tuple[str, ...] = (
    "section",
    "label",
    "touches_border",
    "n_pixels",
    "area_um2",
    "equivalent_diameter_um",
    "perimeter_um",
    "circularity",
    "axis_major_um",
    "axis_minor_um",
    "elongation",
    "volume_liberation",
    "surface_liberation",
    "intergrowth_boundary_um",
    "amstutz_giger_index",
    "normalized_intergrowth_boundary",
    "centroid_row_um",
    "centroid_column_um",
    "border_weight",
    "extent_row_um",
    "extent_column_um",
    "feret_max_um",
    "feret_min_um",
    "convex_area_um2",
    "convex_perimeter_um",
    "solidity",
    "convexity",
)
"""First columns of a table of 2D particle sections; those of phases follow.

`section` is the index of the slice (or of the map) the particle section lies in.
`volume_liberation` is the area share of the target, named as in 3D so that the
same curves can be drawn from both.
"""


CONTACT_COLUMNS = ("label", "phase_id", "partner_id", "area_um2")
"""Columns of `ParticleTable.contacts` in 3D."""

SECTION_CONTACT_COLUMNS = ("section", "label", "phase_id", "partner_id", "length_um")
"""Columns of `ParticleTable.contacts` in 2D."""

GRAIN_COLUMNS = (
    "label",
    "grain",
    "phase_id",
    "n_voxels",
    "volume_um3",
    "equivalent_diameter_um",
    "surface_area_um2",
    "exposed_area_um2",
    "sphericity",
    "centroid_z_um",
    "centroid_y_um",
    "centroid_x_um",
)
"""Columns of `ParticleTable.grains`; `label` is the particle that the grain lies in."""


@dataclass(frozen=True)
class ColumnDefinition:
    """Unit, meaning and source of one column."""

    unit: str
    meaning: str
    source: str = ""


@dataclass(frozen=True)
class ParticleTable:
    """Descriptors of particles (3D) or of particle sections (2D).

    Attributes
    ----------
    frame : DataFrame
        One row a particle; columns as in `PARTICLE_COLUMNS` or `SECTION_COLUMNS`,
        then one ``fraction_<phase>`` a phase, background left out.
    definitions : mapping of column name to ColumnDefinition
        Every column of `frame`.
    voxel_size_um : (z, y, x)
        For sections: (1.0, row, column) pixel sizes.
    table : PhaseTable
        With the target phase set.
    dimension : int
        3 or 2.
    notes : mapping of text to text
    targets : tuple of str
        Phases that the target is made of; by default the target phase of `table` alone.
    contacts : DataFrame
        Shared boundary inside particles and their boundary to the outside, columns
        `CONTACT_COLUMNS` (`SECTION_CONTACT_COLUMNS` in 2D), one row for each particle,
        phase and partner that touch. Two phases that touch have two rows, one from each
        side, with the same area. The partner 0 is all outside the particle: epoxy, pores, other
        particles; -1 stands for voxels of no phase. Empty where it was not measured.
    grains : DataFrame
        Connected pieces of a phase inside a particle, columns `GRAIN_COLUMNS`. Empty where
        they were not measured.
    """

    frame: pd.DataFrame
    definitions: Mapping[str, ColumnDefinition]
    voxel_size_um: VoxelSize
    table: PhaseTable
    dimension: int = 3
    notes: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    contacts: pd.DataFrame = field(default_factory=pd.DataFrame)
    grains: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=GRAIN_COLUMNS))

    def __post_init__(self) -> None:
        if not self.targets and self.table.target is not None:
            object.__setattr__(self, "targets", (self.table.target,))
        if self.contacts.columns.empty:
            columns = CONTACT_COLUMNS if self.dimension == 3 else SECTION_CONTACT_COLUMNS
            object.__setattr__(self, "contacts", pd.DataFrame(columns=columns))

    def __len__(self) -> int:
        return len(self.frame)

    def inside(self) -> pd.DataFrame:
        """Rows of particles that do not touch the border of the volume."""
        return self.frame[~self.frame["touches_border"]]


__all__ = [
    "CONTACT_COLUMNS",
    "GRAIN_COLUMNS",
    "PARTICLE_COLUMNS",
    "SECTION_COLUMNS",
    "SECTION_CONTACT_COLUMNS",
    "ColumnDefinition",
    "ParticleTable",
]
