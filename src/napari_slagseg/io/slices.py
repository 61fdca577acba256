"""A folder of slices as one volume."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_slagseg.data import SlagsegError
from napari_slagseg.io import tiff
from napari_slagseg.io.guards import READ_FAULTS, check_memory, check_numeric, unreadable
from napari_slagseg.io.stored import StoredArray

SUFFIXES = (*tiff.SUFFIXES, ".png", ".bmp")

_DIGITS = re.compile(r"(\d+)")


def natural_order(path: Path) -> list[str | int]:
    """Sort key under which slice_2 comes before slice_10."""
    # text and numbers alternate, so that like is compared with like
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(_DIGITS.split(path.name))]


def slice_files(folder: Path) -> list[Path]:
    """Image files of a folder in natural order of their names, hidden ones left out."""
    files = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
    ]
    return sorted(files, key=natural_order)


def read_slices(folder: Path) -> StoredArray:
    """Read a folder of 2-D grey slices, or one with a single multi-page TIFF.

    Raises
    ------
    SlagsegError
        If there are none, one differs in shape, type or format, one is in
        colour, or a number is missing from the series; the file is named.
    """
    try:
        files = slice_files(folder)
    except OSError as error:
        raise SlagsegError(f"Folder {folder} cannot be read: {error.strerror}.") from error
    if not files:
        raise SlagsegError(
            f"Folder {folder} holds no slices ({', '.join(SUFFIXES)}) and is no Zarr store."
        )
    _refuse_mixture(files)
    _refuse_gaps(files)
    if len(files) == 1 and files[0].suffix.lower() in tiff.SUFFIXES:
        return tiff.read_tiff(files[0])
    first = _read_slice(files[0])
    check_numeric(first.dtype, str(files[0]))
    check_memory(first.nbytes * len(files), str(folder))
    data = np.empty((len(files), *first.shape), dtype=first.dtype)

    def fill(index: int) -> None:
        plane = _read_slice(files[index])
        if plane.shape != first.shape or plane.dtype != first.dtype:
            raise SlagsegError(
                f"{files[index]} is {plane.shape} {plane.dtype}, but {files[0].name} is "
                f"{first.shape} {first.dtype}: all slices of a stack must be alike. Move the odd "
                "file away."
            )
        data[index] = plane

    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in pool.map(fill, range(len(files))):
            pass
    return StoredArray(data, None, "a folder of slices does not state the distance between them")


def _read_slice(path: Path) -> NDArray[Any]:
    if path.suffix.lower() in tiff.SUFFIXES:
        stored = tiff.read_tiff(path)
        plane, colour = stored.data, stored.colour
        if plane.ndim == 3 and plane.shape[0] == 1:
            plane = plane[0]
    else:
        try:
            with Image.open(path) as image:
                colour = image.mode not in ("1", "L", "I", "F", "I;16", "I;16B")
                plane = np.asarray(image)
        except READ_FAULTS as error:
            raise unreadable(path, "an image", error) from error
    if colour or plane.ndim != 2:
        raise SlagsegError(
            f"{path} has the shape {plane.shape}{' in colour' if colour else ''}; the slices of a "
            "stack must be 2-D and grey."
        )
    return plane


def _refuse_mixture(files: list[Path]) -> None:
    kinds = {("tiff" if f.suffix.lower() in tiff.SUFFIXES else f.suffix.lower()): f for f in files}
    if len(kinds) > 1:
        examples = ", ".join(f.name for f in kinds.values())
        raise SlagsegError(
            f"Folder {files[0].parent} holds images of several formats ({examples}). "
            "Keep only the slices of one stack in it."
        )


def _refuse_gaps(files: list[Path]) -> None:
    """A slice that is missing would shorten every particle it cuts, and nobody would see it."""
    parts = [_DIGITS.split(f.name) for f in files]
    if len(files) < 3 or len({len(p) for p in parts}) > 1:
        return
    varying = [i for i in range(len(parts[0])) if len({p[i] for p in parts}) > 1]
    if len(varying) != 1 or varying[0] % 2 == 0:
        return
    numbers = [int(p[varying[0]]) for p in parts]
    steps = [b - a for a, b in pairwise(numbers)]
    usual = min(steps)
    for step, number, file in zip(steps, numbers, files):
        if step != usual:
            raise SlagsegError(
                f"After {file.name} the slices of {file.parent} jump from number {number} to "
                f"{number + step}, elsewhere by {usual}. Put the missing slices back, or number "
                "the files without a gap if nothing is missing."
            )


__all__ = ["SUFFIXES", "natural_order", "read_slices", "slice_files"]
