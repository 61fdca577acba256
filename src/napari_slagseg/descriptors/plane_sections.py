"""Sections of particles with planes in any direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    CancelToken,
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
from napari_slagseg.descriptors.particles import checked_shapes
from napari_slagseg.descriptors.plane_sampling import (
    PlaneGrid,
    cut_by_faces,
    pixel_edges,
    plane_grid,
    sampled,
)
from napari_slagseg.descriptors.planes import Plane, clipped, polygon_area
from napari_slagseg.descriptors.sections import describe_plane


def describe_planes(
    particles: VolumeLike,
    phases: VolumeLike,
    voxel_size_um: float | VoxelSize,
    table: PhaseTable,
    planes: Sequence[Plane],
    *,
    numbers: Sequence[int] | None = None,
    pixel_um: float | None = None,
    erosion_pixels: int = 0,
    neighborhood: int = 4,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> ParticleTable:
    """Measure the sections of particles with planes in any direction.

    A pixel takes the voxel that its centre lies in. Pixels outside the volume hold no
    particle, and a section beside one touches the border. All pixels of one label in one
    plane are one section, even if they fall apart, as in `describe_sections`.

    Parameters
    ----------
    particles, phases : (z, y, x) integer
        As for `describe_particles`; read by boxes. About one plane is held in memory
        (some 25 bytes a pixel), and, for oblique planes, one box of some 128 voxels' edge.
    voxel_size_um : float or (z, y, x)
    table : PhaseTable
        With the target phase set.
    planes : sequence of Plane
        See `slice_planes`, `parallel_planes`, `random_planes`.
    numbers : sequence of int, optional
        What each plane is called in the column ``section``; by default its place in `planes`.
    pixel_um : float, optional
        Edge of a pixel. By default the voxels' own edges where all planes are perpendicular
        to the same axis, so that nothing is resampled; else the smallest edge of a voxel.
    erosion_pixels : int, default 0
    neighborhood : {4, 8}, default 4
        See `describe_plane`.
    progress, cancel
        See `napari_slagseg.data`.

    Returns
    -------
    ParticleTable
        ``dimension`` 2; ``section`` is the number of the plane; ``label`` that of the
        particle in 3D. Rows in order of plane, then label. ``notes["planes"]`` has the
        normal (z, y, x) and the offset in micrometres of each. Row and column are along
        `Plane.directions`, from the first pixel sampled.

    Raises
    ------
    SlagsegError
        If there are no planes, or one misses the volume; and as `describe_particles`.
    CancelledError
        If `cancel` was set.

    Notes
    -----
    Slices of the volume give the table of `describe_sections` to the last bit. The
    ``border_weight`` of a section in an oblique plane is the area of the volume's part of the
    plane over the area in which the section could lie without touching its edge (Lantuejoul
    1978; Miles 1974), for a window of any convex shape.
    """
    particles, phases = checked_shapes(particles, phases, 3)
    spacing = checked_voxel_size(voxel_size_um)
    chosen = tuple(planes)
    if not chosen:
        raise SlagsegError("No plane to cut with was given; at least one is needed.")
    pixel = pixel_edges(chosen, spacing, pixel_um)
    options = {"erosion_pixels": erosion_pixels, "neighborhood": neighborhood}
    tables = []
    names = range(len(chosen)) if numbers is None else numbers
    for done, (number, plane) in enumerate(zip(names, chosen, strict=True), start=1):
        stop_if_cancelled(cancel)
        grid = plane_grid(plane, tuple(particles.shape), spacing, pixel)
        if grid is None:
            raise SlagsegError(
                f"Plane {number} (normal {_numbers(plane.normal)}, offset {plane.offset:g} um) "
                f"misses the volume of {tuple(particles.shape)} voxels of {_numbers(spacing)} um "
                "(z, y, x). Offsets are measured along the normal from the first voxel's centre."
            )
        (labels, ids), inside = sampled((particles, phases), grid)
        found = describe_plane(labels, ids, pixel, table, section=number, **options)
        tables.append(_with_border(found, labels, inside, grid))
        progress(ProgressEvent("cutting with planes", done / len(chosen)))
    return replace(
        tables[0],
        frame=joined([t.frame for t in tables]),
        contacts=joined([t.contacts for t in tables]),
        notes=plane_notes(chosen),
    )


def plane_notes(planes: Sequence[Plane]) -> dict[str, str]:
    """What the table of `describe_planes` says of its planes."""
    return {
        "sections": f"{len(planes)} planes",
        "planes": "; ".join(f"{_numbers(p.normal)} at {p.offset:.6g} um" for p in planes),
    }


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{v:.6g}" for v in values)


def _with_border(
    table: ParticleTable,
    labels: NDArray[np.generic],
    inside: NDArray[np.bool_],
    grid: PlaneGrid,
) -> ParticleTable:
    """Table with the volume's faces as the border, where these are not the plane's own edges."""
    if grid.plane.axis is not None or not len(table):
        return table
    frame = table.frame.copy()
    cut = np.unique(labels[cut_by_faces(inside)])
    touches = frame["touches_border"].to_numpy(bool) | np.isin(frame["label"], cut)
    frame["touches_border"] = touches
    if "border_weight" in frame:
        weights = window_weights(labels, frame["label"].to_numpy(), grid)
        frame["border_weight"] = np.where(touches, 0.0, weights)
    return replace(table, frame=frame)


def window_weights(
    labels: NDArray[np.generic], present: NDArray[np.integer], grid: PlaneGrid
) -> NDArray[np.float64]:
    """Area of a convex window over the area that each section could be moved in, inside it.

    Parameters
    ----------
    labels : (rows, columns) integer
    present : (n,) integer
        Rising labels to weigh, all of them in `labels`.
    grid : PlaneGrid
        Its polygon is the window.

    Returns
    -------
    (n,) float64
        At least 1; 0 where a section fits nowhere.
    """
    corners = grid.polygon
    edges = np.roll(corners, -1, axis=0) - corners
    outward = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
    middle = corners.mean(axis=0)
    outward *= np.sign(((corners - middle) * outward).sum(axis=1))[:, None]
    lengths = np.linalg.norm(outward, axis=1)
    outward = outward[lengths > 0] / lengths[lengths > 0, None]
    limits = (corners[lengths > 0] * outward).sum(axis=1)

    i, j = np.nonzero(np.isin(labels, present))
    at = np.searchsorted(present, labels[i, j])
    pixel = np.asarray(grid.pixel_um)
    places = np.stack([i + grid.first[0], j + grid.first[1]], axis=1) * pixel
    reach = np.full((len(present), len(outward)), -np.inf)
    for k, direction in enumerate(outward):
        np.maximum.at(reach[:, k], at, places @ direction)
    # from pixel centres to their corners
    reach += 0.5 * np.abs(outward) @ pixel
    whole = polygon_area(corners)
    span = float(np.ptp(corners, axis=0).max())
    square = span * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    weights = np.zeros(len(present))
    for n, support in enumerate(reach):
        # steps t by which the section can be moved: direction . t <= limit - support
        room = square
        for direction, slack in zip(outward, limits - support):
            room = clipped(room, direction, slack)
        area = polygon_area(room)
        weights[n] = whole / area if area > 0 else 0.0
    return weights


__all__ = ["describe_planes", "plane_notes", "window_weights"]
