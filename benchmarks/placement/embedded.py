"""A real image as one curved sheet in a volume, so that a second image can be sought in it.

There is no volume with a map of the same sample. So the one image (BSE, X-ray) becomes
the sheet at a known curved height; its other modality (phases, neutrons) is the map. Away
from the sheet the image shears: at height d above it, places show what lies
``d * slope`` away on it, with a smooth random slope of about 45 degrees, as inclined grain
boundaries do. Every `THICKNESS` voxels another sheet follows, of the same image cut
into tiles, each turned or mirrored and put elsewhere: alike in kind, found nowhere as a
whole. What is real is the two modalities; the third dimension is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from benchmarks.placement.cases import Task
from benchmarks.placement.grey import grey_map
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates
from scipy.optimize import minimize

from napari_slagseg import io
from napari_slagseg.data import UNKNOWN, MineralMap, Volume

THICKNESS = 30
SHEETS = 3
"""Sheets in the volume; the true one is any of them."""

SLOPE, SLOPE_LENGTH = 0.8, 22.0
"""Standard deviation of the slope, and length in voxels over which it changes."""

TILES = 4


@dataclass(frozen=True)
class Pair:
    """Two images of one plane.

    Attributes
    ----------
    sheet : (rows, columns) float32
        Goes into the volume; 0 to 1.
    given : MineralMap or a grey map
        The other modality.
    to_sheet : (2, 2) float64
        Pixels of the sheet travelled per pixel of the other modality, about the middle.
    ratio : float
        Pixels of the images to a voxel of the volume.
    noise : float
        Of the volume, standard deviation.
    """

    sheet: NDArray[np.float32]
    given: object
    to_sheet: NDArray[np.float64]
    ratio: float
    noise: float


def tima(data: Path) -> Pair:
    """BSE image of a TIMA mount (sheet) and its mineral phases (map), 2000 x 2000 at 10 um."""
    folder, sample = data / "tima_particles_in_epoxy", "ERD_d6b974f1"
    table = io.read_legend(folder / f"{sample}_phases.json")
    found = io.read_mineral_map(folder / f"{sample}_phases_u8.tif", table, 10.0)
    bse = tifffile.imread(folder / f"{sample}_bse_u16.tif").astype(np.float32)
    scanned = bse > 0
    phases = np.where(scanned, found.phases, UNKNOWN).astype(np.int16)
    epoxy = float(np.median(bse[scanned & (found.phases == 0)]))
    bright = float(np.percentile(bse, 99.5))
    sheet = np.clip(np.where(scanned, bse, epoxy) / bright, 0, 1.5).astype(np.float32)
    return Pair(sheet, MineralMap(phases, 10.0, table, "TIMA phases"), np.eye(2), 4.0, 0.05)


def shell(data: Path) -> Pair:
    """X-ray slice of a snail shell (sheet) and the neutron slice of the same plane (map).

    The source calls the pair aligned, but its mutual information rises steadily as one is
    turned against the other, up to some 3.5 degrees; so the turn and scale at which it is
    largest (`aligned`) are the truth here.
    """
    xray, neutron = (
        np.load(data / f"xray_neutron_pair/shell{letter}.npy", allow_pickle=False).astype(
            np.float32
        )
        for letter in "XN"
    )
    low, high = np.percentile(xray, [1, 99.5])
    known = neutron > 0
    grey = neutron / float(np.percentile(neutron, 99.5))
    given = grey_map(grey, 10.0, "neutrons", known)
    sheet = np.clip((xray - low) / (high - low), -0.5, 1.5).astype(np.float32)
    return Pair(sheet, given, aligned(sheet, grey, known), 1.5, 0.05)


def aligned(
    first: NDArray[np.float32], second: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Turn and scale about the middle at which two images tell most of each other.

    Largest mutual information (40 x 40 bins, Gaussian smoothing of two pixels), among
    turns to 8 degrees, then by Nelder and Mead's method.

    Returns
    -------
    matrix : (2, 2) float64
        Pixels of `first` travelled per pixel of `second`.
    """
    step = 3
    middle = (np.array(first.shape) - 1) / 2
    sure = binary_erosion(known, iterations=6).astype(np.float32)
    one, two = (gaussian_filter(image, 2.0) for image in (first, second))
    at = np.mgrid[: first.shape[0] : step, : first.shape[1] : step] - middle[:, None, None]

    def matrix(turn_deg: float, scale: float) -> NDArray[np.float64]:
        a = np.deg2rad(turn_deg)
        return scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])

    def unalike(change: NDArray[np.float64]) -> float:
        there = np.tensordot(matrix(change[0], 1 + change[1] / 100), at, axes=1)
        there += middle[:, None, None]
        inside = map_coordinates(sure, there, order=1) > 0.99
        values = map_coordinates(two, there, order=1)[inside]
        joint = np.histogram2d(one[::step, ::step][inside], values, bins=40)[0] / inside.sum()
        apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
        some = joint > 0
        return -float((joint[some] * np.log(joint[some] / apart[some])).sum())

    start = min(np.arange(-8.0, 8.5, 0.5), key=lambda turn: unalike(np.array([turn, 0.0])))
    simplex = np.array([[start, 0.0], [start + 0.5, 0.0], [start, 0.5]])
    found = minimize(
        unalike, simplex[0], method="Nelder-Mead", options={"initial_simplex": simplex}
    )
    return np.asarray(np.linalg.inv(matrix(found.x[0], 1 + found.x[1] / 100)), np.float64)


def embedded_task(
    pair: Pair, rng: np.random.Generator, *, foreign: bool = False
) -> tuple[Volume, Task]:
    """A volume with the pair's sheet somewhere in it, and the map to find there.

    Any angle, either mirror state, pixel size 2 % wrong, 0.5 % shear, tilt to 5 degrees,
    sag to 8 voxels. With ``foreign`` the true sheet is one more of the shuffled ones.
    """
    n = np.array(pair.sheet.shape)
    extent = n / pair.ratio
    size = int(1.06 * extent.max())
    turn = rng.uniform(0, 2 * np.pi)
    mirrored = bool(rng.random() < 0.5)
    scale = (1 + rng.uniform(-0.02, 0.02)) / pair.ratio
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shear = np.eye(2) + rng.uniform(-0.005, 0.005, (2, 2))
    matrix = scale * shear @ rotation @ np.diag([1.0, -1.0 if mirrored else 1.0])
    centre = (size - 1) / 2 + rng.uniform(-0.02, 0.02, 2) * extent
    steep = np.tan(np.deg2rad(rng.uniform(0, 5)))
    towards, sag = rng.uniform(0, 2 * np.pi), rng.uniform(0, 8)
    true_sheet = int(rng.integers(SHEETS))
    # the sheets follow the true one's curvature: room for it above and below
    room = int(steep * size / 2 + sag) + 2
    depth = SHEETS * THICKNESS + 2 * room
    middle = room + (true_sheet + 0.5) * THICKNESS

    def height(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        v, u = (y - centre[0]) / (size / 2), (x - centre[1]) / (size / 2)
        rise = steep * (size / 2) * (np.cos(towards) * v + np.sin(towards) * u)
        return middle + rise + sag * (0.5 * (v**2 + 0.6 * u**2) - 0.25)

    y, x = np.mgrid[:size, :size].astype(np.float64)
    surface = height(y, x)
    slopes = [_slope((size, size), rng) for _ in range(2)]
    # what a voxel averages over
    image = gaussian_filter(pair.sheet, 0.4 * pair.ratio, mode="nearest")
    images = [image if k == true_sheet and not foreign else _shuffled(image, rng)
              for k in range(SHEETS)]  # fmt: skip
    back = np.linalg.inv(matrix)
    volume = np.empty((depth, size, size), np.float32)
    for z in range(depth):
        above = z - surface
        sheet = np.clip(np.round(above / THICKNESS).astype(int) + true_sheet, 0, SHEETS - 1)
        d = above - (sheet - true_sheet) * THICKNESS
        at = np.stack([y + d * slopes[0] - centre[0], x + d * slopes[1] - centre[1]])
        at = np.tensordot(back, at, axes=1) + ((n - 1) / 2)[:, None, None]
        for k in np.unique(sheet):
            here = sheet == k
            volume[z][here] = map_coordinates(images[k], at[:, here], order=1, mode="nearest")
    volume += pair.noise * rng.standard_normal(volume.shape, dtype=np.float32)
    rows, columns = np.meshgrid(*(np.arange(float(k)) for k in n), indexing="ij")
    pixels = np.stack([rows - (n[0] - 1) / 2, columns - (n[1] - 1) / 2])
    yx = np.tensordot(matrix @ pair.to_sheet, pixels, axes=1) + centre[:, None, None]
    zyx = np.stack([height(yx[0], yx[1]), yx[0], yx[1]], axis=-1).astype(np.float32)
    voxel_um = 10.0 * pair.ratio
    counts = np.clip((volume + 1) * 20_000, 0, 65535).astype(np.uint16)
    return Volume(counts, (voxel_um,) * 3, "sheets"), Task(pair.given, zyx, mirrored)


def _slope(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    field = gaussian_filter(rng.standard_normal(shape), SLOPE_LENGTH, mode="wrap")
    return np.asarray(SLOPE * field / field.std())


def _shuffled(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The image cut into square tiles, each turned or mirrored and put elsewhere."""
    edge = min(image.shape) // TILES
    places = [(r, c) for r in range(image.shape[0] // edge) for c in range(image.shape[1] // edge)]
    out = np.full_like(image, np.median(image))
    for (r, c), k in zip(places, rng.permutation(len(places))):
        i, j = places[k]
        tile = image[i * edge : (i + 1) * edge, j * edge : (j + 1) * edge]
        tile = np.rot90(tile[:, ::-1] if rng.random() < 0.5 else tile, rng.integers(4))
        out[r * edge : (r + 1) * edge, c * edge : (c + 1) * edge] = tile
    return out


__all__ = ["Pair", "aligned", "embedded_task", "shell", "tima"]
