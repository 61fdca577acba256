"""Planar sections of particles to a table (K 2.4, in 2D)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_slagseg.data import (
    SECTION_COLUMNS,
    UNKNOWN,
    CancelToken,
    MineralMap,
    ParticleTable,
    PhaseTable,
    Progress,
    ProgressEvent,
    SlagsegError,
    VolumeLike,
    VoxelSize,
    checked_voxel_size,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.data.joined_tables import joined
from napari_slagseg.descriptors.definitions import definitions
from napari_slagseg.descriptors.formulas import (
    border_weight,
    disc_diameter,
    disc_perimeter,
    ratio,
)
from napari_slagseg.descriptors.particles import checked_erosion, checked_shapes
from napari_slagseg.descriptors.phase_columns import (
    ERODED_COLUMN,
    fraction_columns,
    surface_fraction_columns,
)
from napari_slagseg.ground_truth import label_map_particles

DEFAULT_SECTIONS = 50
"""How many planes K cut through the volume (3.3)."""


def _checked_neighborhood(neighborhood: int) -> int:
    if neighborhood not in (4, 8):
        raise SlagsegError(f"The perimeter's neighborhood is {neighborhood}; it must be 4 or 8.")
    return neighborhood


def _measured(
    labels: NDArray[np.integer],
    phases: NDArray[np.integer],
    spacing: tuple[float, float],
    table: PhaseTable,
    section: int,
    layers: int,
    neighborhood: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of sections, and rows of their contacts."""
    from napari_slagseg.descriptors.labels_present import (
        check_known_phases,
        phase_slots,
        phase_values,
        strange_phases,
    )
    from napari_slagseg.descriptors.plane_contacts import plane_contacts
    from napari_slagseg.descriptors.plane_keys import plane_keys
    from napari_slagseg.descriptors.plane_pass import plane_sums
    from napari_slagseg.descriptors.plane_shapes import PLANE_SHAPES, plane_shapes

    slots = phase_slots(phases.dtype, table)
    present, keys = plane_keys(labels)
    n = len(present)
    ids = np.ascontiguousarray(phase_values(phases))
    slot_of = slots.lookup(ids.dtype)
    sums = plane_sums(
        keys, ids, slot_of, slots.target, n, spacing, layers=layers, neighborhood=neighborhood
    )
    check_known_phases(strange_phases(sums.counts, keys, ids, slots).tolist(), table)
    measured = plane_shapes(keys, sums.low, sums.high, spacing[0], spacing[1])
    shapes = dict(zip(PLANE_SHAPES, measured.T, strict=True))

    n_pixels = sums.counts.sum(axis=1)
    n_target = sums.counts[:, slots.target]
    n_boundary = sums.boundary.sum(axis=1)
    pixel_area = spacing[0] * spacing[1]
    area = n_pixels * pixel_area
    interface = 0.5 * (sums.target_perimeter + sums.rest_perimeter - sums.perimeter)
    # the perimeter of small parts is below their share of the whole; sums leave 1e-15 of noise
    noise = 1e-9 * (sums.perimeter + max(spacing))
    interface = np.where(interface > noise, interface, 0.0)
    at_border = ((sums.low == 0) | (sums.high == np.array(labels.shape) - 1)).any(axis=1)
    extent = sums.high.astype(np.int64) - sums.low + 1
    columns: dict[str, NDArray[np.generic]] = {
        "section": np.full(n, section, dtype=np.int64),
        "label": present,
        "touches_border": at_border,
        "n_pixels": n_pixels,
        "area_um2": area,
        "equivalent_diameter_um": disc_diameter(area),
        "perimeter_um": sums.perimeter,
        "circularity": ratio(4 * np.pi * area, sums.perimeter**2),
        "axis_major_um": shapes["axis_major"],
        "axis_minor_um": shapes["axis_minor"],
        "elongation": ratio(shapes["axis_minor"], shapes["axis_major"]),
        "volume_liberation": ratio(n_target, n_pixels),
        "surface_liberation": ratio(sums.boundary[:, slots.target], n_boundary),
        "intergrowth_boundary_um": interface,
        "amstutz_giger_index": ratio(interface, interface + sums.perimeter),
        "normalized_intergrowth_boundary": ratio(
            disc_perimeter(np.asarray(n_target * pixel_area, np.float64)), interface
        ),
        "centroid_row_um": ratio(sums.moments[:, 0], n_pixels) * spacing[0],
        "centroid_column_um": ratio(sums.moments[:, 1], n_pixels) * spacing[1],
        "border_weight": border_weight(extent, labels.shape, at_border),
        "extent_row_um": extent[:, 0] * spacing[0],
        "extent_column_um": extent[:, 1] * spacing[1],
        "feret_max_um": shapes["feret_max"],
        "feret_min_um": shapes["feret_min"],
        "convex_area_um2": shapes["convex_area"],
        "convex_perimeter_um": shapes["convex_perimeter"],
        "solidity": ratio(area, shapes["convex_area"]),
        "convexity": ratio(shapes["convex_perimeter"], sums.perimeter),
    }
    assert tuple(columns) == SECTION_COLUMNS
    columns |= _shares(sums.counts, n_pixels, fraction_columns(table))
    columns |= _shares(sums.boundary, n_boundary, surface_fraction_columns(table))
    if layers:
        left = sums.eroded.sum(axis=1)
        columns[ERODED_COLUMN] = ratio(sums.eroded[:, slots.target], left)
        columns |= _shares(sums.eroded, left, surface_fraction_columns(table, eroded=True))
    # the slot before the last is that of phases that the table does not have: empty by now
    of_slots = np.array([*slots.named, UNKNOWN, UNKNOWN], dtype=np.int64)
    contacts = plane_contacts(keys, slot_of[ids], of_slots, present, spacing, section)
    return pd.DataFrame(columns), contacts


def _shares(
    counts: NDArray[np.int64], whole: NDArray[np.int64], names: list[str]
) -> dict[str, NDArray[np.generic]]:
    """Columns of a share of each phase."""
    return {name: ratio(counts[:, slot], whole) for slot, name in enumerate(names)}


def describe_plane(
    labels: NDArray[np.integer],
    phases: NDArray[np.integer],
    spacing: tuple[float, float],
    table: PhaseTable,
    *,
    section: int = 0,
    erosion_pixels: int = 0,
    neighborhood: int = 4,
) -> ParticleTable:
    """Measure the particle sections of one plane that is in memory, whatever it was cut from.

    Parameters
    ----------
    labels : (row, column) integer
        0 and below is no particle.
    phases : (row, column) integer
        Ids of `table`; 0 and -1 are no phase.
    spacing : (row, column)
        Pixel edges in um.
    table : PhaseTable
        With the target phase set.
    section : int, default 0
        For the column ``section``.
    erosion_pixels : int, default 0
        Above 0, adds the eroded columns (erosion within the plane).
    neighborhood : {4, 8}, default 4
        As for `describe_sections`.

    Returns
    -------
    ParticleTable
        ``dimension`` 2, ``voxel_size_um`` (1, row, column); rows in order of label.

    Raises
    ------
    SlagsegError
        If the shapes differ or are not 2-D, no target is set, a phase is not in the table, or an
        option is out of range.
    """
    checked_shapes(labels, phases, 2)
    layers = checked_erosion(erosion_pixels)
    _checked_neighborhood(neighborhood)
    row, column = (float(edge) for edge in spacing)
    frame, contacts = _measured(
        np.asarray(labels), np.asarray(phases), (row, column), table, section, layers, neighborhood
    )
    return ParticleTable(
        frame=frame,
        contacts=contacts,
        definitions=definitions(table, 2, layers),
        voxel_size_um=(1.0, row, column),
        table=table,
        dimension=2,
    )


def evenly_spaced(n_planes: int, n_sections: int = DEFAULT_SECTIONS) -> NDArray[np.int64]:
    """Indices of planes in the middles of `n_sections` equal parts; all if there are fewer."""
    if n_planes <= n_sections:
        return np.arange(n_planes)
    return ((np.arange(n_sections) + 0.5) * n_planes / n_sections).astype(np.int64)


def _plane(volume: VolumeLike, axis: int, index: int) -> NDArray[np.integer]:
    """One plane, the only part of the volume that is read."""
    box = tuple(
        slice(index, index + 1) if k == axis else slice(0, n) for k, n in enumerate(volume.shape)
    )
    return np.asarray(volume[box]).squeeze(axis)


def slice_notes(axis: int, indices: Sequence[int]) -> dict[str, str]:
    """What the table of `describe_sections` says of its planes."""
    return {"section_axis": "zyx"[axis], "sections": ", ".join(map(str, indices))}


def describe_sections(
    particles: VolumeLike,
    phases: VolumeLike,
    voxel_size_um: float | VoxelSize,
    table: PhaseTable,
    *,
    axis: int = 0,
    indices: Sequence[int] | NDArray[np.integer] | None = None,
    erosion_voxels: int = 0,
    neighborhood: int = 4,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ParticleTable:
    """Measure the sections of particles with planes of the volume.

    A section is ``P' = P n E`` (K 2.4): all pixels of one label in one plane, in
    one row of the table, even if they fall apart. It touches the border where the
    plane's own edges cut it off; a plane on the volume's first or last slice cuts
    nothing off, as every section is the cut with its plane and no more.

    Parameters
    ----------
    particles, phases : (z, y, x) integer
        As for `describe_particles`; read plane by plane, one in memory at a time.
    voxel_size_um : float or (z, y, x)
    table : PhaseTable
        With the target phase set.
    axis : {0, 1, 2}, default 0
        Normal of the planes: 0 cuts (y, x) slices.
    indices : sequence of int, optional
        Slices to cut; by default 50 evenly spaced ones, as in K 3.3.
    erosion_voxels : int, default 0
        Above 0, adds ``surface_liberation_eroded`` (erosion within the plane).
    neighborhood : {4, 8}, default 4
        Which neighbours make a pixel a border pixel of the perimeter, as in
        `skimage.measure.perimeter`. Boundary liberation always uses 4.
    progress, cancel
        See `napari_slagseg.data`.

    Returns
    -------
    ParticleTable
        ``dimension`` 2, ``voxel_size_um`` (1, row, column); rows in order of
        section, then label.

    Raises
    ------
    SlagsegError
        As `describe_particles`; also for an axis or index that is not there.
    """
    particles, phases = checked_shapes(particles, phases, 3)
    spacing = checked_voxel_size(voxel_size_um)
    layers = checked_erosion(erosion_voxels)
    _checked_neighborhood(neighborhood)
    if axis not in (0, 1, 2):
        raise SlagsegError(f"The section axis is {axis}; it must be 0 (z), 1 (y) or 2 (x).")
    n_planes = particles.shape[axis]
    planes = evenly_spaced(n_planes) if indices is None else np.asarray(indices, dtype=np.int64)
    if planes.size and (planes.min() < 0 or planes.max() >= n_planes):
        raise SlagsegError(
            f"Section indices run from {planes.min()} to {planes.max()}, but the volume has the "
            f"slices 0 to {n_planes - 1} along axis {axis}."
        )
    row, column = (spacing[k] for k in range(3) if k != axis)
    measured = []
    for done, index in enumerate(planes.tolist(), start=1):
        stop_if_cancelled(cancel)
        measured.append(
            _measured(
                _plane(particles, axis, index),
                _plane(phases, axis, index),
                (row, column),
                table,
                index,
                layers,
                neighborhood,
            )
        )
        progress(ProgressEvent("measuring sections", done / len(planes)))
    if not measured:
        empty = np.zeros((0, 0), dtype=np.uint8)
        measured = [_measured(empty, empty, (row, column), table, 0, layers, neighborhood)]
    frames, contacts = zip(*measured)
    return ParticleTable(
        frame=joined(frames),
        contacts=joined(contacts),
        definitions=definitions(table, 2, layers),
        voxel_size_um=(1.0, row, column),
        table=table,
        dimension=2,
        notes=slice_notes(axis, planes.tolist()),
    )


def describe_map(
    mineral_map: MineralMap,
    table: PhaseTable,
    particles: NDArray[np.integer] | None = None,
    *,
    section: int = 0,
    erosion_voxels: int = 0,
    neighborhood: int = 4,
) -> ParticleTable:
    """Measure the particle sections of a mineral map at its full resolution.

    Parameters
    ----------
    mineral_map : MineralMap
    table : PhaseTable
        With the target phase set; its ids are those of the map.
    particles : (row, column) integer, optional
        Labels; 0 and below is no particle. By default those of the ground truth,
        `napari_slagseg.ground_truth.label_map_particles` (K 2.3.1), so that a map is
        measured on the particles that the networks were trained on.
    section : int, default 0
        Number of the map, for the column ``section``.
    erosion_voxels, neighborhood
        As for `describe_sections`; here in map pixels.

    Returns
    -------
    ParticleTable

    Raises
    ------
    SlagsegError
        As `describe_particles`.
    """
    if particles is None:
        particles = label_map_particles(mineral_map)
    edge = float(mineral_map.pixel_size_um)
    plane = describe_plane(
        particles,
        mineral_map.phases,
        (edge, edge),
        table,
        section=section,
        erosion_pixels=erosion_voxels,
        neighborhood=neighborhood,
    )
    return replace(plane, notes={"map": mineral_map.name})


__all__ = [
    "DEFAULT_SECTIONS",
    "describe_map",
    "describe_plane",
    "describe_sections",
    "evenly_spaced",
    "slice_notes",
]
