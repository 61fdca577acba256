"""Real CT volumes cut along random surfaces: maps with a known place, on real grains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.placement.cases import Task
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates
from skimage.filters import threshold_otsu

from napari_slagseg import io
from napari_slagseg.data import UNKNOWN, MineralMap, Phase, PhaseTable, Volume
from napari_slagseg.phantom import CutSurface

VOXEL_UM = 10.0
"""Not stated by the sources: a round number."""

REFINEMENT = 2.3
TABLE = PhaseTable(
    (
        Phase(0, "background", "#000000"),
        Phase(1, "grain", "#e69f00", "", "", 2.65),
        Phase(2, "heavy mineral", "#0072b2", "", "", 4.5),
    )
)
SPECKLE, MISLABELLED, RIM = 0.02, 0.15, 0.2
"""Shares of wrong pixels, of wrong solid area, and of wrong pixels in the grains' rims."""


@dataclass(frozen=True)
class Sand:
    """A volume to cut, and how a cut's grey values become phases.

    Attributes
    ----------
    grey : (z, y, x) float32
        0 to 1.
    noise, blur : float
        Standard deviations of what is done to the CT *after* the map was cut.
    phases_of : callable
        Grey values of a cut to phases.
    """

    grey: NDArray[np.float32]
    noise: float
    blur: float
    phases_of: Callable[[NDArray[np.float32]], NDArray[np.int16]]


def sand_ct(data: Path) -> Sand:
    """Grey CT of touching sand grains; heavy minerals are its brightest 1.5 %."""
    file = data / "sand_ct_grey/sand_100x200x200_u8.tif"
    raw = np.asarray(io.read_volume(file, VOXEL_UM).data)
    solid = float(threshold_otsu(raw)) / 255
    heavy = float(np.quantile(raw[raw > 255 * solid], 0.985)) / 255

    def phases_of(grey: NDArray[np.float32]) -> NDArray[np.int16]:
        smooth = gaussian_filter(grey, 1.0)
        return np.digitize(smooth, [solid, heavy]).astype(np.int16)

    return Sand(raw.astype(np.float32) / 255, 0.06, 0.8, phases_of)


def sand_packing(data: Path) -> Sand:
    """Binary CT of about 2,000 touching angular grains, its shortest axis upright."""
    file = data / "sand_packing_binary/grains_501x501x300_u8.tif"
    raw = np.asarray(io.read_volume(file, VOXEL_UM).data).transpose(2, 0, 1)
    # steps of voxels would show in the finer cut
    smooth = gaussian_filter(raw.astype(np.float32), 0.8)

    def phases_of(grey: NDArray[np.float32]) -> NDArray[np.int16]:
        return (grey > 0.5).astype(np.int16)

    return Sand(smooth, 0.25, 1.0, phases_of)


def cut_task(sand: Sand, rng: np.random.Generator, *, foreign: bool = False) -> tuple[Volume, Task]:
    """A degraded map cut along a random tilted, curved surface, and the CT to place it in.

    Tilt to 6 degrees, sag to 4 % of the map's edge, any angle, either mirror state,
    pixel size up to 2 % wrong. Then speckle, wrong areas and wrong rims in the map, blur
    and noise in the CT. Pixels outside of the CT are unknown.

    Parameters
    ----------
    foreign : bool
        The map is cut from the lower part of the CT, and the upper part is given.
    """
    shape = sand.grey.shape
    edge_voxels = 0.9 * min(shape[1:])
    edge = round(edge_voxels * REFINEMENT)
    middle = (np.array(shape) - 1) / 2
    share = 0.2 if foreign else rng.uniform(0.35, 0.65)
    off = rng.uniform(-0.04, 0.04, 2) * edge_voxels
    surface = CutSurface(
        (edge, edge),
        ((edge - 1) / 2, (edge - 1) / 2),
        (share * (shape[0] - 1), middle[1] + off[0], middle[2] + off[1]),
        (1 + rng.uniform(-0.02, 0.02)) / REFINEMENT,
        edge_voxels / 2,
        rng.uniform(0, 2 * np.pi),
        bool(rng.random() < 0.5),
        np.deg2rad(rng.uniform(0, 2 if foreign else 6)),
        rng.uniform(0, 2 * np.pi),
        edge_voxels * rng.uniform(0.0, 0.01 if foreign else 0.04),
        rng.uniform(0.4, 1.0),
        rng.uniform(-0.5, 0.5),
    )
    zyx = surface.coordinates()
    grey = map_coordinates(sand.grey, np.moveaxis(zyx, -1, 0), order=1, cval=np.nan)
    outside = np.isnan(grey)
    phases = sand.phases_of(np.nan_to_num(grey))
    _spoil(phases, rng)
    phases[outside] = UNKNOWN
    scan = gaussian_filter(sand.grey, sand.blur)
    scan += sand.noise * rng.standard_normal(scan.shape, dtype=np.float32)
    if foreign:
        scan = scan[int(0.45 * shape[0]) :]
    counts = np.clip((scan + 1) * 20_000, 0, 65535).astype(np.uint16)
    name = "foreign" if foreign else "cut"
    mineral_map = MineralMap(phases, VOXEL_UM / REFINEMENT, TABLE, name)
    return (
        Volume(counts, (VOXEL_UM,) * 3, "sand"),
        Task(mineral_map, zyx.astype(np.float32), surface.mirrored),
    )


def _spoil(phases: NDArray[np.int16], rng: np.random.Generator) -> None:
    solid = phases > 0
    field = gaussian_filter(rng.standard_normal(phases.shape), 8)
    wrong = solid & (field > np.quantile(field[solid], 1 - MISLABELLED))
    phases[wrong] = 3 - phases[wrong]
    rim = solid & ~binary_erosion(solid, iterations=2)
    for where, share in ((rim, RIM), (np.ones_like(rim), SPECKLE)):
        wrong = where & (rng.random(phases.shape) < share)
        phases[wrong] = rng.integers(0, len(TABLE), int(wrong.sum()))
