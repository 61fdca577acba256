"""Mineral maps: false-colour images and integer rasters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from napari_slagseg.data import BACKGROUND, UNKNOWN, MineralMap, PhaseTable, SlagsegError
from napari_slagseg.io import tiff
from napari_slagseg.io.atomic import atomic_file, require_file
from napari_slagseg.io.guards import check_labels
from napari_slagseg.io.volumes import read_labels

COLOUR_TOLERANCE = 12.0
"""Largest distance in CIELAB at which a colour still counts as one of the legend.

About five just noticeable differences: it takes in what JPEG does to a flat
colour, but no mixture of two legend colours that a user would tell apart.
"""

LEAST_MATCHED = 0.5
"""A map of which less is matched was given the wrong legend."""

Image.MAX_IMAGE_PIXELS = None  # maps of 30,000 x 30,000 pixels are ordinary


def _load_image(path: Path) -> NDArray[Any]:
    """Image as (rows, columns) or (rows, columns, 3 or 4)."""
    require_file(path, "the mineral map")
    if path.suffix.lower() in tiff.SUFFIXES:
        data = tiff.read_tiff(path)
        if data.ndim == 3 and data.shape[0] in (3, 4) and data.shape[-1] not in (3, 4):
            data = np.moveaxis(data, 0, -1)
        return data
    try:
        with Image.open(path) as file:
            image: Image.Image = file
            if image.mode == "P":
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            elif image.mode in ("1", "LA", "CMYK", "YCbCr"):
                image = image.convert("RGBA" if image.mode == "LA" else "RGB")
            return np.asarray(image)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise SlagsegError(
            f"{path} cannot be read as an image ({error}). Use PNG, TIFF, BMP or JPEG."
        ) from error


def match_colours(
    image: NDArray[np.uint8], table: PhaseTable, tolerance: float = COLOUR_TOLERANCE
) -> tuple[NDArray[np.int16], list[tuple[str, int]]]:
    """Phase of every pixel of a false-colour image.

    Exact matches first, then the nearest legend colour in CIELAB within
    `tolerance`. Fully transparent pixels are unknown.

    Parameters
    ----------
    image : (rows, columns, 3 or 4) uint8
    table : PhaseTable
    tolerance : float
        CIELAB distance (CIE 1976).

    Returns
    -------
    phases : (rows, columns) int16
        -1 where no colour of the legend is near.
    unmatched : list of (colour, pixels)
        Colours that matched nothing, commonest first.
    """
    from skimage.color import rgb2lab

    packed = (
        image[..., 0].astype(np.uint32) << 16
        | image[..., 1].astype(np.uint32) << 8
        | image[..., 2].astype(np.uint32)
    )
    if image.shape[-1] == 4:
        packed[image[..., 3] == 0] = 1 << 24
    colours, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    transparent = colours == 1 << 24
    rgb = np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], -1).astype(np.uint8)
    legend = np.array([phase.rgb for phase in table], dtype=np.uint8)
    ids = np.array(table.ids, dtype=np.int16)
    legend_lab = rgb2lab(legend[None] / 255.0)[0]
    found = np.full(len(colours), UNKNOWN, dtype=np.int16)
    step = max(1, 4_000_000 // len(ids))
    for start in range(0, len(colours), step):
        lab = rgb2lab(rgb[None, start : start + step] / 255.0)[0]
        distance = np.linalg.norm(lab[:, None] - legend_lab[None], axis=-1)
        nearest = distance.argmin(axis=1)
        near = distance[np.arange(len(lab)), nearest] <= tolerance
        found[start : start + step] = np.where(near, ids[nearest], UNKNOWN)
    packed_legend = {(r << 16) | (g << 8) | b: i for (r, g, b), i in zip(legend.tolist(), ids)}
    for i in np.flatnonzero(np.isin(colours, list(packed_legend))):
        found[i] = packed_legend[int(colours[i])]
    found[transparent] = UNKNOWN
    missed = np.flatnonzero((found == UNKNOWN) & ~transparent)
    missed = missed[np.argsort(-counts[missed], kind="stable")]
    listed = [(f"#{int(colours[i]):06x}", int(counts[i])) for i in missed]
    return found[inverse].reshape(packed.shape), listed


def _match_values(
    raster: NDArray[Any], table: PhaseTable
) -> tuple[NDArray[np.int16], list[tuple[str, int]]]:
    values, inverse, counts = np.unique(raster, return_inverse=True, return_counts=True)
    known = np.isin(values, [*table.ids])
    found = np.where(known, values, UNKNOWN).astype(np.int16)
    missed = [i for i in np.flatnonzero(~known) if values[i] != UNKNOWN]
    missed.sort(key=lambda i: -counts[i])
    listed = [(str(int(values[i])), int(counts[i])) for i in missed]
    return found[inverse].reshape(raster.shape), listed


def read_mineral_map(
    path: str | Path,
    table: PhaseTable,
    pixel_size_um: float,
    *,
    name: str | None = None,
    tolerance: float = COLOUR_TOLERANCE,
    mask: str | Path | None = None,
) -> MineralMap:
    """Read a mineral map.

    A file with three or four channels is a false-colour image; one with a single
    channel (or NPY, Zarr) an integer raster of phase ids.

    Parameters
    ----------
    path : path
        PNG, TIFF, BMP, JPEG, NPY or an array of a Zarr store.
    table : PhaseTable
    pixel_size_um : float
        Edge of a pixel in micrometres.
    name : str or None
        None takes the file's stem.
    tolerance : float
        For colours, see `match_colours`.
    mask : path or None
        Image of the same size, zero outside the sample: there the map is
        background, and phase 0 inside it is unknown (TIMA's unclassified).

    Raises
    ------
    SlagsegError
        If the file is unreadable or less than half of its pixels match the table.
    """
    path = Path(path)
    if not isinstance(pixel_size_um, (int, float)) or not pixel_size_um > 0:
        raise SlagsegError(
            f"The pixel size of {path} is {pixel_size_um}; it must be a number above 0, in "
            "micrometres."
        )
    if path.suffix.lower() == ".npy" or ".zarr" in path.as_posix():
        image = read_labels(path, what="mineral map")
    else:
        image = _load_image(path)
    if image.size == 0 or min(image.shape[:2]) < 1:
        raise SlagsegError(f"{path} is empty: its shape is {image.shape}.")
    if image.ndim == 3 and image.shape[-1] in (3, 4):
        if image.dtype != np.uint8:
            raise SlagsegError(
                f"{path} has colours of type {image.dtype}; a false-colour map needs 8 bits a "
                "channel. Export it again as PNG."
            )
        phases, missed = match_colours(image, table, tolerance)
        noun = "colours"
    elif image.ndim == 2:
        phases, missed = _match_values(check_labels(image, str(path)), table)
        noun = "values"
    else:
        raise SlagsegError(
            f"{path} has the shape {image.shape}; a mineral map is one plane, in colour or with "
            "one phase id a pixel."
        )
    unmatched = sum(count for _, count in missed) / phases.size
    if 1 - unmatched < LEAST_MATCHED:
        listed = ", ".join(f"{what} ({count / phases.size:.0%})" for what, count in missed[:5])
        raise SlagsegError(
            f"The legend matches only {1 - unmatched:.1%} of the pixels of {path}. The commonest "
            f"{noun} that it lacks: {listed}. Add them to the legend, or choose the legend that "
            "belongs to this map."
        )
    if mask is not None:
        inside = read_labels(mask, what="mask") > 0
        if inside.shape != phases.shape:
            raise SlagsegError(
                f"Mask {mask} has the shape {inside.shape}, but map {path} has {phases.shape}."
            )
        phases[inside & (phases == BACKGROUND)] = UNKNOWN
        phases[~inside] = BACKGROUND
    return MineralMap(
        phases=phases,
        pixel_size_um=float(pixel_size_um),
        table=table,
        name=name or path.stem,
        source=str(path),
        unmatched_fraction=float(unmatched),
    )


def write_false_colour(mineral_map: MineralMap, path: str | Path) -> None:
    """Write a map as a false-colour PNG; unknown pixels are fully transparent."""
    size = max(mineral_map.table.ids) + 2
    palette = np.zeros((size, 4), dtype=np.uint8)
    for phase in mineral_map.table:
        palette[phase.id] = (*phase.rgb, 255)
    rgba = palette[mineral_map.phases]
    image = rgba if np.any(mineral_map.phases == UNKNOWN) else rgba[..., :3]
    with atomic_file(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG")


def write_raster(mineral_map: MineralMap, path: str | Path) -> None:
    """Write a map's phase ids as an int16 TIFF."""
    tiff.write_tiff(Path(path), np.ascontiguousarray(mineral_map.phases), None)


__all__ = [
    "COLOUR_TOLERANCE",
    "match_colours",
    "read_mineral_map",
    "write_false_colour",
    "write_raster",
]
