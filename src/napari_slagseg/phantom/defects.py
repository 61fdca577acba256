"""Further faults of maps and scans, each with its exact truth.

Every function takes a phantom's parts and gives changed ones back: a `PhantomMap`
whose coordinates say where each pixel truly lies, or a CT with the maps' coordinates
in its voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_slagseg.data import FieldShift, MineralMap, Volume
from napari_slagseg.phantom.ct import (
    GREY_RANGE,
    GREY_ZERO,
    RING_SLAB,
    axial_distance,
    cupping,
    rings,
)
from napari_slagseg.phantom.cuts import CutSurface, PhantomMap, cut_along
from napari_slagseg.phantom.presets import VOXEL_UM, DegradationLevel
from napari_slagseg.phantom.truth import ContinuousTruth

MEAN_ATOMIC_NUMBERS = (6.02, 9.52, 10.13, 13.11, 10.58, 21.02)
"""Mass-weighted mean atomic number by phase id: bisphenol A diglycidyl ether (epoxy),
then the formulas of `PHASES`."""


def reshaped(
    surface: CutSurface,
    *,
    tilt_deg: float | None = None,
    sag_voxels: float | None = None,
    height: float | None = None,
    pixel_error: float | None = None,
    pixel_um: float = 1.0,
    voxel_um: float = VOXEL_UM,
) -> CutSurface:
    """The same surface with stated tilt, curvature, height or pixel size.

    Parameters
    ----------
    surface : CutSurface
    tilt_deg : float, optional
    sag_voxels : float, optional
        Voxels between the highest and the lowest point of the curvature within
        `CutSurface.radius`.
    height : float, optional
        CT slice (z) of the centre.
    pixel_error : float, optional
        A pixel truly measures ``(1 + pixel_error) * pixel_um``.
    pixel_um, voxel_um : float
        As stated for map and CT.
    """
    changed = surface
    if tilt_deg is not None:
        changed = replace(changed, tilt_rad=float(np.deg2rad(tilt_deg)))
    if sag_voxels is not None:
        unit = replace(changed, sag=1.0, tilt_rad=0.0, centre_zyx=(0.0, 0.0, 0.0))
        reach = surface.radius / surface.pitch
        r, turn = np.meshgrid(np.linspace(0, reach, 100), np.linspace(0, 2 * np.pi, 180))
        row, column = surface.middle
        curve = unit.at(row + r * np.cos(turn), column + r * np.sin(turn))[..., 0]
        changed = replace(changed, sag=sag_voxels / float(np.ptp(curve)))
    if height is not None:
        changed = replace(changed, centre_zyx=(height, *surface.centre_zyx[1:]))
    if pixel_error is not None:
        changed = replace(changed, pitch=(1 + pixel_error) * pixel_um / voxel_um)
    return changed


def cracked(
    truth: ContinuousTruth,
    cut: PhantomMap,
    level: DegradationLevel,
    step_voxels: float,
    direction: Literal["plane", "height"],
    rng: np.random.Generator,
) -> PhantomMap:
    """The piece broke along a line and one side slipped before it was polished.

    Parameters
    ----------
    truth : ContinuousTruth
    cut : PhantomMap
        Its surface is cut again.
    level : DegradationLevel
    step_voxels : float
        How far the pixels of one side lie off the surface.
    direction : {"plane", "height"}
        Along the crack in the plane of the map, or along the surface's normal.
    rng : numpy.random.Generator
        Draws the line (it passes within a quarter of the map's edge of its middle) and
        the faults of `level`.
    """
    surface = cut.surface
    turn = rng.uniform(0, 2 * np.pi)
    off = rng.uniform(-0.25, 0.25) * min(surface.shape)
    rows, columns = np.indices(surface.shape)
    middle_row, middle_column = (np.array(surface.shape) - 1) / 2
    side = (rows - middle_row) * np.cos(turn) + (columns - middle_column) * np.sin(turn) > off
    if direction == "height":
        step = surface.normal
    else:
        ends = np.array([-0.5, 0.5])
        there = surface.at(middle_row - ends * np.sin(turn), middle_column + ends * np.cos(turn))
        step = (there[1] - there[0]) / np.linalg.norm(there[1] - there[0])
    coordinates = surface.coordinates()
    coordinates[side] += step_voxels * step
    name = cut.mineral_map.name
    return cut_along(truth, surface, VOXEL_UM, level, name, rng, coordinates)


def stitched(
    truth: ContinuousTruth,
    cut: PhantomMap,
    level: DegradationLevel,
    field_size: tuple[int, int],
    rms_pixels: float,
    rng: np.random.Generator,
) -> tuple[PhantomMap, tuple[FieldShift, ...]]:
    """The map was put together from fields, each a little off its place.

    Parameters
    ----------
    field_size : (rows, columns)
        Of the fields in pixels; the first lies at pixel (0, 0).
    rms_pixels : float
        Standard deviation of the offsets along rows, and along columns.

    Returns
    -------
    cut : PhantomMap
    fields : tuple of FieldShift
        True offsets.
    """
    rows, columns = (np.arange(float(n)) for n in cut.surface.shape)
    row_at, column_at = np.meshgrid(rows, columns, indexing="ij")
    fields = []
    for row in range(0, cut.surface.shape[0], field_size[0]):
        for column in range(0, cut.surface.shape[1], field_size[1]):
            height = min(field_size[0], cut.surface.shape[0] - row)
            width = min(field_size[1], cut.surface.shape[1] - column)
            down, right = rng.normal(0, rms_pixels, 2)
            part = (slice(row, row + height), slice(column, column + width))
            row_at[part] += down
            column_at[part] += right
            fields.append(FieldShift(row, column, height, width, float(down), float(right)))
    coordinates = cut.surface.at(row_at, column_at)
    name = cut.mineral_map.name
    whole = cut_along(truth, cut.surface, VOXEL_UM, level, name, rng, coordinates)
    return whole, tuple(fields)


def part_of(cut: PhantomMap, rows: slice, columns: slice) -> PhantomMap:
    """A rectangle of a map."""
    part = (rows, columns)
    m = cut.mineral_map
    phases = np.ascontiguousarray(m.phases[part])
    first = (rows.start or 0, columns.start or 0)
    middle = (cut.surface.middle[0] - first[0], cut.surface.middle[1] - first[1])
    shape = (phases.shape[0], phases.shape[1])
    return replace(
        cut,
        mineral_map=MineralMap(phases, m.pixel_size_um, m.table, m.name),
        coordinates=np.ascontiguousarray(cut.coordinates[part]),
        particles=np.ascontiguousarray(cut.particles[part]),
        phases=np.ascontiguousarray(cut.phases[part]),
        surface=replace(cut.surface, shape=shape, middle=middle),
    )


def share_of(
    cut: PhantomMap,
    ct_shape: tuple[int, int, int],
    radius: float,
    share: float,
    where: Literal["side", "middle"],
) -> PhantomMap:
    """The part of a map that holds a share of the cylinder's cross-section.

    Parameters
    ----------
    ct_shape : (z, y, x)
        Of the CT that the cylinder stands in the middle of.
    radius : float
        Of the cylinder, in voxels.
    share : float
        Of the map's pixels in the cylinder.
    where : {"side", "middle"}
        The first columns, as of a broken mount, or the middle square.
    """
    y = cut.coordinates[..., 1] - (ct_shape[1] - 1) / 2
    x = cut.coordinates[..., 2] - (ct_shape[2] - 1) / 2
    inside = np.hypot(y, x) <= radius
    n_rows, n_columns = inside.shape
    if where == "side":
        held = np.cumsum(inside.sum(axis=0)) / inside.sum()
        return part_of(cut, slice(0, n_rows), slice(0, int(np.argmax(held >= share)) + 1))
    row, column = ((n - 1) // 2 for n in inside.shape)
    for half in range(1, max(inside.shape)):
        rows = slice(max(0, row - half), min(n_rows, row + half))
        columns = slice(max(0, column - half), min(n_columns, column + half))
        if inside[rows, columns].sum() >= share * inside.sum():
            return part_of(cut, rows, columns)
    return cut


@dataclass(frozen=True)
class Scanned:
    """A CT and the maps with their coordinates in its voxels."""

    ct: Volume
    maps: tuple[PhantomMap, ...]


def cropped_cube(ct: Volume, maps: Sequence[PhantomMap], radius: float) -> Scanned:
    """The largest square column inside the cylinder: no rim, no air, no axis to be seen.

    The maps keep their middle square, a little smaller than the column.
    """
    half = int(radius / np.sqrt(2)) - 1
    first = [(n - 2 * half) // 2 for n in ct.shape[1:]]
    part = tuple(slice(f, f + 2 * half) for f in first)
    data = np.ascontiguousarray(ct.data[(slice(None), *part)])
    offset = np.array([0, *first], np.float32)
    cropped = []
    for cut in maps:
        reach = round(0.9 * half / cut.surface.pitch)
        middle = [n // 2 for n in cut.surface.shape]
        inner = part_of(cut, *(slice(max(0, m - reach), m + reach) for m in middle))
        cropped.append(replace(inner, coordinates=inner.coordinates - offset))
    return Scanned(replace(ct, data=data), tuple(cropped))


def longer_voxels(ct: Volume, maps: Sequence[PhantomMap], factors: tuple[int, int, int]) -> Scanned:
    """Mean of so many voxels along (z, y, x), as of a scan with thick slices.

    Slices, rows and columns that do not fill a voxel are left out.
    """
    depth, height, width = (n // f * f for n, f in zip(ct.shape, factors))
    whole = ct.data[:depth, :height, :width]
    means = np.empty(tuple(n // f for n, f in zip(whole.shape, factors)), np.float32)
    for z in range(len(means)):
        slab = whole[z * factors[0] : (z + 1) * factors[0]].astype(np.float32).mean(axis=0)
        blocks = slab.reshape(means.shape[1], factors[1], means.shape[2], factors[2])
        means[z] = blocks.mean(axis=(1, 3))
    data = np.rint(means).astype(ct.data.dtype)
    z_um, y_um, x_um = (float(e * f) for e, f in zip(ct.voxel_size_um, factors))
    scale = np.array(factors, np.float32)
    moved = [replace(c, coordinates=(c.coordinates + 0.5) / scale - 0.5) for c in maps]
    return Scanned(Volume(data, (z_um, y_um, x_um), ct.name), tuple(moved))


def more_rings_and_cupping(
    ct: Volume, radius: float, rise: float, strength: float, rng: np.random.Generator
) -> Volume:
    """Rings and cupping on top of those that a phantom's scan has.

    Parameters
    ----------
    ct : Volume
        uint16, from `scan`.
    radius : float
        Of the cylinder, in voxels.
    rise, strength : float
        As `DegradationLevel.cupping` and `DegradationLevel.rings`.
    """
    r = axial_distance(ct.shape)
    gain, bins = cupping(r, radius, rise), r.astype(np.int64)
    data = np.empty_like(ct.data)
    profile = np.zeros(int(bins.max()) + 1)
    for z, plane in enumerate(np.asarray(ct.data)):
        if z % RING_SLAB == 0:
            profile = rings(len(profile), strength, rng)
        grey = (plane.astype(np.float64) - GREY_ZERO) / GREY_RANGE * gain + profile[bins]
        data[z] = np.clip(grey * GREY_RANGE + GREY_ZERO, 0, 65535).astype(data.dtype)
    return replace(ct, data=data)


def backscatter(
    cut: PhantomMap,
    rng: np.random.Generator,
    *,
    torn: float = 0.0,
    blur_pixels: float = 0.7,
    noise: float = 0.05,
    shading: float = 0.15,
) -> NDArray[np.float32]:
    """Image of the cut by backscattered electrons, grey by mean atomic number.

    Each phase has its backscatter coefficient (Reuter 1972: a cubic in the mean atomic
    number); blur, a shading across the image and noise follow.

    Parameters
    ----------
    cut : PhantomMap
    rng : numpy.random.Generator
    torn : float
        Share of particles torn out: epoxy shows in their place.
    blur_pixels : float
        Standard deviation.
    noise : float
        Standard deviation, as a share of the step from epoxy to the brightest phase.
    shading : float
        The gain changes by so much from one edge of the image to the other.

    Returns
    -------
    grey : (rows, columns) float32
        1 is the brightest phase without shading, 0 no electrons at all.
    """
    coefficients = backscatter_coefficient(np.array(MEAN_ATOMIC_NUMBERS))
    present = np.unique(cut.particles[cut.particles > 0])
    gone = np.isin(cut.particles, present[rng.random(len(present)) < torn])
    grey = (coefficients / coefficients.max())[np.where(gone, 0, cut.phases)]
    grey = gaussian_filter(grey, blur_pixels, mode="nearest")
    turn = rng.uniform(0, 2 * np.pi)
    v, u = np.meshgrid(*(np.linspace(-1, 1, n) for n in grey.shape), indexing="ij")
    gain = 1 + shading / 2 * (np.cos(turn) * v + np.sin(turn) * u)
    step = 1 - coefficients[0] / coefficients.max()
    return (grey * gain + noise * step * rng.standard_normal(grey.shape)).astype(np.float32)


def backscatter_coefficient(atomic_number: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of electrons scattered back at normal incidence (Reuter 1972)."""
    z = atomic_number
    return np.asarray(-0.0254 + 0.016 * z - 1.86e-4 * z**2 + 8.3e-7 * z**3)


__all__ = [
    "MEAN_ATOMIC_NUMBERS",
    "Scanned",
    "backscatter",
    "backscatter_coefficient",
    "cracked",
    "cropped_cube",
    "longer_voxels",
    "more_rings_and_cupping",
    "part_of",
    "reshaped",
    "share_of",
    "stitched",
]
