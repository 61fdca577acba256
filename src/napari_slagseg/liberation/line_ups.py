"""Pictures of particles, as they lie in line-ups: the first voxel along z, shaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import VoxelSize

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Colour = tuple[int, int, int]

NO_PHASE: Colour = (128, 128, 128)
"""Colour of voxels of a particle that have no phase, or one without a colour."""

REACH = 3
"""Voxels around a hit from which the direction of the surface is taken."""

_LIGHT = np.array([-0.76, -0.46, -0.46])
"""Where the light comes from, (z, y, x): over the left shoulder of who looks along z."""

_AMBIENT = 0.45
_DEEPEST = 0.72


@dataclass(frozen=True)
class ParticlePicture:
    """One particle of a line-up.

    Attributes
    ----------
    label : int
    rgba : (rows, columns, 4) uint8
        Rows are y, columns x; alpha is 0 beside the particle.
    pixel_um : (row, column) float
        Edges of a pixel.
    caption : str
    """

    label: int
    rgba: NDArray[np.uint8]
    pixel_um: tuple[float, float]
    caption: str = ""

    @property
    def size_um(self) -> tuple[float, float]:
        """Height and width of the picture."""
        rows, columns = self.rgba.shape[:2]
        return rows * self.pixel_um[0], columns * self.pixel_um[1]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hits(
    inside: NDArray[np.bool_], size: NDArray[np.float64], reach: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    depth, rows, columns = inside.shape
    hit = np.full((rows, columns), -1, np.int32)
    normals = np.zeros((rows, columns, 3), np.float32)
    rz, ry, rx = reach
    radius = max(rz * size[0], ry * size[1], rx * size[2])
    for y in range(rows):
        for x in range(columns):
            for z in range(depth):
                if inside[z, y, x]:
                    hit[y, x] = z
                    break
            z = hit[y, x]
            if z < 0:
                continue
            nz = ny = nx = 0.0
            for k in range(max(0, z - rz), min(depth, z + rz + 1)):
                for j in range(max(0, y - ry), min(rows, y + ry + 1)):
                    for i in range(max(0, x - rx), min(columns, x + rx + 1)):
                        if not inside[k, j, i]:
                            continue
                        dz = (k - z) * size[0]
                        dy = (j - y) * size[1]
                        dx = (i - x) * size[2]
                        if dz * dz + dy * dy + dx * dx <= radius * radius:
                            nz -= dz
                            ny -= dy
                            nx -= dx
            length = np.sqrt(nz * nz + ny * ny + nx * nx)
            if length == 0.0:  # a lone voxel, or a plate seen edge on
                nz, length = -1.0, 1.0
            normals[y, x, 0] = nz / length
            normals[y, x, 1] = ny / length
            normals[y, x, 2] = nx / length
    return hit, normals


def first_hits(
    inside: NDArray[np.bool_], voxel_size_um: VoxelSize
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """First voxel of a particle along z, and which way its surface looks there.

    Parameters
    ----------
    inside : (z, y, x) bool
        The particle; outside the array there is none of it.
    voxel_size_um : (z, y, x)

    Returns
    -------
    hit : (y, x) int32
        Index along z; -1 where a ray along z misses the particle.
    normals : (y, x, 3) float32
        Unit vectors (z, y, x) out of the particle, 0 where a ray misses: away from the centroid
        of the particle's voxels within `REACH` of the longest voxel edge around the hit, which is
        the gradient of the smoothed particle.
    """
    if inside.ndim != 3:
        raise ValueError(f"a particle has three axes, not {inside.ndim}")
    size = np.asarray(voxel_size_um, float)
    reach = np.maximum(1, np.rint(REACH * size.max() / size)).astype(np.int64)
    found: tuple[NDArray[np.int32], NDArray[np.float32]] = _hits(
        np.ascontiguousarray(inside, bool), size, np.minimum(reach, 4 * REACH)
    )
    return found


def render_particle(
    inside: NDArray[np.bool_],
    phases: NDArray[np.integer],
    voxel_size_um: VoxelSize,
    colours: Mapping[int, Colour],
    enlarge: int = 1,
) -> NDArray[np.uint8]:
    """Picture of a particle seen along z, in the colours of its phases.

    The colour is that of the first voxel that a ray meets, shaded by the direction of
    the surface (Lambert) and darker the deeper it lies.

    Parameters
    ----------
    inside : (z, y, x) bool
        The particle.
    phases : (z, y, x) integer
        Phase of every voxel; only those of the particle are looked at.
    voxel_size_um : (z, y, x)
    colours : mapping of phase id to (red, green, blue)
        `NO_PHASE` for those that are not in it.
    enlarge : int
        Pixels along each edge of a voxel. Outlines and borders of phases run smoothly between
        voxels, at the half-way line of linear interpolation.

    Returns
    -------
    (y * enlarge, x * enlarge, 4) uint8
        Red, green, blue and alpha; alpha is 255 on the particle and 0 beside it.
    """
    if inside.shape != phases.shape:
        raise ValueError(f"the particle has {inside.shape} voxels, its phases {phases.shape}")
    hit, normals = first_hits(inside, voxel_size_um)
    met = hit >= 0
    rgba = np.zeros((hit.shape[0] * enlarge, hit.shape[1] * enlarge, 4), np.uint8)
    if not met.any():
        return rgba
    y, x = np.nonzero(met)
    z = hit[met]
    ids, where = np.unique(phases[z, y, x], return_inverse=True)
    lit = np.clip(normals[met] @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)
    span = max(int(z.max() - z.min()), 1)
    deep = 1 - (1 - _DEEPEST) * (z - z.min()) / span
    shade = (_AMBIENT + (1 - _AMBIENT) * lit) * deep
    phase_at = np.full(hit.shape, -1)
    phase_at[met] = where.ravel()
    shade_at = np.zeros(hit.shape)
    shade_at[met] = shade
    phase_at, shade_at = _enlarged(phase_at, shade_at, len(ids), enlarge)
    seen = phase_at >= 0
    flat = np.array([colours.get(int(i), NO_PHASE) for i in ids], float)[phase_at[seen]]
    rgba[seen, :3] = np.rint(flat * shade_at[seen][:, None])
    rgba[seen, 3] = 255
    return rgba


def _enlarged(
    phase_at: NDArray[np.int64], shade_at: NDArray[np.float64], phases: int, enlarge: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Finer pictures of the phase (-1 for none) and of the shade."""
    if enlarge == 1:
        return phase_at, shade_at
    # the shade goes on beside the particle, else its rim would darken
    nearest = ndimage.distance_transform_edt(
        phase_at < 0, return_distances=False, return_indices=True
    )
    shade = _zoomed(shade_at[tuple(nearest)], enlarge)
    best = np.full(shade.shape, -np.inf)
    found = np.full(shade.shape, -1)
    for i in range(phases):
        share = _zoomed((phase_at == i).astype(float), enlarge)
        found[share > best] = i
        best = np.maximum(best, share)
    # one pixel of nothing around, so that a particle as wide as its box is rounded as well
    inside = _zoomed(np.pad((phase_at >= 0).astype(float), 1), enlarge)
    inside = inside[enlarge:-enlarge, enlarge:-enlarge]
    return np.where(inside > 0.5 - 1e-9, found, -1), shade


def _zoomed(picture: NDArray[np.float64], enlarge: int) -> NDArray[np.float64]:
    zoomed: NDArray[np.float64] = ndimage.zoom(
        picture, enlarge, order=1, mode="nearest", grid_mode=True
    )
    return zoomed


def round_length(upper_um: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that is not above a length: for a scale bar."""
    if not (np.isfinite(upper_um) and upper_um > 0):
        raise ValueError(f"a scale bar needs a length above 0 um, not {upper_um}")
    power = 10.0 ** np.floor(np.log10(upper_um))
    # a hair of tolerance, else 5.0 falls to 2 by rounding
    return float(max(m for m in (1, 2, 5) if m * power <= upper_um * (1 + 1e-9)) * power)


def line_up_places(
    sizes: Sequence[tuple[float, float]], columns: int, *, gap: float, caption: float
) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """Where particles stand on a sheet: columns as wide and rows as high as they need to be.

    Parameters
    ----------
    sizes : sequence of (height, width)
        Of each particle, row by row of the sheet.
    columns : int
    gap, caption : float
        Room between particles, and below each row, in the unit of `sizes`.

    Returns
    -------
    centres : list of (y, x)
        Down and right from the sheet's upper left corner.
    sheet : (height, width)
    """
    rows = -(-len(sizes) // columns)
    wide = [max((w for _, w in sizes[c::columns]), default=0.0) + gap for c in range(columns)]
    high = [max(h for h, _ in sizes[r * columns : (r + 1) * columns]) + gap for r in range(rows)]
    left = np.concatenate([[0.0], np.cumsum(wide)])
    top = np.concatenate([[0.0], np.cumsum(np.array(high) + caption)])
    centres = [
        (
            float(top[i // columns]) + high[i // columns] / 2,
            float(left[i % columns]) + wide[i % columns] / 2,
        )
        for i in range(len(sizes))
    ]
    return centres, (float(top[-1]), float(left[-1]))


def draw_line_up(
    figure: Figure,
    pictures: Sequence[ParticlePicture],
    *,
    columns: int = 8,
    legend: Sequence[tuple[str, Colour]] = (),
    title: str = "",
    ground: str = "white",
    ink: str = "black",
) -> None:
    """Draw a sheet of particles, all at one scale, row by row.

    Parameters
    ----------
    figure : matplotlib Figure
        Is cleared.
    pictures : sequence of ParticlePicture
    columns : int
        Of the sheet.
    legend : sequence of (name, colour)
    title : str
    ground, ink : colour
        Of the paper and of the writing.
    """
    from matplotlib.patches import Patch, Rectangle

    figure.clear()
    figure.set_facecolor(ground)
    axes = figure.add_axes((0.01, 0.08, 0.98, 0.86))
    axes.set_axis_off()
    sizes = [picture.size_um for picture in pictures]
    largest = max((max(size) for size in sizes), default=1.0)
    # captions keep their size in points, so they need a share of the sheet
    middle = float(np.median([max(size) for size in sizes])) if sizes else 1.0
    centres, (height, width) = line_up_places(
        sizes, columns, gap=0.35 * middle, caption=0.4 * middle
    )
    for picture, (y, x) in zip(pictures, centres):
        h, w = picture.size_um
        axes.imshow(
            picture.rgba,
            extent=(x - w / 2, x + w / 2, y + h / 2, y - h / 2),
            interpolation="antialiased",
        )
        axes.text(
            x, y + h / 2 + 0.1 * middle, picture.caption, ha="center", va="top", fontsize=6,
            color=ink,
        )  # fmt: skip
    width, height = max(width, largest), max(height, largest)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    length = round_length(largest)
    foot = figure.add_axes((0.01, 0.0, 0.98, 0.07))
    foot.set_axis_off()
    foot.set_xlim(0, 1)
    foot.set_ylim(0, 1)
    # the sheet may be narrower than its place: the bar is as long as on the sheet
    axes.apply_aspect()
    share = length / width * axes.get_position().width / foot.get_position().width
    foot.add_patch(Rectangle((0.01, 0.5), share, 0.12, color=ink))
    foot.text(0.01, 0.42, f"{length:g} µm", va="top", fontsize=7, color=ink)
    if legend:
        keys = [
            Patch(color=(red / 255, green / 255, blue / 255), label=name)
            for name, (red, green, blue) in legend
        ]
        made = foot.legend(
            handles=keys,
            loc="center right",
            ncols=min(len(legend), 6),
            fontsize=7,
            frameon=False,
        )
        for text in made.get_texts():
            text.set_color(ink)
    if title:
        figure.suptitle(title, fontsize=9, color=ink, y=0.985)


__all__ = [
    "NO_PHASE",
    "ParticlePicture",
    "draw_line_up",
    "first_hits",
    "line_up_places",
    "render_particle",
    "round_length",
]
