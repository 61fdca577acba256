"""Mineral maps: false-colour images and integer rasters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_slagseg.data import BACKGROUND, UNKNOWN, MineralMap, PhaseTable, SlagsegError
from napari_slagseg.io import tiff
from napari_slagseg.io.atomic import atomic_file
from napari_slagseg.io.colours import COLOUR_TOLERANCE, Unmatched, match_colours
from napari_slagseg.io.guards import READ_FAULTS, check_memory, labels_type, unreadable
from napari_slagseg.io.stored import StoredArray
from napari_slagseg.io.text import require_file
from napari_slagseg.io.volumes import load

LEAST_MATCHED = 0.5
"""A map of which less is matched was given the wrong legend."""

_IMAGE_SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".gif", ".webp")


def read_mineral_map(
    path: str | Path,
    table: PhaseTable,
    pixel_size_um: float | None = None,
    *,
    name: str | None = None,
    tolerance: float = COLOUR_TOLERANCE,
    mask: str | Path | None = None,
) -> MineralMap:
    """Read a mineral map.

    A file in colour (palettes too) is a false-colour image; one with a single
    channel (or NPY, Zarr) an integer raster of phase ids.

    Parameters
    ----------
    path : path
        PNG, TIFF, BMP, JPEG, NPY or an array of a Zarr store.
    table : PhaseTable
    pixel_size_um : float or None
        Edge of a pixel in micrometres. None takes it from the file's metadata
        (OME, or ImageJ with a unit of length).
    name : str or None
        None takes the file's stem.
    tolerance : float
        For colours, see `match_colours`.
    mask : path or None
        Image of the same size, zero outside the sample: there the map is
        background, and phase 0 inside it is unknown (TIMA's unclassified).

    Returns
    -------
    MineralMap
        Colours and values that are not in the table are unknown (-1), and their
        share is `unmatched_fraction`; transparent pixels, and the value -1, are
        unknown too but not counted in it.

    Raises
    ------
    SlagsegError
        If the file is unreadable, no pixel size is known, or less than half of
        the pixels match the table.
    """
    path = Path(path)
    stored = load_image(path)
    size = pixel_size_of(path, pixel_size_um, stored)
    image = stored.data
    if image.size == 0:
        raise SlagsegError(f"{path} is empty: its shape is {image.shape}.")
    in_colour = stored.colour or (image.ndim == 3 and image.shape[-1] in (3, 4))
    if in_colour and image.ndim == 3 and image.shape[-1] in (3, 4):
        colours = _eight_bit(image, path)
        try:
            phases, missed = match_colours(colours, table, tolerance)
        except SlagsegError as error:
            raise SlagsegError(f"{path} with this legend: {error}") from error
        noun = "colours"
    elif image.ndim == 2 and not in_colour:
        phases, missed = match_values(
            image.astype(labels_type(image, str(path)), copy=False), table
        )
        noun = "values"
    else:
        raise SlagsegError(
            f"{path} has the shape {image.shape}; a mineral map is one plane, in colour or with "
            "one phase id a pixel."
        )
    unmatched = sum(count for _, count in missed) / phases.size
    if 1 - unmatched < LEAST_MATCHED:
        listed = ", ".join(f"{what} ({count / phases.size:.1%})" for what, count in missed[:5])
        raise SlagsegError(
            f"The legend matches only {1 - unmatched:.1%} of the pixels of {path}. The commonest "
            f"{noun} that it lacks: {listed}. Add them to the legend, or choose the legend that "
            "belongs to this map."
        )
    if not np.any(phases != UNKNOWN):
        raise SlagsegError(
            f"Nothing is known in {path}: every pixel is transparent or -1. Export it again."
        )
    if mask is not None:
        inside = read_mask(Path(mask), phases.shape, path)
        phases[inside & (phases == BACKGROUND)] = UNKNOWN
        phases[~inside] = BACKGROUND
    return MineralMap(
        phases=phases,
        pixel_size_um=size,
        table=table,
        name=name or path.stem,
        source=str(path),
        unmatched_fraction=float(unmatched),
    )


def load_image(path: Path) -> StoredArray:
    """Read one plane of any kind of image."""
    if path.suffix.lower() in tiff.SUFFIXES:
        require_file(path, "the mineral map")
        return tiff.read_tiff(path, apply_palette=True)
    if path.suffix.lower() not in _IMAGE_SUFFIXES:
        return load(path, None, "the mineral map").in_memory()
    require_file(path, "the mineral map")
    limit = Image.MAX_IMAGE_PIXELS
    try:
        # Pillow takes 180 megapixels for an attack; for a polished mount they are ordinary
        Image.MAX_IMAGE_PIXELS = None
        with Image.open(path) as image:
            check_memory(4 * image.width * image.height, str(path))
            return _pixels(image)
    except SlagsegError:
        raise
    except READ_FAULTS as error:
        raise unreadable(path, "an image", error) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _pixels(image: Image.Image) -> StoredArray:
    if image.mode in ("1", "L", "I", "F", "I;16", "I;16B", "I;16L"):
        # a grey image with one transparent value keeps it: it is a value like others
        return StoredArray(np.array(image.convert("L") if image.mode == "1" else image))
    alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return StoredArray(np.array(image.convert("RGBA" if alpha else "RGB")), colour=True)


def _eight_bit(image: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise SlagsegError(
            f"{path} has colours of type {image.dtype}; a false-colour map needs 8 or 16 bits a "
            "channel. Export it again as PNG."
        )
    return image


def pixel_size_of(path: Path, given: float | None, stored: StoredArray) -> float:
    """Edge of a pixel in micrometres: the one given, else the file's."""
    if given is None:
        if stored.voxel_size_um is None:
            raise SlagsegError(
                f"{path} does not state its pixel size. Give it in micrometres; it is in the "
                "microscope's report."
            )
        _, y, x = stored.voxel_size_um
        if not math.isclose(y, x, rel_tol=1e-3):
            raise SlagsegError(
                f"{path} states pixels of {y} x {x} um; square ones are needed. Resample the map, "
                "or give the pixel size if the metadata are wrong."
            )
        given = y
    try:
        size = float(given)
    except (TypeError, ValueError):
        size = math.nan
    if not (math.isfinite(size) and size > 0):
        raise SlagsegError(
            f"The pixel size of {path} is {given}; it must be a number above 0, in micrometres."
        )
    return size


def read_mask(mask: Path, shape: tuple[int, ...], path: Path) -> NDArray[np.bool_]:
    """(rows, columns) bool: where a mask image is not zero."""
    stored = load_image(mask)
    data = stored.data[..., :3].max(axis=-1) if stored.colour else stored.data
    if data.shape != shape:
        raise SlagsegError(f"Mask {mask} has the shape {data.shape}, but map {path} has {shape}.")
    if not np.any(data):
        raise SlagsegError(
            f"Mask {mask} covers nothing: it is zero everywhere, so no pixel of map {path} would "
            "belong to the sample. Save it with the sample above zero, or leave it out."
        )
    return np.asarray(data != 0)


def match_values(raster: NDArray[Any], table: PhaseTable) -> tuple[NDArray[np.int16], Unmatched]:
    """Phase of every pixel of an integer raster.

    Parameters
    ----------
    raster : (rows, columns) integers
    table : PhaseTable

    Returns
    -------
    phases : (rows, columns) int16
        -1 where the value is not an id of the table.
    unmatched : list of (value, pixels)
        Values that are no ids, -1 left out; commonest first.
    """
    values, inverse, counts = np.unique(raster, return_inverse=True, return_counts=True)
    known = np.isin(values, [*table.ids])
    found = np.where(known, values, UNKNOWN).astype(np.int16)
    missed = [i for i in np.flatnonzero(~known) if values[i] != UNKNOWN]
    missed.sort(key=lambda i: -counts[i])
    listed = [(str(int(values[i])), int(counts[i])) for i in missed]
    return found[inverse].reshape(raster.shape), listed


def write_false_colour(mineral_map: MineralMap, path: str | Path) -> None:
    """Write a map as a false-colour PNG, atomically; unknown pixels are transparent."""
    palette = np.zeros((max(mineral_map.table.ids) + 2, 4), dtype=np.uint8)
    for phase in mineral_map.table:
        palette[phase.id] = (*phase.rgb, 255)
    # -1, unknown, picks the last entry, which is transparent
    transparent = bool(np.any(mineral_map.phases == UNKNOWN))
    image = palette[:, : 4 if transparent else 3][mineral_map.phases]
    with atomic_file(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG")


def write_raster(mineral_map: MineralMap, path: str | Path) -> None:
    """Write a map's phase ids as an int16 OME-TIFF that states the pixel size, atomically."""
    size = mineral_map.pixel_size_um
    tiff.write_tiff(path, np.ascontiguousarray(mineral_map.phases), (size, size, size))


__all__ = [
    "COLOUR_TOLERANCE",
    "LEAST_MATCHED",
    "load_image",
    "match_values",
    "pixel_size_of",
    "read_mask",
    "read_mineral_map",
    "write_false_colour",
    "write_raster",
]
