"""From sums over voxels to the rows of the particle table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import ParticleTable, PhaseTable, Triple, VoxelSize
from napari_slagseg.descriptors.box_stage import FERETS
from napari_slagseg.descriptors.contacts import contact_table
from napari_slagseg.descriptors.definitions import definitions
from napari_slagseg.descriptors.formulas import (
    ball_diameter,
    ball_surface,
    border_weight,
    mean_density,
    ratio,
)
from napari_slagseg.descriptors.grains import GrainSums, grain_table, grains_of_particles
from napari_slagseg.descriptors.labels_present import PhaseSlots
from napari_slagseg.descriptors.phase_columns import (
    ERODED_COLUMN,
    accessible_columns,
    fraction_columns,
    grain_columns,
    surface_fraction_columns,
)
from napari_slagseg.descriptors.voxel_pass import VoxelSums

Columns = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Measured:
    """All that was summed and fitted of the particles of a volume, row by row.

    Attributes
    ----------
    sums : VoxelSums
    shapes : mapping of name to (n,) float64
        From `box_stage.fitted_boxes`.
    eroded : (n, phases + 1) int64
        Surface voxels by phase after erosion.
    accessible : (n, phases) int64, optional
        Voxels by phase down to the depth asked for.
    grains : GrainSums, optional
    """

    sums: VoxelSums
    shapes: Mapping[str, NDArray[np.float64]]
    eroded: NDArray[np.int64]
    accessible: NDArray[np.int64] | None = None
    grains: GrainSums | None = None

    def moved(self, start: Triple) -> Measured:
        """The same particles, as many voxels farther along (z, y, x) as `start` says."""
        grains = None if self.grains is None else self.grains.moved(start)
        return replace(self, sums=self.sums.moved(start), grains=grains)


def measured_table(
    measured: Measured,
    slots: PhaseSlots,
    table: PhaseTable,
    spacing: VoxelSize,
    unit: float,
    shape: tuple[int, ...],
    *,
    layers: int,
    depth_um: float,
) -> ParticleTable:
    """Particle table of what was measured.

    Parameters
    ----------
    measured : Measured
    slots : PhaseSlots
    table : PhaseTable
        With the target phase set.
    spacing : (z, y, x)
    unit : float
        Area of one weighted pair, um^2.
    shape : (z, y, x)
        Of the volume.
    layers : int
        Of erosion; 0 for none.
    depth_um : float
        Accessible depth; 0 for none.
    """
    sums, grains = measured.sums, measured.grains
    outside = sums.outside()
    columns = _of_particles(measured, slots, table, spacing, unit, shape, outside)
    columns |= _of_phases(measured, slots, table, float(np.prod(spacing)))
    if layers:
        eroded = measured.eroded
        left = eroded.sum(axis=1)
        columns[ERODED_COLUMN] = ratio(eroded[:, slots.target], left)
        columns |= _shares(eroded, left, surface_fraction_columns(table, eroded=True))
    found = ParticleTable(
        frame=pd.DataFrame(columns),
        definitions=definitions(
            table, 3, layers, accessible_depth_um=depth_um, grains=grains is not None
        ),
        voxel_size_um=spacing,
        table=table,
        dimension=3,
        contacts=contact_table(sums, outside, slots, unit),
    )
    if grains is None:
        return found
    return replace(found, grains=grain_table(grains, slots, spacing, unit))


def _of_particles(
    measured: Measured,
    slots: PhaseSlots,
    table: PhaseTable,
    spacing: VoxelSize,
    unit: float,
    shape: tuple[int, ...],
    outside: NDArray[np.int64],
) -> Columns:
    """The columns `PARTICLE_COLUMNS`."""
    sums, shapes = measured.sums, measured.shapes
    n_voxels = sums.counts.sum(axis=1)
    n_target = sums.counts[:, slots.target]
    voxel_volume = float(np.prod(spacing))
    volume = n_voxels * voxel_volume
    interface = sums.between(slots.target) * unit
    surface = outside.sum(axis=1) * unit
    at_border = ((sums.low == 0) | (sums.high == np.array(shape) - 1)).any(axis=1)
    extent = sums.high - sums.low + 1
    density = mean_density(sums.counts, slots.densities(table))
    columns: Columns = {
        "label": sums.labels,
        "touches_border": at_border,
        "n_voxels": n_voxels,
        "volume_um3": volume,
        "equivalent_diameter_um": ball_diameter(volume),
        "surface_area_um2": surface,
        "sphericity": ratio(ball_surface(volume), surface),
        "axis_major_um": shapes["axis_major"],
        "axis_intermediate_um": shapes["axis_intermediate"],
        "axis_minor_um": shapes["axis_minor"],
        "elongation": ratio(shapes["axis_intermediate"], shapes["axis_major"]),
        "flatness": ratio(shapes["axis_minor"], shapes["axis_intermediate"]),
        "volume_liberation": ratio(n_target, n_voxels),
        "surface_liberation": ratio(sums.surface[:, slots.target], sums.surface.sum(axis=1)),
        "intergrowth_boundary_um2": interface,
        "amstutz_giger_index": ratio(interface, interface + surface),
        "normalized_intergrowth_boundary": ratio(
            ball_surface(np.asarray(n_target * voxel_volume, np.float64)), interface
        ),
    }
    for axis, name in enumerate("zyx"):
        columns[f"centroid_{name}_um"] = ratio(sums.moments[:, axis], n_voxels) * spacing[axis]
    columns["border_weight"] = border_weight(extent, shape, at_border)
    for axis, name in enumerate("zyx"):
        columns[f"extent_{name}_um"] = extent[:, axis] * spacing[axis]
    for name, unit_of in FERETS.items():
        columns[f"{name}_{unit_of}"] = shapes[name]
    columns["solidity"] = ratio(volume, shapes["convex_volume"])
    columns["convexity"] = ratio(shapes["convex_surface"], surface)
    columns["exposed_target_area_um2"] = outside[:, slots.target] * unit
    columns["density_g_cm3"] = density
    # 1 um^3 of 1 g/cm^3 weighs 1e-12 g
    columns["mass_ug"] = density * volume * 1e-6
    return columns


def _of_phases(
    measured: Measured, slots: PhaseSlots, table: PhaseTable, voxel_volume: float
) -> Columns:
    """The columns that every phase has."""
    sums = measured.sums
    columns = _shares(sums.counts, sums.counts.sum(axis=1), fraction_columns(table))
    columns |= _shares(sums.surface, sums.surface.sum(axis=1), surface_fraction_columns(table))
    if measured.accessible is not None:
        for slot, name in enumerate(accessible_columns(table)):
            columns[name] = ratio(measured.accessible[:, slot], sums.counts[:, slot])
    if measured.grains is not None:
        number, largest = grains_of_particles(
            measured.grains, sums.labels, slots.n_phases, voxel_volume
        )
        columns |= zip(grain_columns(table), [*number.T, *largest.T])
    return columns


def _shares(counts: NDArray[np.int64], whole: NDArray[np.int64], names: list[str]) -> Columns:
    """Columns of a share of each phase."""
    return {name: ratio(counts[:, slot], whole) for slot, name in enumerate(names)}


__all__ = ["Measured", "measured_table"]
