"""What can be known to go wrong before long work starts: holes in stores, permissions, space."""

from __future__ import annotations

import itertools
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slagseg.data import SlagsegError
from napari_slagseg.io.atomic import write_error
from napari_slagseg.io.box_reader import box_text
from napari_slagseg.io.grey_volume import GreyVolume
from napari_slagseg.io.shards import chunk_table, file_edges, file_of, files
from napari_slagseg.io.zarr_store import read_zarr
from napari_slagseg.io.zarr_volume import ZarrVolume

_RIMS_OF_A_HOLE = 16
_EMPTY_SHARE = 0.5


def check_zarr_volume(volume: Any, *, missing: Literal["error", "background"] | None = None) -> int:
    """Refuse a Zarr volume that has lost chunks, or whose files are cut short.

    Reads no voxels but a few planes beside chunks that are missing: sizes of files, and
    the index at the end of every shard, tell the rest. Programs may leave out chunks
    that are empty, as around the cylinder of a scan; Zarr then takes the fill value. A
    copy that broke off looks the same. So, in stores of other programs, a missing
    chunk is taken for empty where the voxels next to it, in chunks that are there, are
    mostly of the fill value, too; in ours none may be missing.

    Parameters
    ----------
    volume : path, or `Volume.data`
        What is not in a Zarr store passes.
    missing : {"error", "background"}, optional
        "background" takes all that is missing for empty, "error" nothing.

    Returns
    -------
    count : int
        Chunks that are missing and taken for empty.

    Raises
    ------
    SlagsegError
        Names the count, the first missing chunk, and the way out.
    """
    if isinstance(volume, (str, Path)):
        volume = read_zarr(Path(volume)).data
    if isinstance(volume, GreyVolume):
        volume = volume.source
    if not isinstance(volume, ZarrVolume):
        return 0
    there = _chunks_there(volume)
    count = int(there.size - np.count_nonzero(there))
    if not count or missing == "background":
        return count
    edges = volume.array.chunks
    first = tuple(int(i) for i in np.argwhere(~there)[0])
    box = tuple(
        slice(i * e, min((i + 1) * e, n)) for i, e, n in zip(first, edges, volume.array.shape)
    )
    kept = range(len(box)) if volume.order is None else volume.order
    where = f"{count:,} of the {there.size:,} chunks of {volume.title} are missing, the first at "
    where += f"{first} ({box_text(tuple(box[i] for i in kept))})"
    if volume.missing_is_error:
        raise SlagsegError(
            f"{where}. The step that makes this store writes them all: it was not finished, or "
            "the store was not copied whole. Run the step again, or copy the store again."
        )
    if missing is None and there.any():
        odd = _rim_that_is_not_empty(volume, there)
        if odd is None:
            return count
        where += f", and {odd} has other voxels than the fill value right beside a missing one"
    raise SlagsegError(
        f"{where}. Zarr would take them for {volume.array.fill_value}. Copy the store again and "
        "compare the numbers of files. If the program that wrote it left out what is empty, "
        "convert the store once (see 'Large volumes' in the manual); from Python, "
        "missing='background' says so."
    )


def _chunks_there(volume: ZarrVolume) -> NDArray[np.bool_]:
    """Which chunks are there, in the stored order of axes; refuses files that are cut short."""
    array, folder = volume.array, volume.folder
    grid = tuple(-(-n // c) for n, c in zip(array.shape, array.chunks))
    there = np.zeros(grid, dtype=bool)
    per_file = tuple(e // c for e, c in zip(file_edges(array), array.chunks))
    plain = int(np.prod(array.chunks)) * array.dtype.itemsize if _is_plain(array) else None
    for place in itertools.product(*(range(n) for n in files(array))):
        path = file_of(array, folder, place)
        try:
            table = chunk_table(array, path)
            if table is None:
                size = path.stat().st_size
                if size == 0 or (plain is not None and size != plain):
                    raise SlagsegError(
                        f"Chunk {path} is cut short or damaged: it has {size:,} bytes"
                        + (f" instead of {plain:,}" if plain is not None else "")
                        + ". Copy the store again, or run the step that made it."
                    )
                there[place] = True
                continue
        except FileNotFoundError:
            continue
        corner = tuple(p * k for p, k in zip(place, per_file))
        box = tuple(slice(c, min(c + k, n)) for c, k, n in zip(corner, per_file, grid))
        there[box] = table[tuple(slice(0, s.stop - s.start) for s in box)]
    return there


def _is_plain(array: Any) -> bool:
    """Whether chunks are stored as they are, so that their size is known."""
    if array.metadata.zarr_format == 2:
        return array.metadata.compressor is None and not array.metadata.filters
    return all(type(c).__name__ in ("BytesCodec", "TransposeCodec") for c in array.metadata.codecs)


def _rims(there: NDArray[np.bool_]) -> list[tuple[tuple[int, ...], int, int]]:
    """Chunks that are there, with the axis and side on which one is missing: some of every hole."""
    holes, _ = ndimage.label(~there)
    by_hole: dict[int, list[tuple[tuple[int, ...], int, int]]] = {}
    for axis, side in itertools.product(range(there.ndim), (1, -1)):
        beyond = np.roll(holes, -side, axis)
        ends = [slice(None)] * there.ndim
        ends[axis] = slice(-1, None) if side == 1 else slice(0, 1)
        beyond[tuple(ends)] = 0
        for found in np.argwhere(there & (beyond > 0)):
            place = tuple(int(i) for i in found)
            by_hole.setdefault(int(beyond[place]), []).append((place, axis, side))
    chosen = []
    for rims in by_hole.values():
        rims.sort()
        chosen += rims[:: max(1, len(rims) // _RIMS_OF_A_HOLE)]
    return chosen


def _rim_that_is_not_empty(volume: ZarrVolume, there: NDArray[np.bool_]) -> str | None:
    """A chunk beside a missing one whose nearest plane is not mostly of the fill value."""
    array = volume.array
    for place, axis, side in _rims(there):
        box = [
            slice(i * c, min((i + 1) * c, n)) for i, c, n in zip(place, array.chunks, array.shape)
        ]
        plane = box[axis].stop - 1 if side == 1 else box[axis].start
        box[axis] = slice(plane, plane + 1)
        try:
            voxels = np.asarray(array[tuple(box)])
        except Exception as error:  # zarr raises whatever its codecs raise
            raise SlagsegError(
                f"{volume.title} cannot be read in its chunk {place} ({error}). Copy the store "
                "again."
            ) from error
        if np.mean(voxels == array.fill_value) < _EMPTY_SHARE:
            return f"chunk {place}"
    return None


def check_writable(folder: str | Path) -> None:
    """Refuse a folder in which no file can be made; makes the folder where it is missing.

    Raises
    ------
    SlagsegError
    """
    path = Path(folder)
    probe = path / f".{uuid.uuid4().hex}-slagseg-probe"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def check_disk(folder: str | Path, n_bytes: int, what: str = "The results") -> None:
    """Refuse work whose results the disk of a folder has no space for.

    Parameters
    ----------
    folder : path
        May be yet to make.
    n_bytes : int
    what : str
        Begins the message.

    Raises
    ------
    SlagsegError
        Names how much is needed and how much is free.
    """
    free = free_disk(folder)
    if n_bytes > free:
        raise SlagsegError(
            f"{what} need about {_size(n_bytes)} in {folder}, and its disk has {_size(free)} "
            "free. Free some space, or choose a folder on another disk."
        )


def free_disk(folder: str | Path) -> int:
    """Free bytes of the disk that a folder, which need not be there yet, would lie on."""
    path = Path(folder).absolute()
    existing = next(p for p in (path, *path.parents) if os.path.isdir(p))
    return shutil.disk_usage(existing).free


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


__all__ = ["check_disk", "check_writable", "check_zarr_volume", "free_disk"]
