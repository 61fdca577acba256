"""Placed maps to sparse ground truth (K 2.3.1, 2.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_slagseg.data import (
    BACKGROUND,
    UNKNOWN,
    CancelToken,
    GroundTruth,
    MineralMap,
    PhaseTable,
    PlacedMap,
    Progress,
    ProgressEvent,
    SlagsegError,
    VoxelSize,
    no_progress,
    stop_if_cancelled,
)
from napari_slagseg.ground_truth.balance import (
    phase_weights,
    with_equal_totals,
    with_same_totals,
)
from napari_slagseg.ground_truth.border_weights import border_weight
from napari_slagseg.ground_truth.map_particles import (
    MINIMUM_PARTICLE_PIXELS,
    classes_of,
    label_map_particles,
)
from napari_slagseg.ground_truth.rasterise import Sheet, sheet_on_cutouts, sheet_on_surface
from napari_slagseg.ground_truth.touching import touching_particles
from napari_slagseg.ground_truth.trust import border_trust


@dataclass(frozen=True)
class TruthSettings:
    """Choices of the ground truth; the defaults are the paper's.

    Attributes
    ----------
    lambda_background : float
        K Eq. 2.
    lambda_foreground : float or None
        K Eq. 2. None gives particles the total weight of the background, which is
        what K's 0.04 did for K's sample; in denser packings 0.04 is so little that
        a network learns to call everything background.
    border_reach, sigma : float
        Of the border weight, in voxels.
    balance_phases : float
        See `balance.phase_weights`; 0 is the paper's.
    follow : {"surface", "cutouts"}
        Lay the labels on the smooth surface, or on each cutout's own plane.
    group : bool
        Classes are the legend's groups, not every phase.
    minimum_particle_pixels : int
        Smaller pieces of a map are unknown as particles.
    trust_borders : bool
        Let the weights of both networks fall towards boundaries, as far as the map's
        place is uncertain (`trust.border_trust`); not the paper's.
    """

    lambda_background: float = 0.013
    lambda_foreground: float | None = None
    border_reach: float = 5.0
    sigma: float = 5.0
    balance_phases: float = 0.0
    follow: Literal["surface", "cutouts"] = "surface"
    group: bool = True
    minimum_particle_pixels: int = MINIMUM_PARTICLE_PIXELS
    trust_borders: bool = False


def build_ground_truth(
    ct_shape: tuple[int, int, int],
    voxel_size_um: VoxelSize,
    maps: Sequence[MineralMap],
    placed: Sequence[PlacedMap],
    table: PhaseTable,
    *,
    settings: TruthSettings = TruthSettings(),
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> GroundTruth:
    """Sparse labels and weights from placed maps.

    Particles are found at full SEM resolution; labels go to CT pitch by the
    nearest pixel. Where maps meet in a voxel, the better-scored cutout wins.
    Voxels of one particle next to another's of the same map become background;
    next to one of another map they become unknown, as it may be the same
    particle. So particles are always one voxel apart. Maps that were refused
    (``placed`` false) are left out. Distances of the border weight are measured within
    the sheet, seen along the axis its normal is closest to.

    Parameters
    ----------
    ct_shape : (z, y, x)
    voxel_size_um : (z, y, x)
        Must be that of the placements.
    maps, placed : sequences of equal length
        In the same order.
    table : PhaseTable
        Ungrouped, with the target set.
    settings : TruthSettings
    progress, cancel
        See `napari_slagseg.data.running`.

    Returns
    -------
    truth : GroundTruth

    Raises
    ------
    SlagsegError
        If a placement is of another CT or map, or no voxel is known.

    References
    ----------
    Kirstein et al. 2026, 2.3.1 and 2.3.3, Eq. 1 and 2.
    """
    ct_shape = (ct_shape[0], ct_shape[1], ct_shape[2])  # a list, as JSON gives it, would do
    _check_all(maps, placed)
    grouping = table if settings.group else _every_phase_alone(table)
    classes, class_of = grouping.grouped()
    parts: list[tuple[Sheet, NDArray[np.int16], NDArray[np.int32]]] = []
    first_number = 0
    used = [(m, p) for m, p in zip(maps, placed, strict=True) if p.placed]
    for i, (mineral_map, where) in enumerate(used):
        stop_if_cancelled(cancel)
        progress(ProgressEvent(f"laying {mineral_map.name} into the CT", 0.8 * i / len(used)))
        _check(ct_shape, voxel_size_um, mineral_map, where)
        # which phases are background is the table's to say, not the map's own legend
        mineral_map = replace(mineral_map, table=grouping)
        numbers = label_map_particles(mineral_map, minimum_pixels=settings.minimum_particle_pixels)
        follow = sheet_on_surface if settings.follow == "surface" else sheet_on_cutouts
        sheet = follow(where, cancel=cancel)
        particles = numbers[sheet.rows, sheet.columns].copy()
        particles[particles > 0] += first_number
        first_number += int(numbers.max(initial=0))
        phases = classes_of(mineral_map, grouping, class_of)[sheet.rows, sheet.columns]
        parts.append((sheet, phases, particles))
    total = sum(len(sheet.voxels) for sheet, _, _ in parts)
    if total == 0:
        raise SlagsegError(
            "No voxel of the CT lies under an accepted cutout, so nothing is known. Look at the "
            "placement of the maps."
        )
    flat = np.concatenate(
        [np.ravel_multi_index(tuple(s.voxels.T), ct_shape) for s, _, _ in parts]
    ).astype(np.int64)
    score = np.concatenate([s.score for s, _, _ in parts])
    order = np.lexsort((-score, flat))
    kept = order[np.concatenate([[True], np.diff(flat[order]) != 0])]
    map_index = np.repeat(np.arange(len(parts)), [len(s.voxels) for s, _, _ in parts])
    voxels = flat[kept]
    phases = np.concatenate([p for _, p, _ in parts])[kept]
    particles = np.concatenate([p for _, _, p in parts])[kept].astype(np.int32)
    cutouts = np.concatenate([s.cutout for s, _, _ in parts])[kept]
    map_index = map_index[kept].astype(np.int16)
    progress(ProgressEvent("keeping particles apart", 0.8))
    touching, across = touching_particles(voxels, particles, map_index, ct_shape)
    particles[touching] = BACKGROUND
    # two maps that cross number the same particle twice: whether it ends there is not known
    particles[across & ~touching] = UNKNOWN
    foreground = np.where(particles > 0, 1, particles).astype(np.int8)
    weights = np.zeros(len(voxels), dtype=np.float32)
    zyx = np.stack(np.unravel_index(voxels, ct_shape), axis=-1)
    for i, (sheet, _, _) in enumerate(parts):
        stop_if_cancelled(cancel)
        progress(ProgressEvent(f"weighing {used[i][0].name}", 0.85 + 0.15 * i / len(parts)))
        of_map = map_index == i
        if of_map.any():
            weights[of_map] = _particle_weights(
                zyx[of_map], particles[of_map], foreground[of_map], sheet.axis, settings
            )
    if settings.lambda_foreground is None:
        weights = with_equal_totals(weights, foreground)
    of_phases = phase_weights(phases, settings.balance_phases)
    if settings.trust_borders:
        rows = np.concatenate([s.rows for s, _, _ in parts])[kept]
        columns = np.concatenate([s.columns for s, _, _ in parts])[kept]
        for i, (sheet, _, _) in enumerate(parts):
            stop_if_cancelled(cancel)
            at = np.flatnonzero(map_index == i)
            doubt = _uncertainty(used[i][1], rows[at], columns[at])
            of_phases[at] *= _trust(zyx[at], phases[at], doubt, sheet.axis)
            weights[at] *= _trust(zyx[at], particles[at], doubt, sheet.axis)
        if settings.lambda_foreground is None:
            weights = with_same_totals(weights, foreground)
    return GroundTruth(
        shape=ct_shape,
        voxels=voxels,
        phases=phases.astype(np.int16),
        particles=particles,
        foreground=foreground,
        phase_weights=of_phases,
        particle_weights=weights,
        map_index=map_index,
        cutout_index=cutouts.astype(np.int16),
        table=classes,
        map_names=tuple(m.name for m, _ in used),
    )


def _every_phase_alone(table: PhaseTable) -> PhaseTable:
    """Same phases, none grouped but those that belong to the background."""
    background = {table.phases[0].name, table.phases[0].group} - {""}
    phases = tuple(p if p.group in background else replace(p, group="") for p in table)
    return PhaseTable(phases, table.target)


def _check_all(maps: Sequence[MineralMap], placed: Sequence[PlacedMap]) -> None:
    names = [m.name for m in maps]
    if names != [p.map_name for p in placed] or len(set(names)) != len(names):
        raise SlagsegError(
            f"The maps {names} and the placements {[p.map_name for p in placed]} do not belong "
            "together; give one placement for each map, in the same order, and different names."
        )


def _check(
    ct_shape: tuple[int, int, int],
    voxel_size_um: VoxelSize,
    mineral_map: MineralMap,
    where: PlacedMap,
) -> None:
    if tuple(where.ct_shape) != ct_shape or not np.allclose(
        where.voxel_size_um, voxel_size_um, 1e-3
    ):
        raise SlagsegError(
            f"Map {mineral_map.name} was placed in a CT of {where.ct_shape} voxels of "
            f"{where.voxel_size_um} um, not in this one ({ct_shape}, {voxel_size_um}). "
            "Register it again."
        )
    if tuple(where.map_shape) != mineral_map.shape:
        raise SlagsegError(
            f"The placement of {mineral_map.name} is for a map of {where.map_shape} pixels, but "
            f"the map has {mineral_map.shape}. Register it again."
        )


def _uncertainty(
    where: PlacedMap, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Uncertainty in voxels of the places of map pixels; NaN where nothing is known of it."""
    if where.surface is None:
        return np.full(len(rows), np.nan)
    return where.surface.uncertainty_at(rows.astype(float), columns.astype(float))


def _trust(
    zyx: NDArray[np.int64],
    labels: NDArray[np.integer],
    uncertainty: NDArray[np.float64],
    axis: int,
) -> NDArray[np.float32]:
    """Trust in the voxels of one sheet, seen along its axis."""
    if not len(zyx):
        return np.zeros(0, np.float32)
    plane = np.delete(zyx, axis, axis=1)
    b, c = (plane - plane.min(axis=0)).T
    shape = (int(b.max()) + 1, int(c.max()) + 1)
    grid, doubt = np.full(shape, UNKNOWN, np.int64), np.full(shape, np.nan)
    grid[b, c], doubt[b, c] = labels, uncertainty
    return border_trust(grid, doubt)[b, c]


def _particle_weights(
    zyx: NDArray[np.int64],
    particles: NDArray[np.int32],
    foreground: NDArray[np.int8],
    axis: int,
    settings: TruthSettings,
) -> NDArray[np.float32]:
    """K Eq. 2 for the voxels of one sheet."""
    plane = np.delete(zyx, axis, axis=1)
    first = plane.min(axis=0)
    b, c = (plane - first).T
    labels = np.full((int(b.max()) + 1, int(c.max()) + 1), UNKNOWN, dtype=np.int32)
    # small numbers: the boxes of particles are listed by label
    _, compact = np.unique(particles[particles > 0], return_inverse=True)
    numbers = np.where(particles > 0, 0, particles).astype(np.int32)
    numbers[particles > 0] = compact + 1
    labels[b, c] = numbers
    near = border_weight(labels, sigma=settings.sigma, reach=settings.border_reach)[b, c]
    weights = np.zeros(len(zyx), dtype=np.float32)
    weights[foreground == 0] = near[foreground == 0] + settings.lambda_background
    weights[foreground > 0] = settings.lambda_foreground or 0.0
    return weights


__all__ = ["TruthSettings", "build_ground_truth"]
